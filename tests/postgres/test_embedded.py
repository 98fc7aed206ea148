"""The server in DATA: made once, on a socket only, one at a time, and gone when who started it is gone."""

import asyncio
import os
import signal
import stat
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest
from tests.postgres.conftest import Host, ended, wait_until

from linyue.postgres import DataFolderInUse, EmbeddedServer, ServerCannotRun, running_databases
from linyue.postgres import cluster as cluster_module
from linyue.postgres.databases import on_socket


def ask(address: str, question: str) -> object:
    """One question on a connection of its own."""

    async def asked() -> object:
        connection = await asyncpg.connect(address)
        try:
            return await connection.fetchval(question)
        finally:
            await connection.close()

    return asyncio.run(asked())


def superuser(server: EmbeddedServer) -> str:
    """The address at which anything may be done."""
    return on_socket(server.socket, "postgres", "linyue")


def test_each_role_enters_by_the_operating_systems_word_alone(server: EmbeddedServer) -> None:
    databases = server.start()
    for address, role in (
        (databases.app, "linyue_app"),
        (databases.projector, "linyue_projector"),
        (databases.owner or "", "linyue_owner"),
    ):
        assert ask(address, "SELECT current_user::text") == role
    rules = "SELECT string_agg(type || ' ' || auth_method, ',') FROM pg_hba_file_rules"
    assert ask(superuser(server), rules) == "local peer"


def test_nobody_is_listened_to_but_on_a_socket_in_a_closed_folder(server: EmbeddedServer) -> None:
    server.start()
    assert ask(superuser(server), "SHOW listen_addresses") == ""
    assert stat.S_IMODE(server.socket.stat().st_mode) == 0o700
    assert stat.S_IMODE((server.socket / ".s.PGSQL.5432").stat().st_mode) == 0o700


def test_the_database_sorts_alike_on_every_machine(server: EmbeddedServer) -> None:
    server.start()
    how = "SELECT datlocprovider::text || ' ' || datlocale || ' ' || pg_encoding_to_char(encoding) FROM pg_database"
    assert ask(superuser(server), f"{how} WHERE datname = 'linyue'") == "b C.UTF-8 UTF8"


def test_what_was_written_is_there_at_the_next_start(server: EmbeddedServer) -> None:
    owner = server.start().owner or ""
    ask(owner, "CREATE TABLE public.kept AS SELECT 1 AS one")
    server.stop()
    assert not server.running
    assert ask(server.start().owner or "", "SELECT one FROM public.kept") == 1


def test_a_server_that_was_killed_starts_again_with_all_that_was_committed(server: EmbeddedServer) -> None:
    owner = server.start().owner or ""
    ask(owner, "CREATE TABLE public.kept AS SELECT 1 AS one")
    os.kill(server.pid, signal.SIGKILL)
    wait_until(lambda: not server.running, "the server's end")
    assert ask(server.start().owner or "", "SELECT one FROM public.kept") == 1


def test_starting_a_running_server_changes_nothing(server: EmbeddedServer) -> None:
    first, pid = server.start(), server.pid
    assert server.start() == first
    assert server.pid == pid


def test_stopping_may_be_asked_for_at_any_time(server: EmbeddedServer) -> None:
    server.stop()
    server.start()
    server.stop()
    server.stop()


def test_a_second_start_on_one_folder_is_refused_and_names_the_first(host: Callable[..., Host], tmp_path: Path) -> None:
    first = host(tmp_path / "data")
    with pytest.raises(DataFolderInUse, match=rf"in use by another linyue \(process {first.process.pid}\)"):
        EmbeddedServer(tmp_path / "data").start()
    assert ask(first.app, "SELECT 1") == 1


