"""The session stores are adapters: they reach no database but through ledger and views, and keep nothing."""

import ast
import importlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ledger import Ledger
from projections import session_stores
from projections.session_stores.conversation import ConversationStore
from projections.session_stores.orchestrator import OrchestratorStore
from projections.session_stores.qa import QAStore
from projections.session_stores.snapshot import AgentSession, ChatMessage, SessionId, SnapshotStore
from tests.stores.orchestrator_cases import event, run_of, session
from tests.support.cognee import filled
from tests.support.conversations import TENANT, standing

PACKAGE = session_stores.__name__
[FOLDER] = map(Path, session_stores.__path__)
FILES = sorted(FOLDER.rglob("*.py"))
DRIVERS = re.compile(r"(?:^|\.)(?:apsw|psycopg|sqlite3|backends)(?:\.|$)")


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module or ''}.{one.name}" for one in node.names)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(FOLDER)))
def test_no_store_reaches_a_database_by_itself(file: Path) -> None:
    # That there is no SQL in it is asked of every file.
    assert [name for name in imported(ast.parse(file.read_text())) if DRIVERS.search(name)] == []


def test_there_are_stores_to_look_at_and_what_is_looked_for_is_found() -> None:
    assert {file.parent.name for file in FILES} >= {
        "conversation",
        "orchestrator",
        "qa",
        "snapshot",
    }
    found = list(imported(ast.parse("import apsw\nfrom ledger.backends.sqlite import make_own")))
    assert all(map(DRIVERS.search, found))


def converse(ledger: Ledger) -> tuple[Any, Callable[[int], object]]:
    store = ConversationStore(ledger, tenant_id=TENANT)

    def use(number: int) -> object:
        talk = standing(100 + number)
        store.save(talk)
        talk.turn_count += 1
        store.save(talk)
        store.list_by_agent(TENANT, talk.agent_id)
        return store.get(talk.session_id)

    return store, use


def orchestrate(ledger: Ledger) -> tuple[Any, Callable[[int], object]]:
    store = OrchestratorStore(ledger)

    def use(number: int) -> object:
        store.save_session(session(f"o{number}", status="active"))
        store.save_run(run_of(f"o{number}", f"r{number}", status="running"))
        store.append_event(event(f"e{number}", session_id=f"o{number}"))
        return store.get_events(f"o{number}"), store.list_sessions()

    return store, use


def answer(ledger: Ledger) -> tuple[Any, Callable[[int], object]]:
    store = QAStore(ledger, session_ttl_s=1_000)

    def use(number: int) -> object:
        filled(store, f"q{number}")
        return store.history(f"q{number}"), store.search("question")

    return store, use


def snapshot(ledger: Ledger) -> tuple[Any, Callable[[int], object]]:
    store = SnapshotStore(ledger)

    def use(number: int) -> object:
        said = AgentSession(id=SessionId(f"s{number}")).with_message(ChatMessage.user("Hi"))
        store.save(store.save(said).with_message(ChatMessage.assistant("Hello")))
        return store.load(f"s{number}"), store.list()

    return store, use


def kept(value: Any, seen: frozenset[int] = frozenset()) -> Any:
    """Return all that an object of the stores' own classes holds, and within these."""
    if not type(value).__module__.startswith(PACKAGE) or id(value) in seen:
        # Ledger and views are what it reads: which they are, not what they are doing.
        return repr(value) if isinstance(value, dict | list | set | str | int) else id(value)
    inside = seen | {id(value)}
    return {name: kept(one, inside) for name, one in vars(value).items()}


def held_by_modules() -> dict[str, str]:
    """Return what the stores' modules hold in anything that could be filled."""
    found = {}
    for file in FILES:
        parts = file.relative_to(FOLDER).with_suffix("").parts
        name = ".".join((PACKAGE, *(one for one in parts if one != "__init__")))
        for variable, value in vars(importlib.import_module(name)).items():
            if isinstance(value, dict | list | set) and not variable.startswith("__"):
                found[f"{name}.{variable}"] = repr(value)
    return found


@pytest.mark.parametrize("opened", [converse, orchestrate, answer, snapshot])
def test_a_store_holds_the_same_however_much_it_is_used(opened: Callable[..., Any]) -> None:
    with Ledger.open("memory:") as ledger:
        store, use = opened(ledger)
        before, beside = kept(store), held_by_modules()
        assert before
        for number in range(3):
            assert use(number)
        assert kept(store) == before
        assert held_by_modules() == beside
