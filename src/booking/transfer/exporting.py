"""Out of the log into a file, page by page, from where the file ends: nothing that is there is written again."""

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from booking import log
from booking.transfer.files import Source, Target
from booking.transfer.lines import LineRefused, chained, line_of

ROWS_AT_ONCE = 1_000

OnProgress = Callable[[float], None]
"""Gets the part that is done, from 0 to 1."""


class LogUnsound(Exception):
    """The log does not hold what its hashes say, so it is not exported as if it did: `linyue verify` tells more."""

    def __init__(self, position: int) -> None:
        super().__init__(f"Position {position}: {self.__doc__}")


class Exported(NamedTuple):
    """How far a file goes now, and how many of its lines were there already."""

    head: log.Head
    there: int


async def export_log(
    connection: log.Connection, subdistrict: str, target: Target, on_progress: OnProgress = lambda _: None
) -> Exported:
    """Write what the log has up to the head that it has now; what is appended meanwhile is left to the next export.

    Only reads, in short statements by position. Raises `LineRefused` where the file is not of this log, and then leaves
    it as it is; `LogUnsound`.
    """
    there, last = await _go_on(connection, subdistrict, target)
    head = await log.head(connection, subdistrict)
    position = there
    while position < head.position:
        rows = await log.follow(connection, subdistrict, position, min(ROWS_AT_ONCE, head.position - position))
        last = _held(rows, position, last)
        position = rows[-1].position
        target.add(b"".join(map(line_of, rows)))
        on_progress(position / head.position)
    target.settle()
    return Exported(head, there)


def _held(rows: list[log.Row], position: int, last: bytes) -> bytes:
    """The last hash of rows that follow one another. Raises `LogUnsound`."""
    for row in rows:
        position += 1
        last = log.next_hash(last, row.data)
        # An end of a line in the bytes would make two lines of one; none is in canonical JSON.
        if row.position != position or row.hash != last or b"\n" in row.data:
            raise LogUnsound(position)
    if not rows:
        raise LogUnsound(position + 1)
    return last


async def _go_on(connection: log.Connection, subdistrict: str, target: Target) -> tuple[int, bytes]:
    """Take away what is cut short at the end of the file; the position and the hash that it goes up to then."""
    source = target.there()
    if source is None:
        return 0, log.first_hash(subdistrict)
    last = deque(chained(subdistrict, source), maxlen=1)
    if last and await log.hash_at(connection, subdistrict, last[0].position) != last[0].hash:
        raise LineRefused(last[0].position, f"the log of {subdistrict} here has no such event. Name another file.")
    if source.cut_short and not await _is_ours(connection, subdistrict, source):
        raise LineRefused(source.kept_lines + 1, "an export did not begin this. Name another file.")
    target.cut(source.kept)
    # Of a compressed file whole lines may lie in a member that is cut short: they are written again.
    known = await log.hash_at(connection, subdistrict, source.kept_lines)
    return source.kept_lines, known or log.first_hash(subdistrict)


async def _is_ours(connection: log.Connection, subdistrict: str, source: Source) -> bool:
    """Whether what is cut short was begun by an export: nothing else is ever written over."""
    if source.packed:
        return source.begins_a_page()
    following = await log.follow(connection, subdistrict, source.kept_lines, 1)
    return any(line_of(row).startswith(source.rest) for row in following)
