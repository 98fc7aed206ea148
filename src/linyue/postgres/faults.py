"""What can be wrong with the database before the program serves; each message is a sentence that says what to do.

PostgresFault
├── DataFolderInUse       another process already runs the server of this DATA folder
├── ServerCannotRun       the embedded server cannot be set up, started or stopped here
├── ServerUnreachable     the server that the settings name does not let us in
├── ServerUnfit           the server that answers is too old, or its database is not in UTF-8
├── NotMigrated           the database is not at the revision that this version of the program expects
└── RolesMissing          the owner may not make the roles; the message holds the SQL to run
"""


class PostgresFault(Exception):
    """The database cannot be used as it is."""


class DataFolderInUse(PostgresFault):
    """Another process already runs the server of this DATA folder."""


class ServerCannotRun(PostgresFault):
    """The embedded server cannot be set up, started or stopped on this machine."""


class ServerUnreachable(PostgresFault):
    """The server that the settings name cannot be reached, or does not let us in."""


class ServerUnfit(PostgresFault):
    """The server that answers cannot carry the log: too old, or not in UTF-8."""


class NotMigrated(PostgresFault):
    """The database is not at the revision that this version of the program expects."""


class RolesMissing(PostgresFault):
    """The owner may not make the roles; an administrator has to run the SQL that the message holds."""
