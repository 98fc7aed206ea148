"""How every process writes its log: a line for each event, in logfmt, to standard error, naming who wrote it."""

import logging
import sys

import structlog
from structlog.processors import LogfmtRenderer, TimeStamper, add_log_level, format_exc_info
from structlog.stdlib import PositionalArgumentsFormatter, ProcessorFormatter
from structlog.typing import EventDict, Processor, WrappedLogger

_FIRST_KEYS = ("timestamp", "level", "process", "event")


def log_to_stderr(process: str) -> None:
    """Send what this program logs, and the warnings of the libraries it uses, to standard error as lines of `process`.

    A line is one write, so that those of several processes do not mix; an exception is part of its line.
    """
    shared = _processors(process)
    renderer = LogfmtRenderer(key_order=_FIRST_KEYS, bool_as_flag=False)
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        ProcessorFormatter(
            foreign_pre_chain=[_name_the_error, *shared],
            processors=[ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


def _name_the_error(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """A library that warns gets over it: what it was is enough, and where in the library is of no use to anybody."""
    record = event["_record"]
    if record.levelno == logging.WARNING and record.exc_info:
        event["error"] = repr(record.exc_info[1])
        event.pop("exc_info", None)
        record.exc_info = None
    return event


def _processors(process: str) -> list[Processor]:
    def name_the_process(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event["process"] = process
        return event

    return [
        add_log_level,
        TimeStamper(fmt="iso", utc=True),
        name_the_process,
        PositionalArgumentsFormatter(),
        format_exc_info,
    ]
