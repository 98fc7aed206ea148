"""What a run found, for people and for programs: a table on the terminal, JSON, drawings, docs/performance.md."""

import os
import platform
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl
import msgspec
from bench.harness import Curve, Finding, Measured
from rich.console import Console
from rich.table import Table

OUT = Path("build/bench")
KEPT = Path("docs/performance.md")
KEPT_IMAGES = Path("docs/images")
# What the run writes anew stands between these; the words around it are people's.
_BETWEEN = re.compile(r"(<!-- bench -->\n).*?(<!-- /bench -->)", re.DOTALL)


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """Where it was measured, and what ran beside: `load` is the system's load average when the run began."""

    processor: str
    cores: int
    memory_gib: float
    system: str
    python: str
    postgres: str
    load: float


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A whole run; `seconds` is how long each benchmark took, `failed` names those that crashed."""

    command: str
    commit: str
    quick: bool
    machine: Machine
    seconds: Mapping[str, float]
    failed: Mapping[str, str]
    measured: Mapping[str, Measured]


def machine(programs: Path) -> Machine:
    """This machine, as far as a reader elsewhere needs to know it."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return Machine(
        processor=_processor(),
        cores=os.cpu_count() or 1,
        memory_gib=round(memory / 2**30, 1),
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        postgres=_output(str(programs / "postgres"), "--version").removeprefix("postgres (PostgreSQL) "),
        load=os.getloadavg()[0],
    )


def commit() -> str:
    """The commit that was measured, marked where the tree had changes."""
    return _output("git", "describe", "--always", "--dirty") or "no commit"


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def _output(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    return done.stdout.strip()


def show(run: Run, console: Console) -> None:
    """The table and the notes."""
    for name, measured in run.measured.items():
        table = Table(title=f"{name} ({run.seconds[name]:.0f} s)", title_justify="left")
        for column in ("measured", "beside", "unit"):
            table.add_column(column)
        for column in ("ours", "theirs", "ratio", "to reach", ""):
            table.add_column(column, justify="right")
        for found in measured.findings:
            table.add_row(found.measured, found.beside, found.unit, *_figures(found), _mark(found))
        console.print(table)
        for note in (*measured.notes, *(f"{f.measured}: {f.note}" for f in measured.findings if f.note)):
            console.print(f"  {note}", highlight=False)
    console.print(f"{run.machine}\n{run.command} at {run.commit}: {sum(run.seconds.values()):.0f} s", highlight=False)
    for name, error in run.failed.items():
        console.print(f"[bold red]{name} crashed:[/] {error}", highlight=False)


def _figures(found: Finding) -> tuple[str, str, str, str]:
    return _short(found.ours), _short(found.theirs), f"{found.ratio:.2f}", found.to_reach


def _short(figure: float) -> str:
    return f"{figure:,.0f}" if abs(figure) >= 100 else f"{figure:.3g}"


def _mark(found: Finding) -> str:
    return {True: "✓", False: "✗", None: ""}[found.reached]


def write(run: Run) -> None:
    """JSON and drawings, below build/bench."""
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "results.json").write_bytes(msgspec.json.format(msgspec.json.encode(run), indent=2))
    for measured in run.measured.values():
        for curve in measured.curves:
            draw(curve, OUT)


def draw(curve: Curve, folder: Path) -> None:
    """One SVG. The same points give the same bytes, so that a kept drawing changes only when its figures do."""
    mpl.use("svg")
    from matplotlib import pyplot as plt  # noqa: PLC0415 - only after the backend was chosen

    with plt.rc_context({"svg.hashsalt": "linyue", "svg.fonttype": "none", "font.family": "sans-serif"}):
        figure, axes = plt.subplots(figsize=(7.2, 4.2), layout="constrained")
        for name, points in curve.series.items():
            axes.plot([x for x, _ in points], [y for _, y in points], marker="o", label=name)
        if curve.x_log:
            ticks = sorted({x for points in curve.series.values() for x, _ in points})
            axes.set_xscale("log", base=2)
            axes.set_xticks(ticks, [f"{x:,g}" for x in ticks])
        axes.set(title=curve.title, xlabel=curve.x, ylabel=curve.y)
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
        axes.legend()
        figure.savefig(folder / f"bench-{curve.name}.svg", format="svg", metadata={"Date": None, "Creator": None})
        plt.close(figure)


def keep(run: Run) -> None:
    """Put the table and the drawings into docs/performance.md, in place of the last ones."""
    for measured in run.measured.values():
        for curve in measured.curves:
            draw(curve, KEPT_IMAGES)
    text = KEPT.read_text(encoding="utf-8")
    KEPT.write_text(_BETWEEN.sub(lambda found: found[1] + _markdown(run) + found[2], text), encoding="utf-8")


def _markdown(run: Run) -> str:
    at = run.machine
    where = f"{at.cores} cores ({at.processor}), {at.memory_gib:.0f} GiB, {at.system}, Python {at.python}"
    lines = [
        f"`{run.command}` at {run.commit}, {sum(run.seconds.values()):.0f} s in all.",
        f"{where}, PostgreSQL {at.postgres}; load {at.load:.1f} when it began.",
        "",
    ]
    for name, measured in run.measured.items():
        lines += [f"### {name}", "", "| measured | beside | unit | ours | theirs | ratio | to reach | |"]
        lines += ["| --- | --- | --- | ---: | ---: | ---: | ---: | --- |"]
        for found in measured.findings:
            cells = (found.measured, found.beside, found.unit, *_figures(found), _mark(found))
            lines.append(f"| {' | '.join(cells)} |")
        lines.append("")
        lines += [f"- {note}" for note in measured.notes]
        lines += [f"- {found.measured}: {found.note}" for found in measured.findings if found.note]
        lines += [f"\n![{curve.title}](images/bench-{curve.name}.svg)" for curve in measured.curves]
        lines.append("")
    return "\n".join(lines)
