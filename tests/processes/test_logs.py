"""Every line of the log is one event and names the process that wrote it."""

import logging
from collections.abc import Iterator

import pytest
import structlog

from linyue.logs import log_to_stderr


@pytest.fixture(autouse=True)
def undo() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def fail() -> None:
    raise ValueError("two\nlines")


def test_an_event_is_a_line_that_names_its_process(capsys: pytest.CaptureFixture[str]) -> None:
    log_to_stderr("worker 1")
    structlog.get_logger().info("ready", url="http://127.0.0.1:8000", again=True)
    line = capsys.readouterr().err
    assert line.startswith("timestamp=20")
    assert line.endswith(' level=info process="worker 1" event=ready url=http://127.0.0.1:8000 again=true\n')


def test_an_exception_is_part_of_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    log_to_stderr("background")
    try:
        fail()
    except ValueError:
        structlog.get_logger().exception("the tick failed")
        logging.getLogger("elsewhere").exception("a library failed")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert all("process=background" in line and "ValueError: two\\nlines" in line for line in lines)


def test_a_library_that_warns_says_what_it_was_and_not_where(capsys: pytest.CaptureFixture[str]) -> None:
    log_to_stderr("worker 1")
    try:
        fail()
    except ValueError:
        logging.getLogger("asyncpg.pool").warning("retrying", exc_info=True)
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert "error=ValueError(" in line
    assert "Traceback" not in line


def test_libraries_are_heard_from_warnings_on(capsys: pytest.CaptureFixture[str]) -> None:
    log_to_stderr("worker 2")
    logging.getLogger("uvicorn.error").info("Waiting for connections to close.")
    logging.getLogger("uvicorn.error").error("Cancel %s running task(s)", 2)
    assert capsys.readouterr().err.endswith('level=error process="worker 2" event="Cancel 2 running task(s)"\n')
