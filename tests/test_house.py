"""What the house asks for and no linter can say: mirrors, golden lines, words, sizes, and no trace of the machine."""

import ast
import importlib
import itertools
import pkgutil
import re
import string
import subprocess
from pathlib import Path

import msgspec

from booking import subjects
from linyue import pages, words
from linyue.words import events, rules

ROOT = Path(__file__).parent.parent
LINES_OF_A_FILE_MAX = 400
LINES_OF_A_FUNCTION_MAX = 70

# Where a source's tests stand when the folder and the name do not say it.
MIRRORS = {
    "booking/batch.py": "tests/decisions/test_batch.py",
    "booking/local_time.py": "tests/decisions/test_local_time.py",
    "booking/messages.py": "tests/decisions/test_messages.py",
    "booking/reservations/checks.py": "tests/decisions/test_checks.py",
    "booking/reservations/follow.py": "tests/decisions/test_follow.py",
    "booking/reservations/standing.py": "tests/decisions/test_standing.py",
    "booking/state.py": "tests/decisions/test_state.py",
    "booking/subjects.py": "tests/decisions/test_subjects.py",
    "booking/takes.py": "tests/decisions/test_places.py",
    "booking/waiting.py": "tests/log/test_desk.py",
    "linyue/api/answers.py": "tests/http/test_bookings.py",
    "linyue/api/asking.py": "tests/http/test_idempotency.py",
    "linyue/api/room_bodies.py": "tests/http/test_rooms.py",
    "linyue/examples.py": "tests/http/test_openapi.py",
    "linyue/pages/told.py": "tests/pages/test_bookings.py",
    "linyue/postgres/roles.py": "tests/migrations/test_privileges.py",
    "linyue/shipped.py": "tests/test_wheel.py",
    "projections/boards.py": "tests/projections/test_availability.py",
    "projections/bulk.py": "tests/projections/test_projector.py",
    "projections/questions.py": "tests/projections/test_projector.py",
    "projections/read_model.py": "tests/projections/test_projector.py",
    "projections/swap.py": "tests/projections/test_rebuild.py",
}
FOLDERS = [
    (r"booking/(transfer|verify)/\w+\.py", r"tests/log/test_\1.py"),
    # A subject's files share its test, whatever they hold beside events and decide.
    (r"booking/(\w+)/\w+\.py", r"tests/decisions/test_\1.py"),
    (r"booking/(\w+)\.py", r"tests/log/test_\1.py"),
    (r"projections/(\w+)\.py", r"tests/projections/test_\1.py"),
    (r"linyue/api/(\w+)\.py", r"tests/http/test_\1.py"),
    (r"linyue/pages/(\w+)\.py", r"tests/pages/test_\1.py"),
    (r"linyue/words/\w+\.py", r"tests/test_house.py"),
    (r"linyue/postgres/(binaries|cluster|faults|postmaster)\.py", r"tests/postgres/test_embedded.py"),
    (r"linyue/postgres/migrations\.py", r"tests/migrations/test_migrations.py"),
    (r"linyue/postgres/(\w+)\.py", r"tests/postgres/test_\1.py"),
    (
        r"linyue/(alternatives|front|health|identity|lasting|openapi|permissions|problems|scrape|sessions|web)\.py",
        r"tests/http/test_\1.py",
    ),
    (r"linyue/(\w+)\.py", r"tests/processes/test_\1.py"),
]

