"""The environment in, one frozen struct out. Every setting of the program stands here, with its default."""

import base64
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec

_NAMES = {
    "database_url": "LINYUE_DATABASE_URL",
    "owner_url": "LINYUE_OWNER_URL",
    "projector_url": "LINYUE_PROJECTOR_URL",
    "data": "DATA",
    "host": "HOST",
    "port": "PORT",
    "workers": "WORKERS",
    "subdistrict": "LINYUE_SUBDISTRICT",
    "vault_keys": "LINYUE_VAULT_KEYS",
    "clock": "CLOCK",
    "speed": "SPEED",
    "demo": "LINYUE_DEMO",
    "metrics_token": "LINYUE_METRICS_TOKEN",
    "prefix": "LINYUE_PREFIX",
}
_SERVER = "the address of a PostgreSQL database: postgresql://user:password@host/database"
# What a variable must be, where not every text will do.
_WANTED = {
    "LINYUE_DATABASE_URL": _SERVER,
    "LINYUE_OWNER_URL": _SERVER,
    "LINYUE_PROJECTOR_URL": _SERVER,
    "PORT": "a whole number from 1 to 65535",
    "WORKERS": "a whole number from 1 to 64",
    "LINYUE_SUBDISTRICT": "a lower-case word of at most 32 letters, digits and hyphens",
    "LINYUE_VAULT_KEYS": "Fernet keys (44 characters of URL-safe base64 each), separated by commas",
    "CLOCK": "an instant with its offset, as 2026-12-01T08:00:00+08:00",
    "SPEED": "a number above 0 and at most 1000000",
    "LINYUE_DEMO": "true or false",
    "LINYUE_PREFIX": (
        "a path like /linyue, of lower-case letters, digits and hyphens,"
        " whose first part is none of Linyue's own (/rooms, /api …)"
    ),
    "LINYUE_METRICS_TOKEN": "16 or more printable characters without spaces",
}
# Their values never enter a message.
_SECRET = frozenset(
    {
        "LINYUE_DATABASE_URL",
        "LINYUE_OWNER_URL",
        "LINYUE_PROJECTOR_URL",
        "LINYUE_VAULT_KEYS",
        "LINYUE_METRICS_TOKEN",
    }
)

# What Linyue's own paths begin with. Below `/api` a request for `/api/v1/rooms` would be one for `/v1/rooms`.
OWN_PATHS = (
    "api", "bookings", "desk", "enter", "health", "language", "leave", "me", "metrics", "rooms", "schema", "static",
    "stations", "uses",
)  # fmt: skip

Address = Annotated[str, msgspec.Meta(pattern="^postgres(ql)?://")]
FernetKey = Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9_-]{43}=$")]


class SettingsInvalid(Exception):
    """A setting cannot be used; the message names the variable and says what it must be."""


