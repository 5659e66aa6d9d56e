"""The statements on a schema's views that belong to no single table."""

from __future__ import annotations

from functools import partial

from psycopg import sql

from .calls import Call
from .composing import TEMPLATES, composed


class SchemaStatements:
    """The statements on checkpoints and versions, composed once for each schema."""

    def __init__(self, schema: str) -> None:
        self.lock = TEMPLATES["lock"].encode()
        self.layouts = TEMPLATES["layouts"].encode()
        found = partial(composed, schema=sql.Identifier(schema))
        self.create_checkpoints = found("create_checkpoints")
        self.create_checkpoint = found("create_checkpoint")
        self.forget_checkpoints = found("forget_checkpoints")
        self.count_checkpoints = found("count_checkpoints")
        self.checkpoints = found("checkpoints")
        self.head = found("head")
        self.standings = found("standings")
        self.move_checkpoint = found("move_checkpoint")
        self.move_checkpoints = found("move_checkpoints")
        self.lock_versions = found("lock_versions")
        self.mark_built = found("mark_built")
        self.accept = found("accept")
        self.switch = found("switch")
        self.is_active = found("is_active")
        self._schema = schema

    def drop_table(self, name: str) -> Call:
        """Return the call that removes a table."""
        return Call(composed("drop_table", table=sql.Identifier(self._schema, name)))
