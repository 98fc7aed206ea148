"""The server that the settings name, or an embedded one; its roles; its migrations."""

from linyue.postgres.databases import Databases, engine
from linyue.postgres.embedded import EmbeddedServer
from linyue.postgres.faults import DataFolderInUse, PostgresFault, RolesMissing, ServerCannotRun, ServerUnfit
from linyue.postgres.migrations import migrate

__all__ = [
    "DataFolderInUse",
    "Databases",
    "EmbeddedServer",
    "PostgresFault",
    "RolesMissing",
    "ServerCannotRun",
    "ServerUnfit",
    "engine",
    "migrate",
]
