"""The command `linyue`: reads its arguments and settings, calls what does the work, says how it went."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import ParamSpec, TypeVar, get_args

import msgspec
import rich_click as click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from booking import transfer
from booking.messages import Role
from booking.verify import Checkpoint, Report
from booking.verify import Progress as Proved
from linyue import demo as gumei
from linyue import errands, serving
from linyue.catalogue import CatalogueInvalid
from linyue.clock import ClockMismatch
from linyue.demo_people import known_demo_people
from linyue.errands import Newcomer, PersonUnknown
from linyue.logs import log_to_stderr
from linyue.postgres import PostgresFault
from linyue.processes import CannotServe
from linyue.settings import Settings, SettingsInvalid, from_environment
from linyue.shipped import catalogue_file
from linyue.transfers import STREAM, Files, Moved, TransferRefused, export_all, import_all
from projections.questions import NAMES
from projections.rebuild import RebuildFault

# Faults whose message is a sentence for whoever runs the command; anything else is a bug and shows where.
FAULTS = (
    CannotServe,
    CatalogueInvalid,
    ClockMismatch,
    PersonUnknown,
    PostgresFault,
    RebuildFault,
    SettingsInvalid,
    TransferRefused,
    gumei.LogInUse,
    transfer.FileFault,
    transfer.ImportStopped,
    transfer.LogUnsound,
)
# "system" is the program itself.
ROLES = tuple(role for role in get_args(Role) if role != "system")

BAR_AFTER_SECONDS = 1.0

# What a program may read is alone on standard output.
screen = Console(stderr=True, highlight=False)

P = ParamSpec("P")
R = TypeVar("R")


def _setting(name: str, help_: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """An option that stands for the setting of the same name, for one run."""
    return click.option(f"--{name}", help=f"{help_} Else the variable {name.upper()}.")


data = _setting("data", "The folder of all that is kept.")
host = _setting("host", "The address to serve on.")
port = _setting("port", "The port to serve on.")
workers = _setting("workers", "How many processes answer HTTP.")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="linyue")
def main() -> None:
    """Linyue 邻约 books the rooms and activities of neighbourhood service stations.

    Settings come by the environment: LINYUE_DATABASE_URL names a PostgreSQL server; without it one of linyue's own runs
    in the folder DATA.
    """


@main.command()
@data
@host
@port
@workers
def serve(**options: str | None) -> None:
    """Serve until Ctrl-C or SIGTERM. A second Ctrl-C does not wait for open requests."""
    log_to_stderr("parent")
    with _faults_said():
        sys.exit(serving.serve(_read(options), on_ready=_say_ready))


@main.command()
@data
@host
@port
@workers
def demo(**options: str | None) -> None:
    """Serve Gumei with a lived-in fortnight, made at the first start. Anyone may pick who to be."""
    log_to_stderr("parent")
    with _faults_said(), _progress("A fortnight at Gumei") as on_progress:
        settings = _read(options)
        sys.exit(gumei.run(settings, on_progress=on_progress, on_ready=partial(_say_demo_ready, settings)))


@main.command()
@data
def migrate(**options: str | None) -> None:
    """Bring the database to what this linyue expects. On a server of your own it needs LINYUE_OWNER_URL."""
    with _faults_said():
        errands.migrate(_read(options))
        screen.print("The database is what this linyue expects.")


@main.command()
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@data
def catalogue(*, file: Path | None, **options: str | None) -> None:
    """Open the stations and rooms of a catalogue FILE (TOML), else Gumei's; once more, to change what differs."""
    with _faults_said():
        changed = errands.bring_in_catalogue(_read(options), file or catalogue_file())
        screen.print(f"{changed} changed." if changed else "All of it was there already.")


