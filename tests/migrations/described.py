"""What a migrated database holds, written down a second time: column by column, key by key, privilege by privilege.

The migration says how a database comes to be, this what it must then be. A line is `name type`, with `?` where it may
be null and `C` where text is compared byte by byte.
"""

TABLES = {
    "booking.events": (
        "subdistrict text C",
        "position bigint",
        "data bytea",
        "hash bytea",
    ),
    "booking.event_tags": (
        "subdistrict text C",
        "tag text C",
        "position bigint",
    ),
    "booking.answers": (
        "subdistrict text C",
        "actor text C",
        "key text C",
        "fingerprint bytea",
        "status smallint",
        "body bytea",
        "position bigint",
        "at timestamp with time zone",
    ),
    "booking.refusals": (
        "subdistrict text C",
        "digest bytea",
        "position bigint",
        "body bytea",
        "count bigint",
        "at timestamp with time zone",
    ),
    "booking.vault": (
        "subdistrict text C",
        "id text C",
        "person text C",
        "kind text C",
        "secret bytea",
        "at timestamp with time zone",
    ),
    "identity.accounts": (
        "subdistrict text C",
        "person text C",
        "role text C",
        "stations text[]",
        "created_at timestamp with time zone",
    ),
    "identity.tokens": (
        "subdistrict text C",
        "hash bytea",
        "person text C",
        "label text",
        "created_at timestamp with time zone",
        "expires_at timestamp with time zone ?",
        "revoked_at timestamp with time zone ?",
    ),
    "identity.sessions": (
        "subdistrict text C",
        "hash bytea",
        "data bytea",
        "expires_at timestamp with time zone",
    ),
    "identity.budgets": (
        "subdistrict text C",
        "person text C",
        "window_start timestamp with time zone",
        "seconds integer",
        "used integer",
    ),
}

INDEXES = {
    "booking.events": {"PRIMARY (subdistrict, position)"},
    "booking.event_tags": {"PRIMARY (subdistrict, tag, position)"},
    "booking.answers": {"PRIMARY (subdistrict, actor, key)"},
    "booking.refusals": {"PRIMARY (subdistrict, digest)"},
    "booking.vault": {"PRIMARY (subdistrict, id)", "(subdistrict, person)"},
    "identity.accounts": {"PRIMARY (subdistrict, person)"},
    "identity.tokens": {"PRIMARY (subdistrict, hash)"},
    "identity.sessions": {"PRIMARY (subdistrict, hash)"},
    "identity.budgets": {"PRIMARY (subdistrict, person, seconds, window_start)"},
}

APPEND = {"SELECT", "INSERT"}
KEEP = {"SELECT", "INSERT", "DELETE"}
ALL = {"SELECT", "INSERT", "UPDATE", "DELETE"}

PRIVILEGES = {
    "linyue_app": {
        "booking.events": APPEND,
        "booking.event_tags": APPEND,
        "booking.answers": KEEP,
        "booking.vault": KEEP,
        "booking.refusals": ALL,
        "identity.accounts": ALL,
        "identity.tokens": ALL,
        "identity.sessions": ALL,
        "identity.budgets": ALL,
        "schema_version": {"SELECT"},
    },
    "linyue_projector": {
        "booking.events": {"SELECT"},
        "booking.event_tags": {"SELECT"},
    },
}
