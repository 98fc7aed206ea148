"""Who runs the embedded server: we ourselves, or, where we are root, a system user of its own.

PostgreSQL refuses to run as root. The account `linyue-postgres` owns the cluster and the socket's folder and nothing
else. Where they, or the program, lie below a folder that only root may enter, the server gets the one capability that
lets it pass; no folder's mode is changed. docs/decisions/0010 has what was measured.
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec

from linyue.postgres.faults import ServerCannotRun

ACCOUNT = "linyue-postgres"
_TOOLS = {
    "useradd": (
        "--system",
        "--user-group",
        "--no-create-home",
        "--home-dir=/nonexistent",
        "--shell=/bin/false",
        ACCOUNT,
    ),
    "adduser": ("-S", "-D", "-H", "-h", "/nonexistent", "-s", "/bin/false", ACCOUNT),
}
# To pass closed folders, and to keep that over the change of account (CAP_SETPCAP sets the securebits).
_CAP_DAC_READ_SEARCH = 1 << 2
_CAP_SETPCAP = 1 << 8
_INSTEAD = "Start linyue as a plain user, or set LINYUE_DATABASE_URL to a server of your own."


class Account(msgspec.Struct, frozen=True):
    """An operating system user, and whether the server runs as another user than we are."""

    name: str
    uid: int
    gid: int
    other: bool

    def own(self, folder: Path) -> None:
        """Makes `folder` where it is missing; the account's alone (0700)."""
        folder.mkdir(mode=0o700, exist_ok=True)
        if self.other:
            os.chown(folder, self.uid, self.gid)
        folder.chmod(0o700)

    def command(self, program: Path, *arguments: str, passing: tuple[Path, ...]) -> list[str]:
        """The command that runs `program` as the account, as a child that ends with us.

        `passing` is what the program must reach.
        """
        plan: dict[str, Any] = {"command": [str(program), *arguments], "parent": os.getpid()}
        if self.other:
            plan |= {"uid": self.uid, "gid": self.gid, "search": self.must_search((program, *passing))}
        return [sys.executable, "-I", "-S", str(Path(__file__).with_name("launch.py")), json.dumps(plan)]

    def must_search(self, paths: tuple[Path, ...]) -> bool:
        """Whether the account needs the capability to reach `paths`; raises ServerCannotRun where we cannot give it."""
        parents = (folder for path in paths for folder in path.parents)
        closed = next((folder for folder in parents if not self._may_enter(folder)), None)
        if closed is None:
            return False
        if not _we_may_search():
            raise ServerCannotRun(
                f"The user {self.name}, who runs the database, may not enter {closed}, and this root lacks the"
                " capability CAP_DAC_READ_SEARCH (or CAP_SETPCAP) to let it pass."
                f" Put DATA and linyue where every user may pass. {_INSTEAD}"
            )
        return True

    def _may_enter(self, folder: Path) -> bool:
        at = folder.stat()
        if at.st_uid == self.uid:
            return bool(at.st_mode & 0o100)
        return bool(at.st_mode & (0o010 if at.st_gid == self.gid else 0o001))


def server_account() -> Account:
    """We ourselves, or the system user that is made for the server where we are root."""
    if os.geteuid() != 0:
        return _named(os.geteuid(), other=False)
    try:
        found = pwd.getpwnam(ACCOUNT)
    except KeyError:
        found = _made()
    return Account(name=found.pw_name, uid=found.pw_uid, gid=found.pw_gid, other=True)


def client_name() -> str:
    """The operating system's name for us, as the server will see it on its socket."""
    return _named(os.geteuid(), other=False).name


def _named(uid: int, *, other: bool) -> Account:
    try:
        found = pwd.getpwuid(uid)
    except KeyError:
        raise ServerCannotRun(
            f"The user id {uid} has no name on this machine, and PostgreSQL wants one. Add it to the users,"
            " or set LINYUE_DATABASE_URL."
        ) from None
    return Account(name=found.pw_name, uid=found.pw_uid, gid=found.pw_gid, other=other)


def _made() -> pwd.struct_passwd:
    """Makes the system user with whichever tool there is: shadow's on most systems, busybox's on small ones."""
    said = "there is neither useradd nor adduser."
    for tool, arguments in _TOOLS.items():
        path = shutil.which(tool, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
        if path is None:
            continue
        done = subprocess.run([path, *arguments], capture_output=True, text=True, timeout=30, check=False)  # noqa: S603
        try:
            # Looked up whatever the tool answered: two starts at once may both have tried.
            return pwd.getpwnam(ACCOUNT)
        except KeyError:
            said = (done.stderr.strip() or f"{tool} answered {done.returncode}").rstrip(".") + "."
    raise ServerCannotRun(
        f"PostgreSQL does not run as root, and the system user {ACCOUNT} could not be made: {said} {_INSTEAD}"
    )


def _we_may_search() -> bool:
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except FileNotFoundError:
        return False
    held = next((line.split()[1] for line in status.splitlines() if line.startswith("CapPrm:")), "0")
    needed = _CAP_DAC_READ_SEARCH | _CAP_SETPCAP
    return int(held, 16) & needed == needed