@main.command()
@click.option("--person", help="The id of somebody who is known; else the token is for somebody new.")
@click.option("--role", type=click.Choice(ROLES), help="What somebody new may do.")
@click.option("--name", help="The name of somebody new; it goes to the vault.")
@click.option("--station", "stations", multiple=True, help="A station of somebody new; as often as there are stations.")
@click.option("--label", default="linyue token", show_default=True, help="What the token is for.")
@click.option("--days", type=click.IntRange(min=1), help="For how long; else until it is revoked.")
@click.option("--json", "as_json", is_flag=True, help="The id and the token as JSON.")
@data
def token(
    *,
    person: str | None,
    role: Role | None,
    name: str | None,
    stations: tuple[str, ...],
    label: str,
    days: int | None,
    as_json: bool,
    **options: str | None,
) -> None:
    """Make a bearer token. It is printed this once; only its hash is kept."""
    who: Newcomer | str
    if person is not None:
        who = person
    elif role is not None and name is not None:
        who = Newcomer(role=role, name=name, stations=stations)
    else:
        raise click.UsageError("Somebody new needs --role and --name; somebody known, --person.")
    with _faults_said():
        issued = errands.issue_token(_read(options), who, label, days)
    click.echo(msgspec.json.encode(issued) if as_json else issued.token)
    if not as_json:
        screen.print(f"for the person {issued.person}")


@main.command()
@click.argument("names", nargs=-1, type=click.Choice(NAMES), metavar="[NAME]…")
@click.option("--json", "as_json", is_flag=True, help="What was rebuilt, as JSON.")
@data
def rebuild(*, names: tuple[str, ...], as_json: bool, **options: str | None) -> None:
    """Fill read models anew from the log: availability, agenda, due, history; all of them where none is named.

    Each is filled beside the one that is read, and takes its place when it is level. Reads and writes go on all the
    while. One that was stopped half-way leaves the one that is read as it was; started again, it begins anew.
    """
    log_to_stderr("rebuild")
    with _faults_said(), _progress("Filling read models anew") as show:
        rebuilt = errands.rebuild_all(_read(options), names, show)
    if as_json:
        click.echo(msgspec.json.encode(rebuilt))
        return
    for model in rebuilt:
        click.echo(f"{model.name}: rebuilt in {model.seconds:.1f} s, and now at {model.position:,}")


@main.command()
@click.option("--checkpoint", help="What an earlier proof printed, kept elsewhere: shows what a log alone cannot.")
@click.option("--json", "as_json", is_flag=True, help="The report as JSON.")
@data
def verify(*, checkpoint: str | None, as_json: bool, **options: str | None) -> None:
    """Prove the log from its bytes: chain, order, tags, nothing overbooked. Exits with 1 where something is wrong."""
    kept = _checkpoint(checkpoint)
    with _faults_said(), _progress("Reading the log") as show:
        report = errands.verify(_read(options), lambda at: show(_part(at)), kept)
    if as_json:
        click.echo(msgspec.json.encode(report))
    else:
        _tell(report)
    sys.exit(0 if report.ok else 1)


def _checkpoint(text: str | None) -> Checkpoint | None:
    try:
        return Checkpoint.parse(text) if text is not None else None
    except ValueError as wrong:
        raise click.BadParameter(str(wrong), param_hint="--checkpoint") from wrong


def _part(at: Proved) -> float:
    """How much of the proof is done: the events are the first half, the tag index the second."""
    return (at.done / max(at.total, 1) + (at.stage == "tags")) / 2


def _tell(report: Report) -> None:
    click.echo(
        f"{report.subdistrict}: {report.events:,} events, {report.tags:,} tags, {report.bookings:,} bookings,"
        f" up to {report.checkpoint}"
    )
    for sentence in report.proved:
        click.echo(f"  proved: {sentence}")
    for finding in report.findings:
        click.echo(f"  wrong at {finding.position}: {finding.kind}: {finding.message}")
    if report.found > len(report.findings):
        click.echo(f"  and {report.found - len(report.findings):,} more like these")
    click.echo("Nothing is wrong." if report.ok else f"{report.found:,} things are wrong; the first is where to look.")


log_file = click.argument("log", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path))
vault_file = click.option("--vault", type=click.Path(dir_okay=False, path_type=Path), help="The file of the vault.")
answers_file = click.option("--answers", type=click.Path(dir_okay=False, path_type=Path), help="That of the answers.")