class Settings(msgspec.Struct, frozen=True, kw_only=True, rename=_NAMES):
    """What the environment says. An empty variable counts as absent."""

    database_url: Address | None = None
    """A PostgreSQL server of your own, for the role app; absent, an embedded one runs in DATA."""
    owner_url: Address | None = None
    """The same database for the owner of the tables: needed to migrate."""
    projector_url: Address | None = None
    """The same database for the projector; absent, the app's login acts as linyue_projector."""
    data: Path = Path(".data")
    """The folder of all that is kept: the embedded server, the vault's keys, the clock's state, demo.json."""
    host: str = "127.0.0.1"
    """The address to serve on."""
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 8000
    """The port to serve on."""
    workers: Annotated[int, msgspec.Meta(ge=1, le=64)] = 2
    """How many processes answer HTTP, each with a desk."""
    subdistrict: Annotated[str, msgspec.Meta(pattern="^[a-z][a-z0-9-]{0,31}$")] = "gumei"
    """The tenant whose log this is."""
    vault_keys: tuple[FernetKey, ...] = ()
    """Master keys of the vault, the newest first; absent, one is made in DATA (embedded server only)."""
    clock: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    """When a simulated clock starts; absent, the clock that DATA remembers, else the real one."""
    speed: Annotated[float, msgspec.Meta(gt=0, le=1_000_000)] | None = None
    """How many simulated seconds pass in one; absent, what DATA remembers, else 1."""

    metrics_token: Annotated[str, msgspec.Meta(pattern="^[!-~]{16,}$")] | None = None
    """What a bearer must send to read /metrics; absent, only this machine itself may, and not through a proxy."""

    prefix: Annotated[str, msgspec.Meta(pattern=f"^(/(?!({'|'.join(OWN_PATHS)})(/|$))[a-z0-9-]+(/[a-z0-9-]+)*)?$")] = ""
    """Below what path of its host people find Linyue, where a proxy has other things beside it; absent, at the top."""

    demo: bool = False
    """Whether anyone may pick who to be; set by `linyue demo` for the processes that it starts."""

    @property
    def embedded(self) -> bool:
        """Whether the database is linyue's own server in DATA."""
        return self.database_url is None

    def __repr__(self) -> str:
        """Without addresses and keys: it may end up in a log."""
        shown = {name: value for name, value in msgspec.structs.asdict(self).items() if _NAMES[name] not in _SECRET}
        return f"Settings({', '.join(f'{name}={value!r}' for name, value in shown.items())})"


def from_environment(environment: Mapping[str, str] | None = None) -> Settings:
    """Reads the settings; raises SettingsInvalid with one sentence about the first that cannot be used."""
    environment = os.environ if environment is None else environment
    given: dict[str, Any] = {name: environment[name] for name in _NAMES.values() if environment.get(name)}
    if "LINYUE_VAULT_KEYS" in given:
        given["LINYUE_VAULT_KEYS"] = [key.strip() for key in given["LINYUE_VAULT_KEYS"].split(",") if key.strip()]
    try:
        settings = msgspec.convert(given, Settings, strict=False, dec_hook=_path)
    except msgspec.ValidationError as error:
        raise SettingsInvalid(_sentence(str(error), given)) from error
    _check_together(settings)
    return settings


def vault_keys(settings: Settings) -> tuple[str, ...]:
    """The vault's master keys: the settings', else the one in DATA, made (0600) by the first who asks.

    Raises SettingsInvalid for a server of your own without LINYUE_VAULT_KEYS: its vault is read from elsewhere too.
    """
    if settings.vault_keys:
        return settings.vault_keys
    if not settings.embedded:
        raise SettingsInvalid("LINYUE_VAULT_KEYS must hold a Fernet key where LINYUE_DATABASE_URL names a server.")
    path = settings.data / "vault.key"
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    _make_once(path, base64.urlsafe_b64encode(os.urandom(32)))
    return (path.read_text(encoding="ascii").strip(),)


def _make_once(path: Path, content: bytes) -> None:
    """Writes a private file unless it is there; of two who try, one wins and no reader ever sees half."""
    if path.exists():
        return
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    try:
        path.hardlink_to(fresh)
    except FileExistsError:
        return
    finally:
        fresh.unlink()


def _check_together(settings: Settings) -> None:
    if settings.database_url is None and (settings.owner_url or settings.projector_url):
        raise SettingsInvalid("LINYUE_DATABASE_URL must be set where LINYUE_OWNER_URL or LINYUE_PROJECTOR_URL is.")


def _path(wanted: type, value: object) -> object:
    if wanted is Path and isinstance(value, str):
        return Path(value)
    raise NotImplementedError(wanted)


def _sentence(said: str, given: Mapping[str, Any]) -> str:
    """One sentence about what msgspec told: "Expected `int`, got `str` - at `$.PORT`"."""
    name = said.partition(" - at `$.")[2].rstrip("`").split("[")[0]
    shown = "" if name in _SECRET else f", not {given.get(name)!r}"
    return f"{name} must be {_WANTED[name]}{shown}."
