"""Alembic's door: runs on the connection that `linyue.postgres.migrations` hands over, as the role linyue_owner.

There is no offline mode and no way down: a log that was appended to is carried forward, never back.
"""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=None,
    version_table="schema_version",
    version_table_schema="public",
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
