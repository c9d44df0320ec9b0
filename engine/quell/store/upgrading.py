"""From the schema of an older version to that of this one, step by step.

Imported only where there is such a step to go: Alembic takes ten megabytes, for as long as the process lives.
"""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection

from quell.store.database import UnknownSchema

MIGRATIONS = "quell.store:migrations"


def alembic_config(connection: Connection) -> Config:
    """What Alembic's commands need to work over an open connection."""
    config = Config()
    config.set_main_option("script_location", MIGRATIONS)
    config.attributes["connection"] = connection
    return config


def upgrade(connection: Connection) -> None:
    """Brings the schema up to date. Raises UnknownSchema."""
    try:
        command.upgrade(alembic_config(connection), "head")
    except CommandError as error:
        raise UnknownSchema(str(error)) from error
