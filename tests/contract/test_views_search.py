"""Full-text search: the same hits on every backend, and as many as looking through all finds."""

import re
from datetime import UTC, datetime
from random import Random
from typing import Any
from unicodedata import normalize

import apsw
import msgspec
import psycopg
import pytest

from ledger import InvalidArgument, InvalidCursor, NewEvent
from projections import MESSAGES, QA, SearchHit
from projections.readers.search_words import WORDS_BYTES_MAX, asked_words, words
from tests.support.builders import on_durable, on_sqlite, only_sync
from tests.support.views import views_of

#: Words, and what is no word, in several scripts and cases; é twice, composed and not.
ATOMS = (
    *(
        "parcel",
        "Parcel",
        "PARCELS",
        "straße",
        "STRASSE",
        "café",
        "cafe",
        "caf\u0065\u0301",
        "Ελλάδα",
    ),
    *(
        "東京",
        "京都",
        "東京都に",
        "カタカナ",
        "ｶﾀｶﾅ",
        "한국어",
        "привет",
        "x",
        "42",
        "4２",
        "ﬁne",
        "fine",
    ),
    *(
        "i",
        "I",
        "İ",
        "snake_case",
        "it's",
        "AND",
        "OR",
        "NOT",
        "NEAR",
        "a*",
        '"',
        "-",
        "!",
        "(",
        "\\",
    ),
    *("'", ":", "&", "|", "<->", "%", "\t", "\n", "🙂", "e\u0301", "٣", "हिन्दी", "·t"),
)
LAST_MOMENT = datetime.max.replace(tzinfo=UTC)


def asked(question: str, answer: str, qa_id: str = "q", **header: Any) -> NewEvent:
    payload = {"qa_id": qa_id, "question": question, "answer": answer}
    return NewEvent(payload, "qa.recorded", **header)


def said(content: Any, **header: Any) -> NewEvent:
    return NewEvent({"role": "user", "content": content}, "message.appended", **header)


def qa_ids(page: Any) -> list[str]:
    return [hit.view.qa_id for hit in page.items]


@pytest.fixture
def views(ledger: Any) -> Any:
    return views_of(ledger, QA, MESSAGES)


def brute_words(text: str) -> set[str]:
    """The words of a text, told once more and in another way than the code does it."""
    found: set[str] = set()
    run = ""
    for char in [*normalize("NFKC", text).casefold(), " "]:
        if not char.isalnum():
            found |= brute_run(run)
            run = ""
        elif run and is_spaceless(char) != is_spaceless(run[-1]):
            found |= brute_run(run)
            run = char
        else:
            run += char
    return found - {""}


def is_spaceless(char: str) -> bool:
    return bool(re.match("[\u3040-\u30ff\u3400-\u9fff]", char))


def brute_run(run: str) -> set[str]:
    if not run or not is_spaceless(run[0]):
        return {run}
    return {*run, *(run[n : n + 2] for n in range(len(run) - 1))}


def brute_finds(text: str, query: str) -> bool:
    """Whether all words of a query are in a text; of several signs in a row, all pairs."""
    wanted = brute_words(query)
    pairs = {word for word in wanted if len(word) == 2 and is_spaceless(word[0])}
    covered = {sign for pair in pairs for sign in pair}
    return bool(wanted) and wanted - covered <= brute_words(text)


