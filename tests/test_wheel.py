"""The wheel holds all that Linyue needs to run: code, migrations, catalogue, pages."""

import json
import os
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FROM_THE_LOCK = pytest.param("libraries from the lock", marks=[pytest.mark.long, pytest.mark.timeout(600)])
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built by the backend that the lock pins and from nothing that is fetched."""
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", folder, ROOT)
    return next(folder.glob("linyue-*.whl"))


@pytest.fixture(scope="module", params=["libraries linked", FROM_THE_LOCK])
def installed(request: pytest.FixtureRequest, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty environment with the wheel in it, and with the libraries; the checkout is out of its sight."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    if request.param == "libraries linked":
        link_libraries(folder)
    else:
        pip("--python", python, "install", "--require-hashes", "--requirement", ROOT / "requirements.txt")
    pip("--python", python, "install", "--no-deps", "--no-index", wheel)
    return folder


def pip(*arguments: str | Path) -> None:
    """Runs this environment's pip and shows what it printed if it failed."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def link_libraries(environment: Path) -> None:
    """Lends this environment's libraries by a path file. Path files inside a lent folder are not read, so the checkout,
    which this environment sees by just such a file, stays out of sight."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = environment / "lib" / version / "site-packages"
    (packages / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")


def run(environment: Path, command: str, *arguments: str, **more: str) -> str:
    """What a command of the environment prints, run from a folder and with a home where nothing is."""
    home = environment / "home"
    home.mkdir(exist_ok=True)
    done = subprocess.run(
        [environment / "bin" / command, *arguments],
        cwd=home,
        env={"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8", **more},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_file_of_the_packages_is_in_the_wheel(wheel: Path) -> None:
    """Templates, styles and translations too: a file that is ignored by git or forgotten by the build shows here."""
    shipped = set(zipfile.ZipFile(wheel).namelist())
    expected = {file.relative_to(ROOT / "src").as_posix() for file in files_below(ROOT / "src")}
    expected |= {f"linyue/{file.relative_to(ROOT)}" for file in files_below(ROOT / "migrations")}
    expected |= {"linyue/data/gumei.toml"}
    assert expected <= shipped, f"not in the wheel: {sorted(expected - shipped)}"


def files_below(folder: Path) -> list[Path]:
    """The files that somebody wrote, without what Python made of them."""
    return [file for file in folder.rglob("*") if file.is_file() and "__pycache__" not in file.parts]


def test_the_wheel_carries_nothing_but_the_packages_and_their_licence(wheel: Path) -> None:
    """No tests, no benches, no settings of a developer's."""
    tops = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert tops == {"booking", "projections", "linyue", f"linyue-{VERSION}.dist-info"}
    assert f"linyue-{VERSION}.dist-info/licenses/LICENSE" in zipfile.ZipFile(wheel).namelist()


def test_the_code_that_runs_is_the_wheels(installed: Path) -> None:
    """Without this, the tests below could pass on the checkout."""
    for package in ("booking", "projections", "linyue"):
        found = run(installed, "python", "-c", f"import {package}; print({package}.__file__)")
        assert Path(found.strip()).is_relative_to(installed)


def test_migrations_and_catalogue_are_found_in_the_wheel(installed: Path) -> None:
    """They are files of the environment, and the same bytes as in the checkout."""
    script = "from linyue import shipped; print(shipped.migrations_folder()); print(shipped.catalogue_file())"
    migrations, catalogue = map(Path, run(installed, "python", "-c", script).split())
    assert migrations.is_relative_to(installed)
    assert catalogue.is_relative_to(installed)
    assert (migrations / "env.py").read_bytes() == (ROOT / "migrations" / "env.py").read_bytes()
    assert catalogue.read_bytes() == (ROOT / "data" / "gumei.toml").read_bytes()


def test_the_command_says_its_version_and_its_help(installed: Path) -> None:
    """The command is on the environment's path and imports all that it needs."""
    assert VERSION in run(installed, "linyue", "--version")
    told = run(installed, "linyue", "--help")
    assert [command for command in ("serve", "demo", "migrate", "verify", "token") if command not in told] == []


def test_it_migrates_a_database_and_proves_its_empty_log(installed: Path, tmp_path: Path) -> None:
    """Migrations run from where the wheel put them, on the embedded server; the proof reads the tables they made."""
    data = str(tmp_path / "data")
    run(installed, "linyue", "migrate", DATA=data)
    report = json.loads(run(installed, "linyue", "verify", "--json", DATA=data))
    assert (report["ok"], report["events"]) == (True, 0)
