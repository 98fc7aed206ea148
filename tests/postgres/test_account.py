"""Who runs the server: under root a user of its own that may pass closed folders, no more; else we ourselves."""

import asyncio
import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import pytest
from tests.postgres.conftest import Host, ended, wait_until

from linyue.postgres import EmbeddedServer
from linyue.postgres.account import ACCOUNT, server_account

ROOT = os.geteuid() == 0
as_root = pytest.mark.skipif(not ROOT, reason="only root can become another user")
PLAIN = "linyue-test-user"
_CAP_DAC_READ_SEARCH = 1 << 2


@pytest.fixture
def closed(tmp_path: Path) -> Path:
    """A folder below one that only its owner may enter, as `mktemp -d` makes it."""
    outer = tmp_path / "closed"
    outer.mkdir(mode=0o700)
    inner = outer / "open"
    inner.mkdir(mode=0o755)
    return inner


@pytest.fixture
def plain_user() -> Iterator[pwd.struct_passwd]:
    """A throwaway user."""
    subprocess.run(["useradd", "--system", "--shell", "/bin/false", PLAIN], check=True)
    yield pwd.getpwnam(PLAIN)
    subprocess.run(["userdel", PLAIN], check=True, stderr=subprocess.DEVNULL)


def kinds(folder: Path) -> dict[Path, tuple[int, int, int]]:
    """Mode, owner and group of every folder above and of the folder itself."""
    looked = {each: each.stat() for each in (folder, *folder.parents)}
    return {each: (at.st_mode, at.st_uid, at.st_gid) for each, at in looked.items()}


def status_of(pid: int) -> dict[str, str]:
    """What the kernel says of a process."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def test_no_parent_folders_mode_or_owner_changes(closed: Path) -> None:
    before = kinds(closed)
    server = EmbeddedServer(closed / "data")
    try:
        server.start()
        assert kinds(closed) == before
    finally:
        server.stop()
    assert kinds(closed) == before


def test_nothing_of_the_database_can_be_read_by_others(closed: Path) -> None:
    data = closed / "data"
    server = EmbeddedServer(data)
    try:
        server.start()
        for path in (data, data / "postgres", server.socket, data / "postgres.log", data / "linyue.lock"):
            assert path.stat().st_mode & 0o077 == 0, path
    finally:
        server.stop()


@as_root
def test_under_root_the_server_runs_as_a_user_of_its_own_with_one_capability(closed: Path) -> None:
    server = EmbeddedServer(closed / "data")
    try:
        server.start()
        status = status_of(server.pid)
        user = pwd.getpwnam(ACCOUNT)
        assert status["Uid"].split() == [str(user.pw_uid)] * 4
        assert status["Gid"].split() == [str(user.pw_gid)] * 4
        assert status["Groups"] == ""
        held = {name: int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")}
        assert set(held.values()) == {_CAP_DAC_READ_SEARCH}
        assert status["NoNewPrivs"] == "1"
    finally:
        server.stop()


@as_root
def test_where_every_user_may_pass_the_server_gets_no_capability() -> None:
    folder = Path("/var/tmp/linyue-test-account")
    folder.mkdir(mode=0o755)
    try:
        account = server_account()
        assert account.must_search((folder / "data",)) is False
        folder.chmod(0o700)
        assert account.must_search((folder / "data",)) is True
    finally:
        folder.rmdir()


@as_root
def test_a_root_that_cannot_let_the_server_pass_says_what_to_do(host: Callable[..., Host], closed: Path) -> None:
    """As in a container that keeps CAP_DAC_READ_SEARCH from its root."""
    without = ("setpriv", "--bounding-set", "-dac_read_search", "--inh-caps", "-dac_read_search")
    with pytest.raises(RuntimeError, match=r"may not enter .+ lacks the capability CAP_DAC_READ_SEARCH .+ Put DATA"):
        host(closed / "data", before=without)


@as_root
def test_a_plain_user_runs_the_server_as_himself(host: Callable[..., Host], plain_user: pwd.struct_passwd) -> None:
    home = Path("/var/tmp") / PLAIN
    home.mkdir(mode=0o700)
    try:
        os.chown(home, plain_user.pw_uid, plain_user.pw_gid)
        running = host(home / "data", before=become(plain_user))
        assert status_of(running.server_pid)["Uid"].split()[0] == str(plain_user.pw_uid)
        assert {path.stat().st_uid for path in (home / "data").rglob("*")} == {plain_user.pw_uid}
        running.process.kill()
        wait_until(lambda: ended(running.server_pid), "the server's end")
    finally:
        shutil.rmtree(home)


@as_root
def test_another_user_of_the_machine_is_not_let_in(closed: Path, plain_user: pwd.struct_passwd) -> None:
    """Even one who could pass the folders: the server asks the operating system who is at the other end."""
    server = EmbeddedServer(closed / "data")
    try:
        address = server.start().app
        server.socket.chmod(0o777)
        (server.socket / ".s.PGSQL.5432").chmod(0o777)
        connect = f"import asyncio, asyncpg; asyncio.run(asyncpg.connect({address!r}))"
        done = subprocess.run(
            [*become(plain_user), sys.executable, "-c", connect], capture_output=True, text=True, check=False
        )
        assert "InvalidAuthorizationSpecificationError" in done.stderr
    finally:
        server.stop()


@as_root
def test_the_socket_is_roots_to_use_and_the_cluster_the_accounts(closed: Path) -> None:
    server = EmbeddedServer(closed / "data")
    try:
        address = server.start().app
        asyncio.run(_connects(address))
        assert (closed / "data/postgres").owner() == ACCOUNT
        assert (closed / "data").owner() == "root"
    finally:
        server.stop()


async def _connects(address: str) -> None:
    connection = await asyncpg.connect(address)
    await connection.close()


def become(user: pwd.struct_passwd) -> tuple[str, ...]:
    """What goes before a command for it to run as a plain user, who may read where this checkout and its Python lie."""
    # initdb asks access(2), which counts a capability of somebody else than root only with the last of these.
    reads = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search", "--securebits=+no_setuid_fixup")
    return ("setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", *reads)