# Where packages come from is the user's affair, and no path of a developer's machine means anything elsewhere.
# In parts, so that this file names none of them either.
REGISTRIES = "|".join(
    r"\.".join(parts)
    for parts in (
        ("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "(org|com)"), ("yarnpkg", "com"), ("docker", "io"),
        ("ghcr", "io"), ("quay", "io"), ("(deb|security)", "debian", "org"),
    )
)  # fmt: skip
MIRROR_SITES = r"|mirrors?\.[a-z]+\.(edu\.cn|com)"
MACHINE = r"|(?<![\w.~-])/(work|root|home|Users|opt)/\w"


def written_files() -> list[Path]:
    """What somebody wrote: all that git holds or would take."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def python_files(*folders: str) -> list[Path]:
    """The Python files of the named top folders."""
    return [file for file in written_files() if file.suffix == ".py" and place(file).split("/")[0] in folders]


def place(file: Path) -> str:
    """A file as it is named in the repo."""
    return file.relative_to(ROOT).as_posix()


def mirror(source: str) -> str:
    """The test file that mirrors a source, named from `src`."""
    if source in MIRRORS:
        return MIRRORS[source]
    found = (re.sub(pattern, test, source) for pattern, test in FOLDERS if re.fullmatch(pattern, source))
    return next(found, "a line in this file's tables")


def test_every_source_has_its_mirror_among_the_tests() -> None:
    """One who changes a file must know which tests speak of it."""
    sources = [place(file).removeprefix("src/") for file in python_files("src") if file.name != "__init__.py"]
    missing = {source: mirror(source) for source in sources if not (ROOT / mirror(source)).is_file()}
    assert not missing, "\n".join(f"{source} wants {test}" for source, test in missing.items())


def test_the_table_of_mirrors_names_only_what_is_there() -> None:
    """An entry that outlives its file would hide the next one of that name."""
    assert [source for source in MIRRORS if not (ROOT / "src" / source).is_file()] == []


def test_no_file_names_a_registry_or_a_machine() -> None:
    """Locks and docs hold for everybody's index; what stands in a developer's folders is nobody else's."""
    forbidden = re.compile(REGISTRIES + MIRROR_SITES + MACHINE)
    found = [
        f"{place(file)}:{number}: {line.strip()[:100]}"
        for file in written_files()
        for number, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
        if forbidden.search(line)
    ]
    assert not found, "\n".join(found)


def test_no_source_file_is_longer_than_one_can_hold_in_mind() -> None:
    """Split where everything meets, before it is a giant."""
    # A style sheet is read by selector, not from top to bottom, and each more would be one more request.
    kinds = {".py", ".sql", ".html", ".js"}
    sources = [file for file in written_files() if file.suffix in kinds and place(file).startswith("src/")]
    lengths = {place(file): len(file.read_text(encoding="utf-8").splitlines()) for file in sources}
    assert {name: lines for name, lines in lengths.items() if lines > LINES_OF_A_FILE_MAX} == {}


def test_no_function_is_longer_than_a_page() -> None:
    """About ten lines, at most seventy, in tests and migrations too."""
    long = [
        f"{place(file)}:{node.lineno} {node.name}: {length} lines"
        for file in python_files("src", "tests", "migrations", "bench", "scripts")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := (node.end_lineno or node.lineno) - node.lineno + 1) > LINES_OF_A_FUNCTION_MAX
    ]
    assert not long, "\n".join(long)


def test_every_module_opens_with_a_sentence() -> None:
    """A stranger who opens a file learns first what it is for."""
    silent = [
        place(file)
        for file in python_files("src", "tests", "migrations", "bench", "scripts")
        if not ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))
    ]
    assert not silent, f"no docstring: {silent}"


def test_every_event_ever_shipped_has_its_golden_line() -> None:
    """A log of years ago must be read by the program of today: each type, in each version from the first on."""
    lines = (ROOT / "tests/log/golden/events.ndjson").read_text(encoding="utf-8").splitlines()
    golden = {(line["type"], line["version"]) for line in map(msgspec.json.decode, lines)}
    shipped = {(type_.__name__, version) for type_ in subjects.EVENTS for version in range(1, type_.version + 1)}
    assert shipped - golden == set()


def test_every_event_has_its_line_in_history_in_both_languages() -> None:
    """Who asks what happened reads a sentence, not the name of a type."""
    assert {type_.__name__ for type_ in subjects.EVENTS} - events.EVENTS.keys() == set()


def test_every_rule_that_says_no_has_its_sentence_in_both_languages() -> None:
    """The codes are read from the sources, where each stands as it is: `Reason(rule="…")`."""
    codes = {
        keyword.value.value
        for file in python_files("src")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Reason"
        for keyword in node.keywords
        if keyword.arg == "rule" and isinstance(keyword.value, ast.Constant)
    }
    assert codes, "no rule was found: has Reason changed its name?"
    assert codes - rules.RULES.keys() == set()


def test_both_languages_say_the_same_figures() -> None:
    """A figure that one language leaves out is a fact that half of the readers do not learn."""
    uneven = [said for said in all_words() if not said.zh or not said.en or fields(said.zh) != fields(said.en)]
    assert not uneven, "\n".join(map(str, uneven))


def all_words() -> list[words.Words]:
    """Every sentence of `linyue.words` and of the pages, in tables and alone."""
    packages = (words, pages)
    names = [module.name for home in packages for module in pkgutil.iter_modules(home.__path__, f"{home.__name__}.")]
    found = [value for name in names for value in vars(importlib.import_module(name)).values()]
    tables = [list(value.values()) for value in found if isinstance(value, dict)]
    return [said for said in itertools.chain(found, *tables) if isinstance(said, words.Words)]


def fields(sentence: str) -> set[str]:
    """The figures that are filled into a sentence."""
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name}
