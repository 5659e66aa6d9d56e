"""The view of sessions as a good developer would write it by hand, for these conversations alone.

A page of events, its rows, a fold in dictionaries, one upsert, one commit: no versions, anomalies,
deletions or other views. Every column of ours is there, and what is in them is compared.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import apsw
import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

PAGE_EVENTS = 500
#: What finds sessions by their words is left out by hand, and stays empty.
SEARCHED = ("search_id", "search_words")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_COUNTS = (
    *("event_count", "message_count", "user_message_count", "run_count", "turn_count"),
    *("tool_call_count", "tool_failure_count", "qa_count", "trace_count", "error_count"),
    *("feedback_count", "input_tokens", "output_tokens", "total_tokens", "cache_read_tokens"),
    *("cache_creation_tokens", "reasoning_tokens", "cost_nano_usd", "anomaly_count"),
)
_OBJECTS = ("labels", "metadata", "context", "model_usage")
_LISTS = ("tags", "always_allowed_actions", "anomalies")
_JSON = (*_OBJECTS, *_LISTS)
_MODEL_COUNTS = (
    *("usage_count", "unpriced_count", "error_count", "input_tokens", "output_tokens"),
    *("total_tokens", "cache_read_tokens", "cache_creation_tokens", "reasoning_tokens"),
    "cost_nano_usd",
)
_CREATED = ("agent_id", "channel", "customer_profile_id", "status")
_COUNTED = {
    "run.started": "run_count",
    "tool.started": "tool_call_count",
    "tool.failed": "tool_failure_count",
    "error.occurred": "error_count",
    "feedback.given": "feedback_count",
}

Row = dict[str, Any]
Fetch = Callable[[int, int], list[Any]]


def fold(rows: dict[str, Row], names: list[str], event: Any) -> None:
    """Fold one event into the row of its session."""
    bucket, position, tenant, session_id, sequence, event_id, type, occurred_us, payload = event
    data = json.loads(payload)
    now = _EPOCH + timedelta(microseconds=occurred_us)
    row = rows.get(session_id)
    if row is None:
        row = rows[session_id] = dict.fromkeys(names)
        row.update(dict.fromkeys(_COUNTS, 0))
        row.update({name: {} for name in _OBJECTS})
        row.update({name: [] for name in _LISTS})
        row.update(bucket=bucket, tenant=tenant, session_id=session_id, status="active")
        row.update(first_sequence=sequence, created_at=now)
    row["event_count"] += 1
    row["position"] = position
    row["last_sequence"] = sequence
    row["updated_at"] = now
    if row["ended_at"] is None:
        row["last_activity_at"] = now
    if type in _COUNTED:
        row[_COUNTED[type]] += 1
    elif type == "session.created":
        row["created_sequence"] = sequence
        row["tags"] = data.get("tags", [])
        row.update({name: data[name] for name in _CREATED if name in data})
    elif type == "session.tagged":
        row["tags"] += data["added"]
    elif type == "session.status_changed":
        row["status"] = data["status"]
        row["status_reason"] = data.get("reason")
        if data["status"] in ("completed", "failed", "cancelled", "closed"):
            row["ended_at"] = now
    elif type == "message.appended":
        row["message_count"] += 1
        if data["role"] == "user":
            row["user_message_count"] += 1
            if row["label"] is None:
                _label(row, "message", data["content"], data.get("message_id", event_id))
    elif type == "turn.started":
        row["turn_count"] += 1
        if row["label"] is None:
            _label(row, "message", data["user_message"], data.get("turn_id", event_id))
    elif type == "qa.recorded":
        row["qa_count"] += 1
        if row["label_source"] in (None, "message"):
            _label(row, "question", data["question"], data.get("qa_id", event_id))
    elif type == "usage.recorded":
        _use(row, data)
    elif type == "approval.decided" and data["decision"] == "allow_always":
        row["always_allowed_actions"] = sorted({*row["always_allowed_actions"], data["action_key"]})


def _label(row: Row, source: str, text: str, source_id: str) -> None:
    row.update(label=text.strip()[:120], label_source=source, label_source_id=source_id)


def _use(row: Row, data: Any) -> None:
    cost = round(data["cost_usd"] * 1_000_000_000)
    row["cost_nano_usd"] += cost
    row["last_model"] = data["model"]
    usage = row["model_usage"].get(data["model"])
    if usage is None:
        usage = {"provider": data["provider"], **dict.fromkeys(_MODEL_COUNTS, 0)}
        row["model_usage"][data["model"]] = usage
    usage["usage_count"] += 1
    usage["cost_nano_usd"] += cost
    for kind in ("input_tokens", "output_tokens", "total_tokens"):
        row[kind] += data[kind]
        usage[kind] += data[kind]


_EVENTS = """
    SELECT bucket, position, tenant, session_id, sequence, event_id, type, occurred_us, payload
    FROM {events} WHERE bucket = {mark} AND position > {mark} ORDER BY position LIMIT {mark}
