"""`make bench`: measures linyue beside what else would do, and says what it found. Nothing in it fails a build.

`python -m bench [NAME…] [--quick] [--keep]`. A benchmark that crashed is named, and the run ends with 1.
"""

import argparse
import sys
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping

import uvloop
from bench import desk, follow, http, morning, report, swap, week
from bench.ground import Ground, ground
from bench.harness import Measured
from rich.console import Console

from linyue.postgres import ServerCannotRun

Benchmark = Callable[[Ground], Awaitable[Measured]]

# In the order in which they run; one that does not follow from another's figures stands alone.
BENCHMARKS: Mapping[str, Benchmark] = {
    "desk": desk.measure,
    "http": http.measure,
    "morning": morning.measure,
    "follow": follow.measure,
    "swap": swap.measure,
    "week": week.measure,
}


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m bench", description=__doc__.splitlines()[0])
    arguments.add_argument("only", nargs="*", choices=[*BENCHMARKS, []], help="which of them, all without one")
    arguments.add_argument("--quick", action="store_true", help="short and few rounds: shows that it works, no more")
    arguments.add_argument("--keep", action="store_true", help="put what was found into docs/performance.md")
    chosen = arguments.parse_args()
    console = Console(stderr=True)
    try:
        run = uvloop.run(measured(chosen.only or list(BENCHMARKS), quick=chosen.quick, console=console))
    except ServerCannotRun as error:
        sys.exit(str(error))
    report.write(run)
    report.show(run, Console())
    if chosen.keep:
        report.keep(run)
    sys.exit(1 if run.failed else 0)


async def measured(names: list[str], *, quick: bool, console: Console) -> report.Run:
    """Run these benchmarks one after the other on one server; one that crashes does not stop the rest."""
    found: dict[str, Measured] = {}
    failed: dict[str, str] = {}
    seconds: dict[str, float] = {}
    with console.status("") as status:
        async with ground(quick=quick, say=status.update) as on:
            machine = report.machine(on.programs)
            for name in names:
                began = time.monotonic()
                try:
                    found[name] = await BENCHMARKS[name](on)
                except Exception as error:  # noqa: BLE001 - whatever it was, it is told and the others go on
                    console.print(traceback.format_exc(), highlight=False)
                    failed[name] = repr(error)
                seconds[name] = time.monotonic() - began
    return report.Run(
        command=" ".join(["python -m bench", *sys.argv[1:]]),
        commit=report.commit(),
        quick=quick,
        machine=machine,
        seconds=seconds,
        failed=failed,
        measured=found,
    )


if __name__ == "__main__":
    main()