@pytest.mark.parametrize("seed", range(3))
def test_search_finds_what_looking_through_everything_finds(
    ledger: Any, views: Any, seed: int
) -> None:
    random = Random(seed)

    def phrase(most: int) -> str:
        return " ".join(random.choices(ATOMS, k=random.randint(0, most)))

    texts = {f"q{n:02}": (phrase(5), phrase(5)) for n in range(60)}
    for n, (qa_id, (question, answer)) in enumerate(texts.items()):
        ledger.append(f"s{n % 7}", asked(question, answer, qa_id))
    views.catch_up()
    queries = [*ATOMS, *(phrase(3) for _ in range(40)), "東", "都京", "京都 東京"]
    some = 0
    for query in queries:
        expected = {
            qa_id
            for qa_id, (question, answer) in texts.items()
            if brute_finds(question + " " + answer, query)
        }
        found = qa_ids(views.search(query, kinds=["qa"], limit=100, consistency="eventual"))
        assert (set(found), len(found)) == (expected, len(expected)), query
        some += bool(expected)
    assert some > 20


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("parcel", True),
        ("PARCEL lyon", True),
        ("lyon parcel lyon", True),
        ("parcel OR paris", False),
        ("parce*", False),
        ('"lyon parcel"', True),
        ("question:parcel", False),
        ("parcel -lyon", True),
        ("parcel NOT lyon", False),
        ("NEAR(parcel lyon)", False),
        ("'; DROP TABLE view_qa_v1; --", False),
        ("parcel & lyon | !x", False),
        ("parcel\\", True),
        ("(parcel", True),
        ("", False),
        ("  \t\n ", False),
        ('"', False),
        ("\"'*:^-+(){}[]&|!<>\\", False),
        ("🙂", False),
        ("x" * 60_000, False),
    ],
)
def test_a_query_is_plain_text(ledger: Any, views: Any, text: str, found: bool) -> None:
    ledger.append("s", asked("Where is my parcel?", "In Lyon."))
    assert qa_ids(views.search(text)) == ["q"] * found


def test_what_cannot_be_stored_or_is_too_much_is_refused(ledger: Any, views: Any) -> None:
    ledger.append("s", asked("a\u0301 " + " ".join(f"w{n}" for n in range(64)), ""))
    assert qa_ids(views.search(" ".join(f"w{n}" for n in range(64)))) == ["q"]
    for wrong in ("a\0b", "\ud800", 5, None, "x" * 70_000):
        with pytest.raises(ValueError, match="text"):
            views.search(wrong)
    with pytest.raises(InvalidArgument, match="at most 64 words"):
        views.search(" ".join(f"w{n}" for n in range(65)))
    for kinds in ("qa", ["nothing"], [5]):
        with pytest.raises(InvalidArgument):
            views.search("x", kinds=kinds)
    with pytest.raises(InvalidArgument, match="limit"):
        views.search("x", limit=-1)


def test_hits_come_newest_first_in_pages_across_views(ledger: Any, views: Any) -> None:
    for n in range(9):
        ledger.append(f"s{n % 2}", asked("parcel", f"number {n}", f"q{n}"))
        ledger.append(f"s{n % 3}", said(f"my parcel {n}"))
    whole = views.search("parcel").items
    assert [hit.kind for hit in whole].count("messages") == 9
    moments = [hit.view.created_at for hit in whole]
    assert (len(whole), moments) == (18, sorted(moments, reverse=True))
    for limit in (1, 4, 18):
        pages: list[SearchHit] = []
        cursor = None
        while True:
            page = views.search("parcel", limit=limit, cursor=cursor)
            pages += page.items
            if (cursor := page.cursor) is None:
                break
        assert pages == whole
    assert views.search("parcel", kinds=["messages"]).items == [
        hit for hit in whole if hit.kind == "messages"
    ]
    assert views.search("parcel", limit=0).items == []
    assert views.search("parcel", kinds=[]).items == []
    cursor = views.search("parcel", limit=1).cursor
    with pytest.raises(InvalidCursor):
        views.search("parcels", cursor=cursor)


@pytest.mark.parametrize("moment", [datetime(2026, 1, 1, tzinfo=UTC), LAST_MOMENT])
def test_hits_of_the_same_moment_are_in_the_pages_exactly_once(
    ledger: Any, views: Any, moment: datetime
) -> None:
    ledger.append("s", said("parcel", occurred_at=moment))
    for n in range(7):
        ledger.append(f"s{n}", [asked("parcel", "", f"q{n}", occurred_at=moment)])
        ledger.append(f"s{n}", [said("parcel", occurred_at=moment)])
    whole = views.search("parcel").items
    pages, cursor = views.search("parcel", limit=2).items, views.search("parcel", limit=2).cursor
    while cursor is not None:
        page = views.search("parcel", limit=2, cursor=cursor)
        pages, cursor = pages + page.items, page.cursor
    assert (len(whole), pages) == (15, whole)


