"""The folder that the embedded server lives in: made once, whole or not at all; who may connect, and where."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path

from linyue.postgres.account import Account, client_name
from linyue.postgres.binaries import Programs
from linyue.postgres.faults import ServerCannotRun

SUPERUSER = "postgres"
ROLES = ("linyue_owner", "linyue_app", "linyue_projector")
VERSION_MAJOR = "18"
# A socket's address holds 107 bytes and a zero on Linux, 103 on macOS.
_SOCKET_BYTES_MAX = 103
_SOCKET_NAME = ".s.PGSQL.5432"
_SETUP_SECONDS_MAX = 120

# Only its own socket, and only by the operating system's word on who is at the other end.
_HBA = "local all all peer map=linyue\n"

# The builtin locale sorts alike on every machine, whatever its system library says.
_INITDB = (
    "--username=postgres",
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--auth-local=peer",
    "--auth-host=reject",
    "--no-instructions",
)

# Run once in single-user mode, before anybody can connect. There, with -j, an empty line ends a statement.
_BOOTSTRAP = """\
CREATE ROLE linyue_owner LOGIN;

CREATE ROLE linyue_app LOGIN;

CREATE ROLE linyue_projector LOGIN;

CREATE DATABASE linyue OWNER linyue_owner TEMPLATE template0;

"""


def make(folder: Path, account: Account, program: Programs) -> None:
    """Makes the cluster where there is none; beside `folder`, moved there when whole: a killed start leaves no half."""
    if folder.exists():
        _check(folder, account)
        return
    growing = folder.with_name(folder.name + ".new")
    if growing.exists():
        shutil.rmtree(growing)
    account.own(growing)
    _run(account, growing, program("initdb"), "--pgdata", str(growing), *_INITDB)
    _run(account, growing, program("postgres"), "--single", "-j", "-D", str(growing), "template1", told=_BOOTSTRAP)
    growing.rename(folder)


def _check(folder: Path, account: Account) -> None:
    owner = folder.stat().st_uid
    if owner != account.uid:
        raise ServerCannotRun(
            f"{folder} belongs to the user id {owner}, and PostgreSQL would run as {account.name} ({account.uid})."
            " Start linyue as the user who started it first."
        )
    made_by = (folder / "PG_VERSION").read_text(encoding="ascii").strip()
    if made_by != VERSION_MAJOR:
        raise ServerCannotRun(
            f"{folder} was made by PostgreSQL {made_by}, and this linyue carries {VERSION_MAJOR}. Export the log with"
            " the linyue that made it, then import it into a new DATA folder."
        )


def _run(account: Account, folder: Path, program: Path, *arguments: str, told: str = "") -> None:
    done = subprocess.run(  # noqa: S603
        account.command(program, *arguments, passing=(folder,)),
        input=told,
        capture_output=True,
        text=True,
        timeout=_SETUP_SECONDS_MAX,
        check=False,
    )
    # In single-user mode a statement that fails is only told, not answered with a code.
    if done.returncode != 0 or "ERROR:" in done.stderr:
        said = (done.stderr or done.stdout).strip()[-2000:]
        raise ServerCannotRun(f"PostgreSQL's {program.name} could not set up {folder.parent}: {said}")


def admit_us(folder: Path, account: Account) -> None:
    """Says who may connect: the operating system user that we are, as any of the roles; nobody else."""
    us = client_name()
    names = "".join(f'linyue "{us}" {role}\n' for role in (*ROLES, SUPERUSER))
    for name, text in (("pg_hba.conf", _HBA), ("pg_ident.conf", names)):
        fresh = folder / f"{name}.new"
        fresh.write_text(text, encoding="utf-8")
        fresh.chmod(0o600)
        if account.other:
            os.chown(fresh, account.uid, account.gid)
        fresh.replace(folder / name)


def socket_folder(data: Path, account: Account) -> Path:
    """DATA/socket, or, where no address can bear that, a short folder elsewhere, noted in DATA/socket-folder."""
    near = data / "socket"
    if _bearable(near):
        account.own(near)
        return near
    note = data / "socket-folder"
    if note.exists():
        noted = Path(note.read_text(encoding="utf-8"))
        if _is_ours(noted, account):
            return noted
    short = Path(tempfile.mkdtemp(prefix="linyue-", dir=_short_place()))
    account.own(short)
    note.write_text(str(short), encoding="utf-8")
    return short


def forget_socket_folder(data: Path) -> None:
    """Removes the short folder that was made elsewhere, once the server has left it."""
    note = data / "socket-folder"
    if note.exists():
        shutil.rmtree(note.read_text(encoding="utf-8"), ignore_errors=True)
        note.unlink()


def _bearable(folder: Path) -> bool:
    """Whether a socket there has an address: a comma would begin another host, a quote end PostgreSQL's setting."""
    path = folder / _SOCKET_NAME
    return len(os.fsencode(path)) <= _SOCKET_BYTES_MAX and not set(',"') & set(str(path))


def _short_place() -> str:
    place = os.environ.get("XDG_RUNTIME_DIR", "")
    return place if 0 < len(place) <= 60 and Path(place).is_dir() else "/tmp"  # noqa: S108


def _is_ours(folder: Path, account: Account) -> bool:
    """Whether a folder noted earlier can be trusted: in a place open to all, anybody may have made one of that name."""
    try:
        at = folder.lstat()
    except FileNotFoundError:
        return False
    return stat.S_ISDIR(at.st_mode) and at.st_uid == account.uid and stat.S_IMODE(at.st_mode) == 0o700
