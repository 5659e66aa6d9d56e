"""The index of words follows the rows of a table, however they are stored."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import apsw
import msgspec
import pytest
from hypothesis import given
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
KEPT = st.sets(st.integers(0, 90))


def asked(number: int, question: str = "parcel") -> NewEvent:
    return NewEvent({"qa_id": f"q{number:02}", "question": question, "answer": ""}, "qa.recorded")


def rows_with(template: Row, texts: dict[int, str]) -> list[Row]:
    view = TABLE.decode(template)
    return [
        TABLE.encode(msgspec.structs.replace(view, qa_id=f"q{number:02}", question=text))
        for number, text in texts.items()
    ]


def ids(numbers: Sequence[int]) -> list[str]:
    return sorted(f"q{number:02}" for number in numbers)


@given(st.lists(st.tuples(ROWS, KEPT, st.booleans(), st.integers(0, 90)), min_size=1, max_size=4))
def test_it_has_the_words_of_all_rows_once(
    pages: list[tuple[dict[int, str], set[int], bool, int]],
) -> None:
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
        alone: tuple[dict[int, str], set[int], bool, int] = ({5: "Lyon"}, {*range(91)}, False, 0)
        for texts, kept, clears, wrongly_fresh in [*pages, alone, alone]:
            gone = [key for key in there if key not in kept] if not clears else []
            there = {} if clears else {key: there[key] for key in there if key in kept}
            # In front those that are not there; a few behind them may be taken for such, too.
            new = [key for key in texts if key not in there]
            order = [*new, *(key for key in texts if key in there)]
            change = Change(
                TABLE,
                1,
                1,
                rows_with(TABLE.encode(first), {key: texts[key] for key in order}),
                gone=[("", "s", f"q{key:02}") for key in gone],
                cleared=[("", "s")] if clears else (),
                fresh=min(len(order), max(0, len(new) + wrongly_fresh - 45)),
            )
            assert storage.store(0, [change])
            there |= texts
            connection.execute(CHECK)
            for word in TEXTS[:2]:
                found = [hit.view.qa_id for hit in views.search(word, limit=100).items]
                assert sorted(found) == ids([key for key in there if there[key] == word])
        connection.close()


def test_a_file_that_indexed_each_new_row_by_a_trigger_goes_on_without_it(path: Path) -> None:
    url = f"sqlite:///{path}"
    with Ledger.open(url) as ledger:
        Views(ledger, projections=[QA]).catch_up()
        connection = apsw.Connection(str(path))
        connection.execute(OLD_TRIGGER)
    with Ledger.open(url) as ledger:
        views = Views(ledger, projections=[QA])
        ledger.append("s", [asked(number) for number in range(3)])
        ledger.append("t", asked(3))
        assert len(views.search("parcel").items) == 4
        connection.execute(CHECK)
        ledger.append("s", NewEvent({"qa_id": "q01"}, "qa.deleted"))
        assert len(views.search("parcel").items) == 3
        connection.execute(CHECK)


def test_the_check_tells_of_a_word_that_is_there_twice(path: Path) -> None:
    with Ledger.open(f"sqlite:///{path}") as ledger:
        ledger.append("s", asked(0))
        Views(ledger, projections=[QA]).catch_up()
        connection = apsw.Connection(str(path))
        wrong: Any = "INSERT INTO view_qa_v1_search (rowid, search_words) VALUES (9, 'parcel')"
        connection.execute(wrong)
        with pytest.raises(apsw.CorruptError):
            connection.execute(CHECK)
