"""Alembic's entry point: runs the migrations over the connection that `deploy.migrate` hands in, in one transaction."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], version_table_schema="public")
with context.begin_transaction():
    context.run_migrations()