def test_a_search_stays_within_its_tenant_and_session(ledger: Any, views: Any) -> None:
    ledger.append("s", asked("parcel", "", "mine"))
    ledger.append("t", asked("parcel", "", "other"))
    ledger.append("s", asked("parcel", "", "theirs"), tenant="elsewhere")
    assert set(qa_ids(views.search("parcel"))) == {"mine", "other"}
    assert qa_ids(views.search("parcel", session_id="t")) == ["other"]
    assert qa_ids(views.search("parcel", tenant="elsewhere")) == ["theirs"]
    assert qa_ids(views.search("parcel", tenant="nobody")) == []
    assert qa_ids(views.search("parcel", session_id="nobody")) == []


def test_search_follows_what_becomes_of_a_row(ledger: Any, views: Any) -> None:
    ledger.append("s", [asked("parcel", "Lyon"), said("parcel", event_id="m")])
    ledger.append("t", asked("parcel", "Paris"))
    assert len(views.search("parcel").items) == 3
    ledger.append("s", NewEvent({"qa_id": "q", "answer": "Marseille"}, "qa.amended"))
    assert views.search("Lyon").items == []
    assert qa_ids(views.search("marseille")) == ["q"]
    ledger.append("s", NewEvent({"qa_id": "q"}, "qa.deleted"))
    assert [hit.view.session_id for hit in views.search("parcel", kinds=["qa"]).items] == ["t"]
    ledger.append("s", NewEvent({"message_id": "m"}, "message.deleted"))
    assert [hit.kind for hit in views.search("parcel").items] == ["qa"]
    ledger.delete("t")
    assert views.search("parcel").items == []
    ledger.append("t", asked("parcel", "again"))
    assert len(views.search("parcel").items) == 1


def test_search_follows_what_becomes_of_many_rows_at_once(ledger: Any, views: Any) -> None:
    numbers = range(70)  # more than one statement stores, and not a multiple of it
    ledger.append("s", [asked("parcel", f"first{n}", f"q{n}") for n in numbers])
    views.catch_up()
    amended = [{"qa_id": f"q{n}", "answer": f"second{n}"} for n in numbers]
    ledger.append("s", [NewEvent(payload, "qa.amended") for payload in amended])
    assert len(views.search("parcel", limit=100).items) == len(numbers)
    for n in (0, 31, 32, 63, 64, 69):
        assert qa_ids(views.search(f"first{n}")) == []
        assert qa_ids(views.search(f"second{n}")) == [f"q{n}"]


def test_redacted_words_are_found_no_more(ledger: Any, views: Any) -> None:
    ledger.append("s", [asked("secret", "parcel"), said("secret", event_id="m")])
    assert len(views.search("secret").items) == 2
    ledger.append("s", NewEvent({"qa_ids": ["q"], "message_ids": ["m"]}, "content.redacted"))
    assert views.search("secret").items == []


def test_all_text_in_a_message_of_parts_is_searched(ledger: Any, views: Any) -> None:
    parts = [{"type": "text", "text": "my parcel"}, {"type": "data", "deep": {"a": ["Lyon"]}}]
    ledger.append("s", [said(parts), said(None), said("")])
    assert len(views.search("lyon parcel").items) == 1
    assert views.search("deep").items == []


