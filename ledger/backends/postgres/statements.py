"""The backend's SQL, read from the files beside this one and composed with a schema's name."""

from __future__ import annotations

from importlib.resources import files

from psycopg import sql

from ...records import Record

_FILES = files(__package__)
_NAME = "-- name: "
_EVENT = sql.SQL(", ").join(sql.Identifier("e", name) for name in Record.__struct_fields__)


class Statements:
    """The named statements of queries.sql for one ledger, ready to be executed."""

    def __init__(self, schema: str, ledger_id: str, *, distributed: bool = False) -> None:
        self.channel = f"ledger_{ledger_id}"
        names = {
            "schema": sql.Identifier(schema),
            "channel": sql.Identifier(self.channel),
            "event": _EVENT,
            "plans": _plans(distributed),
        }
        found = {
            name: sql.SQL(text).format(**names).as_bytes(None)
            for name, text in _named(_read("queries.sql")).items()
        }
        suffix = _suffix(distributed)
        self.settings = found["settings"]
        self.guest_settings = found["guest_settings" + suffix]
        self.append_event = found["append_event"]
        self.append_few = found["append_few"]
        self.append_events = found["append_events"]
        self.append_within = found["append_within"]
        self.read = found["read"]
        self.read_redactions = found["read_redactions"]
        self.read_newest_first = found["read_newest_first"]
        self.get = found["get"]
        self.head = found["head"]
        self.heads = found["heads" + suffix]
        self.positions = found["positions"]
        self.feed = found["feed" + suffix]
        self.session_ids = found["session_ids" + suffix]
        self.scan = found["scan"]
        self.listen = found["listen"]
        self.notifier_settings = found["notifier_settings"]
        self.notify = found["notify"]


class OpeningStatements:
    """The named statements of opening.sql, the migrations and the functions, for one schema."""

    def __init__(self, schema: str) -> None:
        self._schema = sql.Identifier(schema)
        self._found = _named(_read("opening.sql"))

    def __getitem__(self, name: str) -> bytes:
        return self._composed(self._found[name])

    def migrations(self) -> list[bytes]:
        """Return the migrations in order; the first one leads to schema version 1."""
        return self._scripts("migrations")

    def functions(self, *, distributed: bool = False) -> list[bytes]:
        """Return the functions as they are in the newest version."""
        steps = _append_steps(self._schema, distributed)
        found = self._scripts("functions", plans=_plans(distributed), **steps)
        return found + self._scripts("functions/distributed") if distributed else found

    def _scripts(self, folder: str, **parts: sql.Composable) -> list[bytes]:
        scripts = [path for path in (_FILES / folder).iterdir() if path.name.endswith(".sql")]
        ordered = sorted(scripts, key=lambda path: path.name)
        return [self._composed(path.read_text("utf-8"), **parts) for path in ordered]

    def _composed(self, text: str, **parts: sql.Composable) -> bytes:
        return sql.SQL(text).format(schema=self._schema, **parts).as_bytes(None)


def _suffix(distributed: bool) -> str:
    """Return how the names of statements end that are other ones for tables on several servers."""
    return "_distributed" if distributed else ""


def _plans(distributed: bool) -> sql.Literal:
    # Citus must know the bucket when it plans, or it finds no server to send a statement to.
    return sql.Literal("auto" if distributed else "force_generic_plan")


def _append_steps(schema: sql.Identifier, distributed: bool) -> dict[str, sql.Composable]:
    """Return the steps of append_events for one server or for several."""
    found = _named(_read("append_steps.sql"))
    suffix = _suffix(distributed)
    parts = {name: sql.SQL(found[name]) for name in ("same_content", "new_row")}
    return {
        step: sql.SQL(found[step + suffix]).format(schema=schema, **parts)
        for step in (
            *("lock_buckets", "find_heads", "insert_events", "move_buckets"),
            *("settle_locks", "settings_within"),
        )
    }


def _read(name: str) -> str:
    return (_FILES / name).read_text("utf-8")


def _named(text: str) -> dict[str, str]:
    """Split a file at its name lines; comments stay in the file, the server has no use for them."""
    found: dict[str, str] = {}
    for section in text.split(_NAME)[1:]:
        name, _, body = section.partition("\n")
        lines = [line for line in body.splitlines() if not line.startswith("--")]
        found[name.strip()] = "\n".join(lines).strip()
    return found
