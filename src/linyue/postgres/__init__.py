"""The server that the settings name, or an embedded one; its roles; its migrations."""

from linyue.postgres.databases import Databases, engine
from linyue.postgres.embedded import EmbeddedServer, running_databases
from linyue.postgres.faults import (
    DataFolderInUse,
    NotMigrated,
    PostgresFault,
    RolesMissing,
    ServerCannotRun,
    ServerUnfit,
    ServerUnreachable,
)
from linyue.postgres.migrations import check_revision, migrate, prepare
from linyue.postgres.named import external_databases, reached

__all__ = [
    "DataFolderInUse",
    "Databases",
    "EmbeddedServer",
    "NotMigrated",
    "PostgresFault",
    "RolesMissing",
    "ServerCannotRun",
    "ServerUnfit",
    "ServerUnreachable",
    "check_revision",
    "engine",
    "external_databases",
    "migrate",
    "prepare",
    "reached",
    "running_databases",
]