"""


class PostgresLoop:
    """A table like ours, with the same indexes, and a checkpoint per bucket."""

    def __init__(self, connection: psycopg.Connection[Any], buckets: int) -> None:
        self._connection = connection
        self._buckets = buckets
        connection.execute("CREATE TABLE raw_sessions (LIKE ledger.view_sessions_v1 INCLUDING ALL)")
        connection.execute("CREATE TABLE raw_places (bucket integer PRIMARY KEY, position bigint)")
        connection.execute(
            "INSERT INTO raw_places SELECT g, 0 FROM generate_series(0, %s) AS g", [buckets - 1]
        )
        cursor = connection.execute("SELECT * FROM raw_sessions")
        self._names = [
            column.name for column in cursor.description or () if column.name not in SEARCHED
        ]
        marks = ", ".join(f"%({name})s" for name in self._names)
        assigned = ", ".join(f"{name} = excluded.{name}" for name in self._names)
        self._events = _EVENTS.format(events="ledger.events", mark="%s")
        self._upsert = (
            f"INSERT INTO raw_sessions ({', '.join(self._names)}) VALUES ({marks})"
            f" ON CONFLICT (bucket, tenant, session_id) DO UPDATE SET {assigned}"
        )

    def run(self) -> int:
        """Fold what is new; return how many events that was."""
        done = 0
        for bucket in range(self._buckets):
            while page := self._page(bucket):
                done += page
                if page < PAGE_EVENTS:
                    break
        return done

    def _page(self, bucket: int) -> int:
        connection = self._connection
        with connection.transaction():
            [[place]] = connection.execute(
                "SELECT position FROM raw_places WHERE bucket = %s FOR UPDATE", [bucket]
            )
            events = connection.execute(
                self._events, (bucket, place, PAGE_EVENTS), prepare=True, binary=True
            ).fetchall()
            if not events:
                return 0
            with connection.cursor(row_factory=dict_row) as cursor:
                cursor.execute(
                    "SELECT * FROM raw_sessions WHERE bucket = %s AND tenant = '' AND session_id = ANY (%s)",
                    (bucket, list({event[3] for event in events})),
                    binary=True,
                )
                rows = {row["session_id"]: row for row in cursor}
            for event in events:
                fold(rows, self._names, event)
            parameters = [
                {**row, **{name: Jsonb(row[name]) for name in _JSON}} for row in rows.values()
            ]
            connection.cursor().executemany(self._upsert, parameters)
            connection.execute(
                "UPDATE raw_places SET position = %s WHERE bucket = %s", (events[-1][1], bucket)
            )
        return len(events)


class SqliteLoop:
    """The same in the ledger's own file, on a connection of its own."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        [[table]] = connection.execute(
            "SELECT sql FROM sqlite_schema WHERE name = 'view_sessions_v1'"
        )
        indexes = list(
            connection.execute(
                "SELECT sql FROM sqlite_schema WHERE tbl_name = 'view_sessions_v1' AND type = 'index' AND sql <> ''"
            )
        )
        for (statement,) in [(table,), *indexes]:
            connection.execute(statement.replace("view_sessions_v1", "raw_sessions"))
        connection.execute("CREATE TABLE raw_places (position INTEGER)")
        connection.execute("INSERT INTO raw_places VALUES (0)")
        self._names = [
            name
            for (name,) in connection.execute("SELECT name FROM pragma_table_info('raw_sessions')")
            if name not in SEARCHED
        ]
        self._moments = [name for name in self._names if name.endswith("_at")]
        self._events = _EVENTS.format(events="events", mark="?")
        assigned = ", ".join(f"{name} = excluded.{name}" for name in self._names)
        self._upsert = (
            f"INSERT INTO raw_sessions ({', '.join(self._names)}) VALUES ({', '.join('?' * len(self._names))})"
            f" ON CONFLICT (bucket, tenant, session_id) DO UPDATE SET {assigned}"
        )

    def run(self) -> int:
        """Fold what is new; return how many events that was."""
        done = 0
        while page := self._page():
            done += page
        return done

    def _page(self) -> int:
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        with connection:
            [[place]] = connection.execute("SELECT position FROM raw_places")
            events = connection.execute(self._events, (0, place, PAGE_EVENTS)).fetchall()
            ids = json.dumps(sorted({event[3] for event in events}))
            found = connection.execute(
                f"SELECT {', '.join(self._names)} FROM raw_sessions WHERE bucket = 0 AND tenant = ''"
                " AND session_id IN (SELECT value FROM json_each(?))",
                (ids,),
            )
            rows = {}
            for values in found:
                row = dict(zip(self._names, values, strict=True))
                row.update({name: json.loads(row[name]) for name in _JSON})
                for name in self._moments:
                    row[name] = row[name] and datetime.fromisoformat(row[name])
                rows[row["session_id"]] = row
            for event in events:
                fold(rows, self._names, event)
            connection.executemany(self._upsert, map(self._bound, rows.values()))
            if events:
                connection.execute("UPDATE raw_places SET position = ?", (events[-1][1],))
        connection.execute("COMMIT")
        return len(events)

    def _bound(self, row: Row) -> list[Any]:
        row.update({name: json.dumps(row[name], separators=(",", ":")) for name in _JSON})
        for name in self._moments:
            moment = row[name]
            row[name] = moment and moment.isoformat(timespec="microseconds")[:-6] + "Z"
        return [row[name] for name in self._names]
