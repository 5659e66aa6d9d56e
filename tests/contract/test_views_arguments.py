"""Wrong arguments of every call of the views: each is refused by name, with what to do next."""

import inspect
import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest

from ledger import CallError, InvalidArgument, InvalidCursor
from ledger.refusals import shown
from projections import BUILTIN, Daemon, Projection, Rebuild, SessionFilters, Views
from tests.support.awkward import Awkward, Lying
from tests.support.builders import on_memory, only_sync
from tests.support.views import TALLY, counted, views_of

NAIVE = datetime(2026, 1, 1)
BEYOND = datetime.max.replace(tzinfo=timezone(-timedelta(hours=1)))
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
NAN, ENDLESS = float("nan"), float("inf")

LYING = NOON.replace(tzinfo=Lying())  # type: ignore[abstract]  # it lies by being half of one
NO_TEXT = [7, b"x", True, ["x"], Awkward(), "a\0b", "\ud800"]
NO_NUMBER = ["1", 1.0, True, -1, 2**63, 10**5_000, NAN, [1], Awkward()]
NO_TIME = [NAIVE, "2026-01-01", 5, date(2026, 1, 1), Awkward(), LYING]
#: What is none of a kind, by the kind as the signatures spell it; None is added where it is none.
WRONG: dict[str, list[Any]] = {
    "str": NO_TEXT,
    "int": NO_NUMBER,
    "bool": [1, 0, "yes", [], Awkward()],
    "float": ["1", -1, -0.5, NAN, ENDLESS, True, [], Awkward()],
    "datetime": [*NO_TIME, BEYOND],
    "date": [NOON, "2026-01-01", 5, Awkward()],
    "Moment": [NAIVE, "1", 1.0, True, -1, 2**63, NAN, (1,), Awkward()],
    "Consistency": ["", "weak", 7, True, [], Awkward()],
    "SessionOrder": ["", "session_id", 7, [], Awkward()],
    "Sequence[str]": ["text", b"x", 7, [7], [None], ["a\0b"], {"a"}, Awkward(), [Awkward()]],
    "Statuses": [b"x", 7, "a\0b", [7], [None], ["a\0b"], {"a"}, {"a": 1}, Awkward(), [Awkward()]],
    "Sequence[UsageBy]": ["model", 7, ["week"], [7], [[]], {"model"}, Awkward(), [Awkward()]],
    "Mapping[str, str]": ["x", 7, ["a"], {"a": 1}, {1: "a"}, {"a": "\0"}, Awkward()],
    "Mapping[str, Mapping[str, str]]": [
        *(
            "x",
            7,
            ["messages"],
            {7: {}},
            {"messages": "message_id"},
            {"messages": {"message_id": 7}},
        ),
        *(
            {"messages": {7: "m"}},
            {"messages": {"message_id": "\0"}},
            {"messages": {"role": "user"}},
        ),
        *({"unheard": {}}, {"runs": {}}, {"messages": Awkward()}, Awkward()),
    ],
    "tuple[str, ...]": [
        "ab",
        7,
        (),
        ("", "s", "x", "y"),
        ("",),
        ("", None),
        ("", ""),
        (b"", b"s"),
        ("", "a\0b"),
        {"", "s"},
        Awkward(),
        ("", Awkward()),
    ],
    "Places": [
        "s",
        b"s",
        7,
        (0, -1),
        (-1, 0),
        (9_999, 1),
        (0, 1.5),
        (True, 1),
        [(0, 1), "s"],
        [[(0, 1)]],
        {(0, 1)},
        Awkward(),
        [Awkward()],
    ],
    "ScopeFilter": [{}, "x", 7, Awkward()],
}
#: Of those that name something: more than being text of whatever kind.
NAMING: dict[str, list[Any]] = {
    "session_id": ["", " ", "x" * 1_025],
    "tenant": ["x" * 1_025],
    "projection": ["", "nothing"],
    "projections": [["nothing"], [""]],
    "kinds": [["nothing"], ["sessions"], [""]],
    "reason": ["", " ", "x" * 5_000],
    "by": ["", "x" * 5_000],
    "cursor": ["rubbish", "", "x" * 20_000, "\N{SNOWMAN}"],
}
RIGHT: dict[str, Any] = {
    "projection": "sessions",
    "name": "sessions",
    "key": ("", "s"),
    "before": 0,
    "after": 0,
    "version": 1,
    "projections": ["sessions"],
    "scenario_version": 1,
    "bucket": 0,
    "position": 1,
    "sequence": 1,
    "decide": list,
}
#: Rows of the page before; another row is none.
ROWS = {"Session", "Turn", "Approval", "MarkedFact", "ScenarioPosition"}
#: Without a limit, not a wrong one: what is read is bounded by the session.
MAY_BE_NONE = {("sessions", "limit"), ("recent_turns", "limit"), ("pending_approvals", "limit")}