@main.command("export")
@log_file
@vault_file
@answers_file
@click.option("--json", "as_json", is_flag=True, help="What was written, as JSON.")
@data
def export(*, log: Path, vault: Path | None, answers: Path | None, as_json: bool, **options: str | None) -> None:
    """Write the log into the file LOG, a line an event; - is standard output, a name in .gz is compressed.

    Of a file that is there already only what it does not have yet. The vault and the answers are written anew.
    """
    with _faults_said(), _progress("Writing the log") as show:
        moved = export_all(_read(options), Files(log=log, vault=vault, answers=answers), show)
    _tell_moved(moved, "written", as_json=as_json, aside=log == STREAM)


@main.command("import")
@log_file
@vault_file
@answers_file
@click.option("--older", is_flag=True, help="Take a vault or answers from before the log's last event.")
@click.option("--rekey", is_flag=True, help="Seal each text anew, under the first of the vault's keys.")
@click.option("--json", "as_json", is_flag=True, help="What came in, as JSON.")
@data
def import_(
    *,
    log: Path,
    vault: Path | None,
    answers: Path | None,
    older: bool,
    rekey: bool,
    as_json: bool,
    **options: str | None,
) -> None:
    """Append to the log what the file LOG has beyond it; - is standard input. Nothing may serve the log meanwhile.

    The log must be empty, or the same as far as it goes. What stopped half-way goes on when it is started again.
    """
    files = Files(log=log, vault=vault, answers=answers)
    with _faults_said(), _progress("Reading the file") as show:
        moved = import_all(_read(options), files, show, older=older, rekey=rekey)
    _tell_moved(moved, "came in", as_json=as_json, aside=False)


def _tell_moved(moved: Moved, how: str, *, as_json: bool, aside: bool) -> None:
    """`aside`, where standard output is the log's."""
    if as_json:
        click.echo(msgspec.json.encode(moved), err=aside)
        return
    click.echo(f"{moved.subdistrict}: {moved.events:,} events, up to {moved.checkpoint}", err=aside)
    counts = {f"events {how}": moved.added, "texts of the vault": moved.texts, "answers": moved.answers}
    for what, rows in counts.items():
        if rows is not None:
            click.echo(f"  {rows:,} {what}", err=aside)


def _read(options: dict[str, str | None]) -> Settings:
    given = {name.upper(): value for name, value in options.items() if value is not None}
    return from_environment({**os.environ, **given})


def _say_ready(url: str) -> None:
    click.echo(f"Linyue 邻约 serves on {url}. Ctrl-C stops it.")


def _say_demo_ready(settings: Settings, url: str) -> None:
    _say_ready(url)
    if (said := gumei.clock_said(settings.data)) is not None:
        click.echo(said)
    click.echo(f"Whom one can be, with a token each: {settings.data / gumei.READY_FILE}")
    for person in known_demo_people(settings.data):
        click.echo(f"  {person.part:<10} {person.name}")


@contextmanager
def _faults_said() -> Iterator[None]:
    try:
        yield
    except FAULTS as fault:
        screen.print(f"linyue: {fault}", style="red", markup=False, soft_wrap=True)
        sys.exit(getattr(fault, "exit_code", 1))


@contextmanager
def _progress(what: str) -> Iterator[Callable[[float | None], None]]:
    """A bar that takes the part that is done, from 0 to 1, or None where nobody knows how much there is.

    On a terminal alone, and only where it takes more than a moment; gone when all is done.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    bar = Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal)
    task = bar.add_task(what, total=1.0)
    began = time.monotonic()

    def show(part: float | None) -> None:
        bar.update(task, total=None if part is None else 1.0, completed=part or 0.0)
        if part is not None and part >= 1.0:
            # What follows may serve for months.
            hide()
        elif time.monotonic() - began > BAR_AFTER_SECONDS:
            bar.start()

    def hide() -> None:
        # To stop a bar that was not started ends a line.
        if bar.live.is_started:
            bar.stop()

    try:
        yield show
    finally:
        hide()


if __name__ == "__main__":
    main()
