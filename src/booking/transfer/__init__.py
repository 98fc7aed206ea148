"""A log as NDJSON and back, its bytes and hashes as they are; vault and answers beside it, in files of their own.

Line n of a log's file is the event at position n. Both ways can be stopped at any byte and started again.
"""

from booking.transfer.beside import Answers, Beside, BesideRefused, Texts, begin_of, export_beside, import_beside
from booking.transfer.exporting import Exported, LogUnsound, export_log
from booking.transfer.files import FileFault, Source, Target, is_packed, written_whole
from booking.transfer.importing import Came, ImportStopped, import_log
from booking.transfer.lines import LineRefused

__all__ = [
    "Answers",
    "Beside",
    "BesideRefused",
    "Came",
    "Exported",
    "FileFault",
    "ImportStopped",
    "LineRefused",
    "LogUnsound",
    "Source",
    "Target",
    "Texts",
    "begin_of",
    "export_beside",
    "export_log",
    "import_beside",
    "import_log",
    "is_packed",
    "written_whole",
]