def calls(method: str) -> Iterator[tuple[str, Any]]:
    """Yield the parameters of a method with their kinds, as written."""
    for one in inspect.signature(getattr(Views, method)).parameters.values():
        if one.kind is one.VAR_KEYWORD and one.name == "filters":
            yield from SessionFilters.__annotations__.items()
        elif one.name != "self" and one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD):
            yield one.name, str(one.annotation)


def kind_of(hint: Any) -> tuple[str, bool]:
    """Return a kind, and whether None is one of it."""
    text = getattr(hint, "__forward_arg__", hint)
    return text.removesuffix(" | None"), text.endswith(" | None")


def wrong_values(method: str, parameter: str, hint: Any) -> list[Any]:
    """Return what the parameter must refuse."""
    kind, optional = kind_of(hint)
    none = [] if optional or (method, parameter) in MAY_BE_NONE else [None]
    if kind.startswith("Ask") or kind == "Decide":
        return [None, 7, "session", Awkward()]
    if kind in ROWS:
        return [7, "s", (NOON, "s"), {}, counted(), Awkward()]
    more = NAMING.get(parameter, [])
    if parameter == "by" and kind != "str":
        more = []
    return [*WRONG[kind], *none, *more]


def required(method: str) -> dict[str, Any]:
    """Return right arguments for what has no default."""
    found = {}
    for one in inspect.signature(getattr(Views, method)).parameters.values():
        if one.default is one.empty and one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY):
            found[one.name] = RIGHT.get(one.name, "s")
    found.pop("self", None)
    if method == "wait_for":
        found["position"] = (0, 0)
    if method == "artifact_by_key":
        found["key"] = "k"
    return found


def public_methods() -> list[str]:
    return [name for name in vars(Views) if not name.startswith("_")]


def refusal(call: Any, arguments: dict[str, Any]) -> str:
    """Return what is wrong about the refusal of a call, "" for nothing."""
    try:
        call(**arguments)
    except InvalidCursor as error:
        return "" if "cursor" in str(error) and "cursor" in arguments else f"said {error}"
    except InvalidArgument as error:
        name = [*arguments][-1]
        if error.argument != name:
            return f"named {error.argument}: {error.reason}"
        if "stored" in str(error) or str(error) != f"{name}: {error.reason}.":
            return f"said {error}"
        return ""
    except CallError as error:
        return f"was refused as {type(error).__name__}"
    except Exception as error:
        return f"raised {type(error).__name__}: {error}"
    return "was accepted"


