"""The log, the answers, the refusals, the vault, and who may ask.

Subdistrict, tag and the like are compared byte by byte (COLLATE "C"): a range of tags is a prefix scan, and no
system library's sorting is part of an index.

Revision ID: 0001
Revises:
"""

from alembic import op

revision = "0001"
down_revision = None

BOOKING = (
    "CREATE SCHEMA booking",
    # One row an event: the bytes and their chain. What an event says stands in the bytes alone.
    """
    CREATE TABLE booking.events (
        subdistrict text COLLATE "C" NOT NULL,
        position bigint NOT NULL CHECK (position > 0),
        data bytea NOT NULL,
        hash bytea NOT NULL CHECK (octet_length(hash) = 32),
        PRIMARY KEY (subdistrict, position)
    )
    """,
    # An index of the log: under which tags a later decision finds an event.
    """
    CREATE TABLE booking.event_tags (
        subdistrict text COLLATE "C" NOT NULL,
        tag text COLLATE "C" NOT NULL,
        position bigint NOT NULL,
        PRIMARY KEY (subdistrict, tag, position)
    )
    """,
    # What was answered to whom under which key; kept for 30 days.
    """
    CREATE TABLE booking.answers (
        subdistrict text COLLATE "C" NOT NULL,
        actor text COLLATE "C" NOT NULL,
        key text COLLATE "C" NOT NULL,
        fingerprint bytea NOT NULL,
        status smallint NOT NULL,
        body bytea NOT NULL,
        position bigint NOT NULL,
        at timestamptz NOT NULL,
        PRIMARY KEY (subdistrict, actor, key)
    )
    """,
    # How often the same refusal was asked for again within the hour, and its answer; the log holds the first.
    """
    CREATE TABLE booking.refusals (
        subdistrict text COLLATE "C" NOT NULL,
        digest bytea NOT NULL,
        position bigint NOT NULL,
        body bytea NOT NULL,
        count bigint NOT NULL,
        at timestamptz NOT NULL,
        PRIMARY KEY (subdistrict, digest)
    )
    """,
    # Names, numbers and texts, each encrypted, filed under the person they are about. To erase is to delete the rows.
    """
    CREATE TABLE booking.vault (
        subdistrict text COLLATE "C" NOT NULL,
        id text COLLATE "C" NOT NULL,
        person text COLLATE "C" NOT NULL,
        kind text COLLATE "C" NOT NULL,
        secret bytea NOT NULL,
        at timestamptz NOT NULL,
        PRIMARY KEY (subdistrict, id)
    )
    """,
    "CREATE INDEX vault_person ON booking.vault (subdistrict, person)",
)

# Stops accidents. What an owner does who disables the triggers, the chain and checkpoints kept elsewhere show.
IMMUTABLE = (
    """
    CREATE FUNCTION booking.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'The log is never changed: % on %.% is refused.', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
            USING ERRCODE = 'insufficient_privilege',
                  HINT = 'Append an event that corrects what was wrong. A text is erased in booking.vault.';
    END
    $$
    """,
    """
    CREATE TRIGGER events_never_change BEFORE UPDATE OR DELETE OR TRUNCATE ON booking.events
        FOR EACH STATEMENT EXECUTE FUNCTION booking.refuse_change()
    """,
    """
    CREATE TRIGGER event_tags_never_change BEFORE UPDATE OR DELETE OR TRUNCATE ON booking.event_tags
        FOR EACH STATEMENT EXECUTE FUNCTION booking.refuse_change()
    """,
)

IDENTITY = (
    "CREATE SCHEMA identity",
    # Who may ask, and as what; `stations` are those of staff, who without one have none.
    """
    CREATE TABLE identity.accounts (
        subdistrict text COLLATE "C" NOT NULL,
        person text COLLATE "C" NOT NULL,
        role text COLLATE "C" NOT NULL,
        stations text[] NOT NULL,
        created_at timestamptz NOT NULL,
        PRIMARY KEY (subdistrict, person)
    )
    """,
    # Bearer tokens, by their hash.
    """
    CREATE TABLE identity.tokens (
        subdistrict text COLLATE "C" NOT NULL,
        hash bytea NOT NULL,
        person text COLLATE "C" NOT NULL,
        label text NOT NULL,
        created_at timestamptz NOT NULL,
        expires_at timestamptz,
        revoked_at timestamptz,
        PRIMARY KEY (subdistrict, hash)
    )
    """,
    # Browser sessions, by the hash of the cookie.
    """
    CREATE TABLE identity.sessions (
        subdistrict text COLLATE "C" NOT NULL,
        hash bytea NOT NULL,
        data bytea NOT NULL,
        expires_at timestamptz NOT NULL,
        PRIMARY KEY (subdistrict, hash)
    )
    """,
    # How many commands a person has asked for in a window of so many seconds.
    """
    CREATE TABLE identity.budgets (
        subdistrict text COLLATE "C" NOT NULL,
        person text COLLATE "C" NOT NULL,
        window_start timestamptz NOT NULL,
        seconds integer NOT NULL,
        used integer NOT NULL,
        PRIMARY KEY (subdistrict, person, seconds, window_start)
    )
    """,
)

PRIVILEGES = (
    "GRANT USAGE ON SCHEMA booking, identity TO linyue_app",
    "GRANT SELECT, INSERT ON booking.events, booking.event_tags TO linyue_app",
    "GRANT SELECT, INSERT, DELETE ON booking.answers, booking.vault TO linyue_app",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON booking.refusals TO linyue_app",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA identity TO linyue_app",
    "GRANT SELECT ON public.schema_version TO linyue_app",
    "GRANT USAGE ON SCHEMA booking TO linyue_projector",
    "GRANT SELECT ON booking.events, booking.event_tags TO linyue_projector",
)


def upgrade() -> None:
    for statement in (*BOOKING, *IMMUTABLE, *IDENTITY, *PRIVILEGES):
        op.execute(statement)
