"""The form of a line of a log's file, and the chain that the lines make."""

import re
from collections.abc import Iterable, Iterator

from booking import log

# One form and no other, so that the bytes between the last colon and the last brace are the row's own.
_LINE = re.compile(rb'\{"position":([1-9][0-9]{0,18}),"hash":"([0-9a-f]{64})","data":(.+)\}\n')


class LineRefused(Exception):
    """A line is not what must stand there; the message names the line and says what to do."""

    def __init__(self, number: int, why: str) -> None:
        super().__init__(f"Line {number}: {why}")
        self.number = number


def line_of(row: log.Row) -> bytes:
    """An event as a line: position, hash in hex, and the row's bytes as they are."""
    return b'{"position":%d,"hash":"%b","data":%b}\n' % (row.position, row.hash.hex().encode(), row.data)


def chained(subdistrict: str, lines: Iterable[bytes]) -> Iterator[log.Row]:
    """The rows of a log's lines from the first on, each held against the one before. Raises `LineRefused`."""
    last = log.first_hash(subdistrict)
    for number, line in enumerate(lines, 1):
        row = _row(number, line)
        if row.position != number:
            raise LineRefused(
                number, f"it holds position {row.position}: lines are missing or were moved. Export the log anew."
            )
        last = log.next_hash(last, row.data)
        if row.hash != last:
            raise LineRefused(number, _another_chain(subdistrict, number))
        yield row


def _row(number: int, line: bytes) -> log.Row:
    found = _LINE.fullmatch(line)
    if found is None:
        raise LineRefused(number, "this is no line of an exported log, byte for byte. Export the log anew.")
    position, hash_, data = found.groups()
    return log.Row(int(position), data, bytes.fromhex(hash_.decode()))


def _another_chain(subdistrict: str, number: int) -> str:
    if number == 1:
        return f"the hash does not begin a log of {subdistrict}: it is another subdistrict's, or was changed."
    return "the hash does not follow from the line before and these bytes: something was changed. Export the log anew."
