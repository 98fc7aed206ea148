"""Files of whole lines: read up to where they are whole, written on from there. What ends in `.gz` is compressed.

A compressed file is written as one gzip member for each page of lines, so that it too can be gone on with: whatever
reads gzip reads the members as one file.
"""

import fcntl
import gzip
import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import Protocol, Self

from booking.transfer.lines import LineRefused

CHUNK_BYTES = 1 << 16
LINE_BYTES_MAX = 1 << 24
"""No event is nearly as long: what has no end of a line for so long is no log."""
UNPACKED_BYTES_MAX = 1 << 20
"""What is held at once of a member, however small it was packed."""
COMPRESSION = 6

_GZIP = 31
_MEMBER_BEGIN = gzip.compress(b"", COMPRESSION, mtime=0)[:10]
_CUT_SHORT = "it is cut short, or damaged. Run the export again, which goes on from there; then the import, likewise."


class FileFault(Exception):
    """A file cannot be written, or not by us now; the message names it and says why."""


class Readable(Protocol):
    """A file or a stream of bytes."""

    def read(self, size: int, /) -> bytes | None: ...


class Source:
    """The whole lines of a file or a stream, one after the other; `cut_short` tells at the end whether more followed.

    `kept` is the number of its first bytes that can stay when it is gone on with, `kept_lines` the lines in them,
    `rest` what follows the last whole line; `read` how many bytes were read so far.
    """

    def __init__(self, file: Readable, *, packed: bool = False) -> None:
        self._file = file
        self.packed = packed
        self.cut_short = False
        self.read = self.kept = self.kept_lines = 0
        self.rest = b""
        self._lines = 0
        self._member_begin = b""

    def __iter__(self) -> Iterator[bytes]:
        """Each line with its end. Raises `LineRefused` for one without."""
        for chunk in self._unpacked() if self.packed else self._chunks():
            *whole, self.rest = (self.rest + chunk).split(b"\n")
            for line in whole:
                self._lines += 1
                if not self.packed:
                    self.kept, self.kept_lines = self.kept + len(line) + 1, self._lines
                yield line + b"\n"
            if len(self.rest) > LINE_BYTES_MAX:
                raise LineRefused(self._lines + 1, "it has no end. This is no exported log.")
        self.cut_short = self.cut_short or bool(self.rest)

    def whole(self) -> Iterator[bytes]:
        """The same, of a file that must be whole. Raises `LineRefused` at its end where it is cut short."""
        yield from self
        if self.cut_short:
            raise LineRefused(self._lines + 1, _CUT_SHORT)

    def begins_a_page(self) -> bool:
        """Whether what is cut short is a member, and begins as `Target.add` begins each."""
        return bool(self._member_begin) and _MEMBER_BEGIN.startswith(self._member_begin)

    def _chunks(self) -> Iterator[bytes]:
        while chunk := self._file.read(CHUNK_BYTES):
            self.read += len(chunk)
            yield chunk

    def _unpacked(self) -> Iterator[bytes]:
        """What lies in the members. One that is not whole, or is none, ends it: what could be read of it is told."""
        member, begun = zlib.decompressobj(_GZIP), False
        for chunk in self._chunks():
            packed = chunk
            while packed:
                begun = True
                self._member_begin = (self._member_begin + packed)[: len(_MEMBER_BEGIN)]
                try:
                    yield member.decompress(packed, UNPACKED_BYTES_MAX)
                except zlib.error:
                    self.cut_short = True
                    return
                packed = member.unused_data if member.eof else member.unconsumed_tail
                if member.eof:
                    self._keep(len(packed))
                    self._member_begin = b""
                    member, begun = zlib.decompressobj(_GZIP), False
        self.cut_short = begun

    def _keep(self, ahead: int) -> None:
        """A member has ended so many bytes before what was read; its lines were handed out, unless it ends in one."""
        if not self.rest:
            self.kept, self.kept_lines = self.read - ahead, self._lines


class Target:
    """What lines are added to: a file that one can go on with, or a stream, which begins with the first line."""

    def __init__(self, file: FileIO, path: Path, *, packed: bool = False, can_go_on: bool = False) -> None:
        self._file = file
        self._path = path
        self._packed = packed
        self._can_go_on = can_go_on

    @classmethod
    def open(cls, path: Path, *, packed: bool) -> Self:
        """A file of this name, made private where there is none: the log tells of people, if only by their ids.

        Raises `FileFault`.
        """
        with _faults_of(path):
            file = FileIO(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b")
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            return cls(file, path, packed=packed)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise FileFault(f"{path} is being written by another export. Wait for it, or name another file.") from None
        return cls(file, path, packed=packed, can_go_on=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def there(self) -> Source | None:
        """What is there already, from its beginning; None of a stream."""
        if not self._can_go_on:
            return None
        self._file.seek(0)
        return Source(self._file, packed=self._packed)

    def cut(self, kept: int) -> None:
        """Keep so many of the first bytes; what is added follows them."""
        self._file.truncate(kept)
        self._file.seek(kept)

    def add(self, page: bytes) -> None:
        """Add whole lines."""
        left = memoryview(gzip.compress(page, COMPRESSION, mtime=0) if self._packed else page)
        with _faults_of(self._path):
            while left:
                left = left[self._file.write(left) :]

    def settle(self) -> None:
        """Return when all of it is on disk, its name too."""
        if self._can_go_on:
            with _faults_of(self._path):
                os.fsync(self._file.fileno())
                _settle_folder(self._path.parent)


@contextmanager
def written_whole(path: Path, begin: bytes) -> Iterator[Target]:
    """A file that is written anew: it takes the place of the one of its name when all went well, and not before.

    The one of its name must begin with `begin`: no other is written over. Raises `FileFault`.
    """
    path = path.resolve()
    if path.exists() and not _begins(path, begin):
        raise FileFault(f"{path} is something else, and is not written over. Name another file.")
    growing = path.with_name(f".{path.name}.part")
    with Target.open(growing, packed=is_packed(path)) as target:
        target.cut(0)
        yield target
        target.settle()
        with _faults_of(path):
            growing.replace(path)
            _settle_folder(path.parent)


def _begins(path: Path, begin: bytes) -> bool:
    """Whether this is a file, and empty or one whose first line begins so."""
    if not path.is_file():
        return False
    with _faults_of(path), path.open("rb") as file:
        first = next(iter(Source(file, packed=is_packed(path))), b"")
    return first.startswith(begin) or path.stat().st_size == 0


@contextmanager
def _faults_of(path: Path) -> Iterator[None]:
    """What the system says, in a sentence; that a stream's reader has left is for whoever started both to hear."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise FileFault(f"{path}: {error.strerror}.") from error


def is_packed(path: Path) -> bool:
    """Whether the name says that the file is compressed."""
    return path.suffix == ".gz"


def _settle_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
