"""A desk in a process of its own, for measuring several on one log: `python -m bench.partner ADDRESSES PART PARTS`.

It says `ready`, then for each line `WAITING SECONDS` that it reads how many commands a second it had answered.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import uvloop
from bench.ground import BenchDatabases
from bench.load import Still, crowd

TIMEOUT_SECONDS = 60.0


class Partner:
    """The process, seen from the one that started it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def ask(self, waiting: int, seconds: float) -> float:
        """Commands answered a second; raises `RuntimeError` where the process ended instead."""
        assert self._process.stdin
        self._process.stdin.write(f"{waiting} {seconds}\n".encode())
        return float(await self.says())

    async def says(self) -> str:
        assert self._process.stdout
        line = await asyncio.wait_for(self._process.stdout.readline(), TIMEOUT_SECONDS)
        if not line:
            raise RuntimeError("a desk in a process of its own ended early: see what it wrote above")
        return line.decode().strip()


@asynccontextmanager
async def partner(database: BenchDatabases, part: int, parts: int) -> AsyncIterator[Partner]:
    """Start one; it ends with the context."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.partner", msgspec.json.encode(database).decode(), str(part), str(parts),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        found = Partner(process)
        await found.says()
        yield found
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def main(addresses: str, part: int, parts: int) -> None:
    database = msgspec.json.decode(addresses, type=BenchDatabases)
    async with crowd(database, Still(part, parts)) as people:
        print("ready", flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            waiting, seconds = line.split()
            print(await people.ask(int(waiting), float(seconds)), flush=True)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