def test_a_long_text_is_searched_up_to_a_bound_and_stops_nothing(ledger: Any, views: Any) -> None:
    many = " ".join(f"word{n:07}" for n in range(WORDS_BYTES_MAX // 12 + 100))
    ledger.append("s", asked("first " + "y" * 5_000, many + " last"))
    assert qa_ids(views.search("first")) == qa_ids(views.search("y" * 5_000)) == ["q"]
    assert qa_ids(views.search("last")) == []


@on_durable
def test_each_version_has_words_of_its_own(open_ledger: Any) -> None:
    ledger = open_ledger()
    ledger.append("s", asked("parcel", ""))
    old = views_of(ledger, QA)
    assert qa_ids(old.search("parcel")) == ["q"]
    second = msgspec.structs.replace(QA, version=2)
    views = views_of(ledger, QA, second)
    views.catch_up()
    assert qa_ids(views.search("parcel")) == ["q"]
    views.drop("qa", 2)
    again = views_of(ledger, QA, second)
    assert qa_ids(again.search("parcel")) == ["q"]


def test_asked_words_are_pairs_where_there_are_no_spaces() -> None:
    assert asked_words("東京都 Tokyo 東") == ("東京", "京都", "tokyo", "東")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("हिन्दी", ("ह", "न", "द")),
        ("x\u0302y", ("x", "y")),
        ("\u05e9\u05c1\u05dc\u05d5\u05b9\u05dd", ("\u05e9", "\u05dc\u05d5", "\u05dd")),
        ("ภาษาไทยนี้", ("ภาษาไทยน",)),
        ("İstanbul", ("i", "stanbul")),
        ("e\u20dd1", ("e", "1")),
        ("cafe\u0301", ("café",)),
    ],
)
def test_a_mark_that_no_letter_takes_in_ends_a_word(text: str, found: tuple[str, ...]) -> None:
    assert asked_words(text) == found
    assert {*words(text)} == {*found}


@pytest.mark.parametrize("text", ["It's snake_case 4U2", "A-b_c\x1fD\x7fe", "", " _ "])
def test_plain_letters_are_split_as_any_are(text: str) -> None:
    assert [*words(text + " é")] == [*words(text), "é"]


@on_sqlite
@only_sync
def test_a_file_that_was_vacuumed_finds_the_same(ledger: Any, views: Any, url: str) -> None:
    ledger.append("s", [asked(f"number {n}", "parcel", f"q{n}") for n in range(20)])
    ledger.append("s", [NewEvent({"qa_id": f"q{n}"}, "qa.deleted") for n in range(0, 20, 2)])
    before = views.search("parcel").items
    connection = apsw.Connection(url.removeprefix("sqlite:///"))
    connection.execute("VACUUM")
    connection.execute(
        "INSERT INTO view_qa_v1_search (view_qa_v1_search) VALUES ('integrity-check')"
    )
    assert views.search("parcel").items == before
    assert [qa_ids(views.search(f"number {n}")) for n in (3, 4)] == [["q3"], []]


@on_durable
@only_sync
def test_others_may_search_by_words_in_sql(views: Any, ledger: Any, url: str) -> None:
    ledger.append("s", asked("Where is my PARCEL?", "In Lyon."))
    views.catch_up()
    if url.startswith("sqlite"):
        connection: Any = apsw.Connection(url.removeprefix("sqlite:///"))
        found = connection.execute(
            "SELECT qa_id FROM view_qa_v1_search('parcel lyon') AS f"
            " JOIN view_qa_v1 AS v ON v.search_id = f.rowid"
        ).fetchall()
    else:
        statement = "SELECT qa_id FROM ledger.view_qa_v1 WHERE search_words @@ 'parcel & lyon'"
        with psycopg.connect(url) as connection:
            found = connection.execute(statement).fetchall()
    assert found == [("q",)]


@on_sqlite
@only_sync
def test_a_redacted_word_leaves_the_index(ledger: Any, views: Any, url: str) -> None:
    ledger.append("s", [asked(f"number {n}", "parcel", f"q{n}") for n in range(20)])
    ledger.append("s", asked("zebra", "", "secret"))
    blocks = "SELECT count(*) FROM view_qa_v1_search_data WHERE instr(block, CAST(? AS BLOB))"
    connection = apsw.Connection(url.removeprefix("sqlite:///"))
    views.catch_up()
    assert connection.execute(blocks, ("zebra",)).get == 1
    ledger.append("s", NewEvent({"qa_ids": ["secret"]}, "content.redacted"))
    views.catch_up()
    assert connection.execute(blocks, ("zebra",)).get == 0
