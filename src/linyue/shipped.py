"""Where the files that ship beside the code are found, in a checkout as in an installed wheel."""

from importlib.resources import files
from pathlib import Path

_PACKAGE = Path(str(files("linyue")))
_CHECKOUT = _PACKAGE.parent.parent


def migrations_folder() -> Path:
    """The folder of Alembic's `env.py` and `versions/`, which make the log, the answers, the vault and identity."""
    return _shipped("migrations")


def catalogue_file() -> Path:
    """The built-in catalogue: the stations, spaces, rooms, resources and uses of Gumei, as TOML."""
    return _shipped("data/gumei.toml")


def _shipped(name: str) -> Path:
    """The wheel carries these files inside the package; a checkout keeps them at its root."""
    for folder in (_PACKAGE, _CHECKOUT):
        path = folder / name
        if path.exists():
            return path
    raise FileNotFoundError(f"{name} is neither in {_PACKAGE} nor in {_CHECKOUT}: install Linyue anew from its wheel")
