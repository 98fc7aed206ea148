"""Names and texts beside the log: sealed, filed under whom they are about, gone when erased, and nowhere else."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio
from cryptography.fernet import Fernet, InvalidToken
from tests.conftest import TestDatabase
from tests.log import doors
from tests.log.desks import (
    KEY,
    NOW,
    PATIENT_SECONDS,
    SUBDISTRICT,
    Connection,
    Line,
    Watched,
    all_of,
    ask,
    count_of,
    desk_on,
    events,
    writer,
)
from tests.log.doors import Knock, Knocked, Stumble

from booking.messages import SealedText
from booking.vault import Filed, Vault, name_id, text_id

pytestmark = pytest.mark.asyncio

TEXT = "给奶奶过九十大寿"
SEALED = SealedText(text=TEXT, key=b"k" * 32)
PURPOSE = Filed("ask1:purpose", "lin", "purpose", SEALED)


@pytest_asyncio.fixture
async def connection(log_database: TestDatabase) -> AsyncIterator[Connection]:
    opened = await writer(log_database)
    yield opened
    await opened.close()


def vault(*keys: str) -> Vault:
    return Vault(SUBDISTRICT, keys or (KEY,))


async def everything_in(log_database: TestDatabase) -> bytes:
    """All rows of all tables of the database, as bytes, as whoever stole a backup would have them."""
    connection: Connection = await asyncpg.connect(log_database.superuser)
    tables = await connection.fetch(
        "SELECT table_schema, table_name FROM information_schema.tables "
        "WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')"
    )
    dumped = bytearray()
    for schema, table in tables:
        dumped += await _copied(connection, schema, table)
    await connection.close()
    return bytes(dumped)


async def _copied(connection: Connection, schema: str, table: str) -> bytes:
    copied = bytearray()

    async def take(data: bytes) -> None:
        copied.extend(data)

    await connection.copy_from_table(table, schema_name=schema, output=take, format="binary")
    return bytes(copied)


async def test_a_text_that_was_kept_can_be_read(connection: Connection) -> None:
    await vault().write(connection, NOW, [PURPOSE])
    assert await vault().read(connection, ["ask1:purpose", "ask2:purpose"]) == {"ask1:purpose": SEALED}


async def test_a_text_is_sealed_where_it_lies(connection: Connection) -> None:
    await vault().write(connection, NOW, [PURPOSE])
    secret = await connection.fetchval("SELECT secret FROM booking.vault")
    assert TEXT.encode() not in secret
    assert SEALED.key not in secret


async def test_the_same_text_is_never_sealed_to_the_same_bytes(connection: Connection) -> None:
    await vault().write(connection, NOW, [PURPOSE, PURPOSE._replace(id="ask2:purpose")])
    assert await connection.fetchval("SELECT count(DISTINCT secret) FROM booking.vault") == 2


async def test_a_new_key_seals_and_the_old_one_still_opens(connection: Connection) -> None:
    new = Fernet.generate_key().decode()
    await vault().write(connection, NOW, [PURPOSE])
    rotated = vault(new, KEY)
    await rotated.write(connection, NOW, [PURPOSE._replace(id="ask2:purpose")])
    assert await rotated.read(connection, ["ask1:purpose", "ask2:purpose"]) == {
        "ask1:purpose": SEALED,
        "ask2:purpose": SEALED,
    }
    assert await vault(new).read(connection, ["ask2:purpose"]) == {"ask2:purpose": SEALED}


async def test_without_its_key_a_text_cannot_be_read(connection: Connection) -> None:
    await vault().write(connection, NOW, [PURPOSE])
    with pytest.raises(InvalidToken):
        await vault(Fernet.generate_key().decode()).read(connection, ["ask1:purpose"])


async def test_what_is_kept_about_a_person_is_erased_and_nothing_else(connection: Connection) -> None:
    name = Filed(name_id("lin"), "lin", "name", SEALED)
    wang_s = Filed("ask3:purpose", "wang", "purpose", SEALED)
    await vault().write(connection, NOW, [PURPOSE, name, wang_s])
    assert await vault().erase(connection, "lin") == 2
    left = await vault().read(connection, [PURPOSE.id, name.id, wang_s.id])
    assert list(left) == ["ask3:purpose"]


async def test_a_person_is_erased_in_one_subdistrict_alone(connection: Connection) -> None:
    await Vault("hongmei", [KEY]).write(connection, NOW, [PURPOSE])
    assert await vault().erase(connection, "lin") == 0


async def test_a_text_written_twice_is_kept_as_it_was_first(connection: Connection) -> None:
    await vault().write(connection, NOW, [PURPOSE])
    await vault().write(connection, NOW, [PURPOSE._replace(text=SealedText(text="另一个", key=b"o"))])
    assert await vault().read(connection, [PURPOSE.id]) == {PURPOSE.id: SEALED}


async def test_the_program_never_changes_a_text(connection: Connection) -> None:
    await vault().write(connection, NOW, [PURPOSE])
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute("UPDATE booking.vault SET person = 'wang'")


async def test_the_desk_files_a_text_under_the_person_and_the_log_has_its_digest(log_database: TestDatabase) -> None:
    async with desk_on(log_database) as desk:
        await desk.ask(ask(Knock(), id_="knock", note=TEXT))
    connection = await writer(log_database)
    kept = await vault().read(connection, [text_id("knock", "note")])
    assert await connection.fetchval("SELECT person FROM booking.vault") == "lin"
    await connection.close()
    (recorded,) = await events(log_database)
    assert isinstance(recorded.event, Knocked)
    assert recorded.event.note == kept["knock:note"].digest()


async def test_a_text_is_nowhere_in_the_database_but_sealed(log_database: TestDatabase) -> None:
    """Nor in the log, the answers or the refusals, whatever became of the command."""
    async with desk_on(log_database) as desk:
        await all_of(
            desk,
            ask(Knock(), key="k", note=TEXT),
            ask(Knock(most=0), key="l", note=TEXT),
            ask(Stumble(), key="m", note=TEXT),
            ask(Knock(), key="n", note=TEXT, dry_run=True),
        )
    dumped = await everything_in(log_database)
    assert b"Knocked" in dumped
    assert TEXT.encode() not in dumped
    assert TEXT.encode("utf-16-le") not in dumped
    assert await count_of(log_database, "vault") == 1


async def test_after_the_erasure_not_even_the_key_of_the_digest_is_left(log_database: TestDatabase) -> None:
    async with desk_on(log_database) as desk:
        await desk.ask(ask(Knock(), note=TEXT))
    connection = await writer(log_database)
    await vault().erase(connection, doors.LIN.id)
    await connection.close()
    assert await count_of(log_database, "vault") == 0


async def test_a_text_is_written_after_the_lock_and_with_its_event_or_not_at_all(log_database: TestDatabase) -> None:
    """Lost before the COMMIT, and given up by who asked: no text is left behind."""
    line = Line(log_database)

    async def lose(connection: Watched, statement: str) -> None:
        if statement == "COMMIT":
            await connection.lose()

    line.before = lose
    async with desk_on(log_database, connect=line) as desk:
        await desk.ask(ask(Knock(), note=TEXT), wait_seconds=PATIENT_SECONDS)
    statements = line.opened[0].statements
    written = next(n for n, statement in enumerate(statements) if "INSERT INTO booking.vault" in statement)
    assert "pg_advisory_xact_lock" in statements[0]
    assert written > 0
    assert await count_of(log_database, "vault") == await count_of(log_database, "events") == 1


async def test_a_command_that_was_lost_for_good_leaves_no_text(log_database: TestDatabase) -> None:
    line = Line(log_database)

    async def lose_for_good(connection: Watched, statement: str) -> None:
        if statement == "COMMIT":
            line.cut = True
            line.reached.set()
            await connection.lose()

    line.before = lose_for_good
    async with desk_on(log_database, connect=line) as desk:
        asked = asyncio.create_task(desk.ask(ask(Knock(), note=TEXT)))
        await line.reached.wait()
        asked.cancel()
        await asyncio.wait([asked])
        line.cut = False
        await desk.ask(ask(Knock(door="back")))
    assert await count_of(log_database, "vault") == 0