def test_the_server_of_another_process_is_found_for_a_command_beside_it(
    host: Callable[..., Host], tmp_path: Path
) -> None:
    assert running_databases(tmp_path / "data") is None
    running = host(tmp_path / "data")
    found = running_databases(tmp_path / "data")
    assert found is not None
    assert found.app == running.app
    running.close()
    assert running_databases(tmp_path / "data") is None


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_server_ends_when_who_started_it_dies(
    host: Callable[..., Host], tmp_path: Path, number: signal.Signals
) -> None:
    running = host(tmp_path / "data")
    running.process.send_signal(number)
    wait_until(lambda: ended(running.server_pid), "the server's end")
    again = EmbeddedServer(tmp_path / "data")
    assert ask(again.start().app, "SELECT 1") == 1
    again.stop()


def test_a_server_left_behind_is_ended_and_ours_is_our_own_child(server: EmbeddedServer, tmp_path: Path) -> None:
    """As on systems whose kernel does not tell a child of its parent's death."""
    server.start()
    assert server._lock is not None
    server._lock.close()
    second = EmbeddedServer(tmp_path / "data")
    try:
        databases = second.start()
        assert ended(server.pid)
        assert ask(databases.app, "SELECT 1") == 1
    finally:
        second.stop()


def test_a_note_whose_number_another_process_bears_harms_nobody(server: EmbeddedServer, tmp_path: Path) -> None:
    server.start()
    os.kill(server.pid, signal.SIGKILL)
    wait_until(lambda: not server.running, "the server's end")
    note = tmp_path / "data/postgres/postmaster.pid"
    lines = note.read_text(encoding="utf-8").splitlines()
    note.write_text("\n".join([str(os.getpid()), *lines[1:]]), encoding="utf-8")
    assert ask(server.start().app, "SELECT 1") == 1


def test_a_cluster_that_was_half_made_is_made_anew(server: EmbeddedServer, tmp_path: Path) -> None:
    half = tmp_path / "data/postgres.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n", encoding="ascii")
    assert ask(server.start().app, "SELECT 1") == 1
    assert not half.exists()


def test_a_cluster_of_another_version_is_told_and_not_touched(server: EmbeddedServer, tmp_path: Path) -> None:
    server.start()
    server.stop()
    (tmp_path / "data/postgres/PG_VERSION").write_text("17\n", encoding="ascii")
    with pytest.raises(ServerCannotRun, match="was made by PostgreSQL 17"):
        server.start()


def test_a_folder_whose_path_no_socket_can_bear_gets_one_elsewhere(tmp_path: Path) -> None:
    data = tmp_path / ("deep" * 30) / "data"
    server = EmbeddedServer(data)
    try:
        assert ask(server.start().app, "SELECT 1") == 1
        assert not server.socket.is_relative_to(data)
        assert stat.S_IMODE(server.socket.stat().st_mode) == 0o700
        first = server.socket
        os.kill(server.pid, signal.SIGKILL)
        wait_until(lambda: not server.running, "the server's end")
        server.start()
        assert server.socket == first
    finally:
        server.stop()
    assert not first.exists()


def test_a_noted_socket_folder_that_others_may_enter_is_not_used_again(tmp_path: Path) -> None:
    data = tmp_path / ("deep" * 30) / "data"
    data.mkdir(parents=True)
    forged = tmp_path / "forged"
    forged.mkdir(mode=0o755)
    (data / "socket-folder").write_text(str(forged), encoding="utf-8")
    server = EmbeddedServer(data)
    try:
        server.start()
        assert server.socket != forged
    finally:
        server.stop()


def test_a_folder_may_have_any_name(tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path / "数据 100%, 'a' \"b\"")
    try:
        assert ask(server.start().app, "SELECT 1") == 1
    finally:
        server.stop()


def test_a_start_that_fails_says_why_and_gives_the_folder_free(
    server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(cluster_module, "_INITDB", ("--no-such-option",))
        with pytest.raises(ServerCannotRun, match="no-such-option"):
            server.start()
    assert ask(server.start().app, "SELECT 1") == 1


def test_a_tests_own_server_is_migrated_and_keeps_what_it_acknowledged(
    own_server: Callable[..., EmbeddedServer],
) -> None:
    """The fixture for tests that kill the database."""
    server = own_server()
    assert ask(superuser(server), "SHOW fsync") == "on"
    assert ask(server.databases.app, "SELECT count(*) FROM booking.events") == 0
