"""What the command line does beside serving: it reaches the database, does one thing, and ends."""

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import msgspec

from booking.desk import new_person_id
from booking.messages import Role
from booking.vault import Vault
from booking.verify import Checkpoint, Progress, Report
from booking.verify import verify as proof_of
from linyue import catalogue, postgres, wiring
from linyue.clock import clock_of
from linyue.identity import Identity
from linyue.postgres import Databases, engine, reached
from linyue.settings import Settings, vault_keys
from projections.projector import Follower
from projections.questions import NAMES, QUESTIONS
from projections.read_model import EventFailed, Question
from projections.rebuild import CannotRebuild, rebuild
from projections.rebuild import Progress as Filled


class PersonUnknown(Exception):
    """Nobody has this id: give the id that `linyue token` printed, or leave it out to let somebody new in."""

    def __init__(self, person: str) -> None:
        super().__init__(f"Nobody has the id {person}. {self.__doc__}")


class Issued(msgspec.Struct, frozen=True, kw_only=True):
    """A token, told this once, and the id of whose it is."""

    person: str
    token: str


class Newcomer(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody to be let in: the name goes to the vault; `stations` are those of a volunteer or of staff."""

    role: Role
    name: str
    stations: tuple[str, ...] = ()


class Rebuilt(msgspec.Struct, frozen=True, kw_only=True):
    """A read model that was filled anew and swapped in, and up to which position it has gone on since."""

    name: str
    position: int
    seconds: float


def migrate(settings: Settings) -> None:
    """Bring the database to what this program expects."""
    with reached(settings) as databases:
        asyncio.run(postgres.migrate(databases))


def bring_in_catalogue(settings: Settings, file: Path) -> int:
    """Open what a catalogue lists and change what differs; returns how many changed. Raises CatalogueInvalid."""
    listed = catalogue.read(file)
    with reached(settings) as databases:
        return asyncio.run(_bring_in(settings, databases, listed))


async def _bring_in(settings: Settings, databases: Databases, listed: catalogue.Catalogue) -> int:
    await postgres.prepare(databases)
    vault = Vault(settings.subdistrict, vault_keys(settings))
    async with wiring.desk_of(settings.subdistrict, databases, vault, clock_of(settings.data).now) as desk:
        return await catalogue.bring_in(listed, desk.ask)


def verify(settings: Settings, on_progress: Callable[[Progress], None], checkpoint: Checkpoint | None) -> Report:
    """Prove the log, as far as it can be proved from itself and a checkpoint kept elsewhere."""
    with reached(settings) as databases:
        return asyncio.run(_verify(settings, databases, on_progress, checkpoint))


async def _verify(
    settings: Settings, databases: Databases, on_progress: Callable[[Progress], None], checkpoint: Checkpoint | None
) -> Report:
    await postgres.check_revision(databases.app)
    connection = await wiring.writer(databases)
    try:
        return await proof_of(connection, settings.subdistrict, on_progress, checkpoint)
    finally:
        await connection.close()


def rebuild_all(settings: Settings, names: Sequence[str], on_progress: Callable[[float], None]) -> list[Rebuilt]:
    """Fill read models anew beside the live ones and swap them, one after the other; all of them where none is named.

    `on_progress` takes the part that is done, from 0 to 1. Raises RebuildFault; what was swapped before it stays.
    """
    chosen = [question for question in QUESTIONS if question.name in (names or NAMES)]
    with reached(settings) as databases:
        return asyncio.run(_rebuild_all(settings, databases, chosen, on_progress))


async def _rebuild_all(
    settings: Settings, databases: Databases, questions: Sequence[Question], on_progress: Callable[[float], None]
) -> list[Rebuilt]:
    await postgres.check_revision(databases.app)
    rebuilt: list[Rebuilt] = []
    for question in questions:

        def show(filled: Filled, before: int = len(rebuilt)) -> None:
            on_progress((before + filled.done / max(filled.total, 1)) / len(questions))

        rebuilt.append(await _rebuild(settings, databases, question, show))
        on_progress(len(rebuilt) / len(questions))
    return rebuilt


async def _rebuild(
    settings: Settings, databases: Databases, question: Question, on_progress: Callable[[Filled], None]
) -> Rebuilt:
    codec, began = wiring.codec_of(settings.subdistrict), time.monotonic()
    projector = engine(databases.projector)
    follower = Follower(projector, codec, question)
    try:
        await rebuild(projector, codec, question, question.name, on_progress)
        # It was swapped in where the live one stood, which may be behind the log where no program runs.
        position = await follower.catch_up()
    except EventFailed as error:
        raise CannotRebuild(f"{question.name} was rebuilt, and fails on an event after {follower.position}.") from error
    finally:
        await projector.dispose()
    return Rebuilt(name=question.name, position=position, seconds=round(time.monotonic() - began, 2))


def issue_token(settings: Settings, who: Newcomer | str, label: str, days: int | None) -> Issued:
    """A bearer token for somebody new, or for a person with this id; without `days` it holds until it is revoked.

    Raises PersonUnknown.
    """
    with reached(settings) as databases:
        return asyncio.run(_issue_token(settings, databases, who, label, days))


async def _issue_token(
    settings: Settings, databases: Databases, who: Newcomer | str, label: str, days: int | None
) -> Issued:
    await postgres.check_revision(databases.app)
    now = clock_of(settings.data).now
    accounts = engine(databases.app)
    try:
        identity = Identity(accounts, settings.subdistrict, now)
        person = who if isinstance(who, str) else await _let_in(settings, databases, identity, who)
        if await identity.account(person) is None:
            raise PersonUnknown(person)
        until = now() + timedelta(days=days) if days is not None else None
        return Issued(person=person, token=await identity.issue_token(person, label, until))
    finally:
        await accounts.dispose()


async def _let_in(settings: Settings, databases: Databases, identity: Identity, who: Newcomer) -> str:
    person = new_person_id()
    vault = Vault(settings.subdistrict, vault_keys(settings))
    await wiring.name_people(settings.subdistrict, databases, vault, {person: who.name}, clock_of(settings.data).now())
    await identity.open_account(person, who.role, who.stations)
    return person
