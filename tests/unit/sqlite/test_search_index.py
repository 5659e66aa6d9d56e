"""The index of words follows the rows of a table, however they are stored."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import apsw
import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ledger import Ledger, NewEvent
from ledger.backends.sqlite import SqliteBackend
from projections import QA, Views
from projections.backends.sqlite.backend import SqliteViews
from projections.engine.folding import Change
from projections.engine.tables import Row, Table

TABLE = Table(QA)
#: As files were made before all new rows of a page were indexed at once.
OLD_TRIGGER = """
CREATE TRIGGER view_qa_v1_insert AFTER INSERT ON view_qa_v1 WHEN NEW.search_words IS NOT NULL
BEGIN
    INSERT INTO view_qa_v1_search (rowid, search_words) VALUES (NEW.search_id, NEW.search_words);
END
"""
#: That no row has too many or too few words in it, nor any that its text has not.
CHECK = "INSERT INTO view_qa_v1_search (view_qa_v1_search, rank) VALUES ('integrity-check', 1)"
#: A third of the rows has no words at all.
TEXTS = ("parcel", "Lyon", "")
#: The rows of a page: a few of them, and as many as take several statements.
ROWS = st.dictionaries(st.integers(0, 90), st.sampled_from(TEXTS), max_size=90)


class Page(NamedTuple):
    """What a page does to the rows that there are."""

    texts: dict[int, str]
    #: Which of them go first, by their places; None if the session is deleted with all of them.
    gone: set[int] | None = None
    #: How many rows, in front, are taken for new; None for those that are.
    fresh: int | None = None
    #: In which order they are stored: those that are new in front, or by their numbers.
    new_first: bool = True


PAGES = st.builds(
    Page,
    texts=ROWS,
    gone=st.none() | st.sets(st.integers(0, 90), max_size=9),
    fresh=st.none() | st.integers(0, 90),
    new_first=st.booleans(),
)
ALL = dict.fromkeys(range(1, 4), "parcel")


def asked(number: int, question: str = "parcel") -> NewEvent:
    return NewEvent({"qa_id": f"q{number:02}", "question": question, "answer": ""}, "qa.recorded")


def said(message_id: str) -> NewEvent:
    payload = {"message_id": message_id, "role": "user", "content": "parcel"}
    return NewEvent(payload, "message.appended")


def rows_with(template: Row, texts: dict[int, str]) -> list[Row]:
    view = TABLE.decode(template)
    return [
        TABLE.encode(msgspec.structs.replace(view, qa_id=f"q{number:02}", question=text))
        for number, text in texts.items()
    ]


def ids(numbers: Sequence[int]) -> list[str]:
    return sorted(f"q{number:02}" for number in numbers)


# One that is taken for new is not, behind one that is; then the numbers have a gap.
@example(
    [Page({1: "parcel", 2: "parcel"}), Page({3: "Lyon", 1: "Lyon", 4: "Lyon"}, set(), 3, False)]
)
@example([Page(ALL), Page({5: "Lyon", 6: "Lyon", 3: "Lyon"}, {0})])
# The only new one is stored before that is found out, and is not new any more when it is replaced.
@example([Page({1: "parcel", 2: "parcel"}), Page({3: "Lyon", 1: "Lyon"}, set(), 2, False)])
# Of rows that are new one alone is known to be: the others were there when the page began.
@example([Page(ALL), Page({**ALL, 7: "parcel"}, None, 1)])
@settings(deadline=None)
@given(st.lists(PAGES, min_size=1, max_size=4))
def test_it_has_the_words_of_all_rows_once(pages: list[Page]) -> None:
    with (
        TemporaryDirectory() as folder,
        Ledger.open(f"sqlite:///{folder}/ledger.db", buckets=1) as ledger,
    ):
        views = Views(ledger, projections=[QA])
        ledger.append("s", asked(0))
        (first,) = views.qa(session_id="s")
        assert isinstance(ledger.backend, SqliteBackend)
        storage = SqliteViews(ledger.backend)
        connection = apsw.Connection(f"{folder}/ledger.db")
        there = {0: "parcel"}
        # Last of all one row, twice: it is there the second time.
        for page in [*pages, Page({5: "Lyon"}, set()), Page({5: "Lyon"}, set())]:
            numbers = [*there]
            gone = (
                [] if page.gone is None else [n for n in numbers if numbers.index(n) in page.gone]
            )
            there = {} if page.gone is None else {n: there[n] for n in numbers if n not in gone}
            new = sum(number not in there for number in page.texts)
            order = [*page.texts]
            if page.new_first:
                order.sort(key=lambda number: number in there)
            change = Change(
                TABLE,
                1,
                1,
                rows_with(TABLE.encode(first), {number: page.texts[number] for number in order}),
                gone=[("", "s", f"q{number:02}") for number in gone],
                cleared=[("", "s")] if page.gone is None else (),
                fresh=min(len(order), new if page.fresh is None else page.fresh),
            )
            assert storage.store(0, [change])
            there |= page.texts
            connection.execute(CHECK)
            for word in TEXTS[:2]:
                found = [hit.view.qa_id for hit in views.search(word, limit=100).items]
                assert sorted(found) == ids([number for number in there if there[number] == word])
        connection.close()


@pytest.mark.parametrize("table", ["qa", "messages", "sessions"])
def test_a_file_that_indexed_each_new_row_by_a_trigger_goes_on_without_it(
    path: Path, table: str
) -> None:
    url, check = f"sqlite:///{path}", CHECK.replace("qa", table)
    with Ledger.open(url) as ledger:
        ledger.append("s", [asked(0), said("m0")])
        Views(ledger).catch_up()
        connection = apsw.Connection(str(path))
        connection.execute(OLD_TRIGGER.replace("qa", table))
        # Two programs beside each other, one of which knew nothing of the trigger.
        connection.execute(
            f"INSERT INTO view_{table}_v1_search (rowid, search_words)"
            f" SELECT search_id, search_words FROM view_{table}_v1"
        )
    with Ledger.open(url) as ledger:
        views = Views(ledger)
        ledger.append("s", [asked(1), asked(2), said("m1"), said("m2")])
        ledger.append("t", [asked(3), said("m3")])
        assert len(views.search("parcel", kinds=["qa", "messages"]).items) == 8
        connection.execute(check)
        ledger.append("s", NewEvent({"qa_ids": ["q01"], "message_ids": ["m1"]}, "content.redacted"))
        assert len(views.search("parcel", kinds=["qa", "messages"]).items) == 6
        connection.execute(check)


def test_the_check_tells_of_a_word_that_is_there_twice(path: Path) -> None:
    with Ledger.open(f"sqlite:///{path}") as ledger:
        ledger.append("s", asked(0))
        Views(ledger, projections=[QA]).catch_up()
        connection = apsw.Connection(str(path))
        wrong: Any = "INSERT INTO view_qa_v1_search (rowid, search_words) VALUES (9, 'parcel')"
        connection.execute(wrong)
        with pytest.raises(apsw.CorruptError):
            connection.execute(CHECK)