def spelled(value: Any) -> str:
    """Return a value as it is written above, as far as it lets itself be looked at."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(spelled, value))}]"
    # ascii() of an int of many digits is refused
    return "Awkward()" if isinstance(value, Awkward) else shown(value)


def test_every_wrong_argument_of_every_call_is_refused_by_name(ledger: Any) -> None:
    """One test for all of them: a new method is in it with its first line."""
    views = views_of(ledger)
    ledger.append("s", counted())
    views.catch_up()
    problems = []
    count = 0
    for method in public_methods():
        right = required(method)
        for parameter, hint in calls(method):
            for value in wrong_values(method, parameter, hint):
                count += 1
                rest = {name: one for name, one in right.items() if name != parameter}
                problem = refusal(getattr(views, method), {**rest, parameter: value})
                if problem:
                    problems.append(f"{method}({parameter}={spelled(value)}) {problem}")
    assert not problems, "\n".join(problems)
    assert count > 2_000


def test_what_is_there_but_makes_no_sense_is_refused_by_name(ledger: Any) -> None:
    views = views_of(ledger)
    ledger.append("s", counted())
    rest = {"projection": "sessions", "reason": "r", "by": "b"}
    for method, arguments in (
        ("runs_page", {"limit": None}),
        ("row", {"projection": "runs", "key": ("", "s")}),
        ("row", {"projection": "sessions", "key": "ab"}),
        ("diff", {"projection": "runs", "before": 0, "after": 1, "key": ("", "s", "r", "x")}),
        ("diff", {"projection": "sessions", "key": ("", "s"), "after": 0, "before": 2}),
        ("diff", {"projection": "sessions", "key": ("", "s"), "before": 0, "after": 2}),
        ("rows", {"projection": "runs", "session_id": "s", "as_of": 2}),
        ("skip", {"bucket": 0, "position": 1, **rest, "version": 9}),
        ("skip", {"position": 1, **rest, "bucket": ledger.buckets}),
        ("skip", {"bucket": 0, **rest, "position": 0}),
        ("compare", {"old": 1, "new": 1, "name": "nothing"}),
        ("compare", {"name": "sessions", "new": 9}),
        ("switch", {"version": 1, "name": "nothing"}),
        ("accept", {"name": "sessions", "version": 9}),
        ("drop", {"name": "sessions", "version": 1}),
        ("search", {"text": " ".join(map(str, range(65)))}),
        ("sessions", {"tags": ["x"] * 65}),
        ("sessions", {"abandoned_after_s": 1e300}),
    ):
        assert refusal(getattr(views, method), arguments) == "", (method, arguments)


def test_a_filter_that_is_none_is_no_mapping_of_nothing(ledger: Any) -> None:
    views = views_of(ledger)
    ledger.append("s", counted())
    for found in (views.sessions(labels=None), views.sessions(labels={})):
        assert [one.session_id for one in found] == ["s"]


def test_views_are_opened_on_a_ledger_with_projections(ledger: Any) -> None:
    """The wrong face of a ledger, above all: its reads would come back as coroutines."""
    other = type("Other", (), {"backend": None})()
    for argument, options in (
        ("projections", {"projections": "sessions"}),
        ("projections", {"projections": [TALLY, None]}),
        ("projections", {"projections": [Projection]}),
        ("projections", {"projections": TALLY}),
        ("projections", {"projections": [Awkward()]}),
        ("projections", {"projections": []}),
        ("batch_events_max", {"batch_events_max": 0}),
        ("batch_events_max", {"batch_events_max": "500"}),
        ("batch_events_max", {"batch_events_max": True}),
        ("batch_events_max", {"batch_events_max": None}),
    ):
        with pytest.raises(InvalidArgument) as caught:
            views_of(ledger, **options)
        assert caught.value.argument == argument
    for wrong in (None, "memory:", other, Awkward()):
        with pytest.raises(InvalidArgument) as caught:
            Views(wrong)  # type: ignore[arg-type]  # that is the point
        assert caught.value.argument == "ledger"


def test_a_view_that_is_not_there_is_told_with_those_that_are(ledger: Any) -> None:
    views = views_of(ledger, TALLY)
    there = "these views have none named {}; they have: tally"
    for call, argument in (
        (lambda name: views.row(name, ("", "s", "x")), "projection"),
        (lambda name: views.positions(name), "projection"),
        (lambda name: views.wait_for((0, 0), projections=[name]), "projections"),
        (lambda name: views.switch(name, 1), "name"),
    ):
        with pytest.raises(InvalidArgument) as caught:
            call("mine")
        assert (caught.value.argument, caught.value.reason) == (argument, there.format("'mine'"))
        with pytest.raises(InvalidArgument, match=re.escape("by projections=[*BUILTIN, …]")):
            call("sessions")
    with pytest.raises(InvalidArgument, match="'sessions'; they have: tally; it is a built-in one"):
        views.session("s")
    assert views_of(ledger, *BUILTIN, TALLY).session("s") is None


class Total(msgspec.Struct, frozen=True):
    """A row that several sessions have a part in."""

    tenant: str
    type: str


def test_rows_that_are_of_no_session_are_not_asked_for_by_one(open_ledger: Any) -> None:
    """On several buckets each has a part of such a row, and one of them alone would be wrong."""
    ledger = open_ledger(buckets=2)
    totals = Projection(
        name="totals",
        version=1,
        view=Total,
        key=("tenant", "type"),
        keys=lambda event: [(event.tenant, event.type)],
        apply=lambda view, event: Total(event.tenant, event.type),
    )
    ledger.append("s", counted())
    views = views_of(ledger, totals)
    asks: list[Callable[[], Any]] = [
        lambda: views.row("totals", ("", "thing.counted")),
        lambda: views.rows("totals", "s"),
        lambda: views.diff("totals", ("", "thing.counted"), 0, 1),
    ]
    for ask in asks:
        with pytest.raises(InvalidArgument) as caught:
            ask()
        assert caught.value.argument == "projection"


@on_memory
@only_sync
def test_daemons_and_rebuilds_are_refused_what_makes_no_sense(ledger: Any) -> None:
    asks: list[tuple[str, Callable[[], Any]]] = [
        ("ledger", lambda: Daemon(Views(ledger))),  # type: ignore[arg-type]  # that is the point
        ("projections", lambda: Daemon(ledger, projections=[None])),  # type: ignore[list-item]  # as above
        ("projections", lambda: Daemon(ledger, projections=[])),
        ("names", lambda: Daemon(ledger, names="sessions")),
        ("names", lambda: Daemon(ledger, names=["nothing"])),
        ("names", lambda: Daemon(ledger, names=[Awkward()])),  # type: ignore[list-item]  # as above
        ("names", lambda: Daemon(ledger, names=7)),  # type: ignore[arg-type]  # as above
        ("batch_events_max", lambda: Daemon(ledger, batch_events_max=0)),
        ("ledger", lambda: Rebuild(None, TALLY)),  # type: ignore[arg-type]  # as above
        ("projection", lambda: Rebuild(ledger, "tally")),  # type: ignore[arg-type]  # as above
        ("processes", lambda: Rebuild(ledger, TALLY, processes=Awkward())),  # type: ignore[arg-type]  # as above
        ("events_per_second", lambda: Rebuild(ledger, TALLY, events_per_second=NAN)),
    ]
    for argument, ask in asks:
        with pytest.raises(InvalidArgument) as caught:
            ask()
        assert caught.value.argument == argument
