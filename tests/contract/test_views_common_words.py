"""What is found by words is the same, be they so common that the first rows of an order suffice."""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from ledger import NewEvent
from projections import MESSAGES, QA, SESSIONS
from projections.readers import found_rows
from tests.support.views import all_pages, views_of

START = datetime(2026, 1, 1, tzinfo=UTC)
TEXTS = ["common", "common rare", "common", "odd", "common", "common, common", "Common"]


def test_pages_are_the_same_however_many_rows_are_looked_at_first(
    ledger: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n, text in enumerate(TEXTS * 2):
        at = START + timedelta(minutes=n // 2)  # several at one time
        header = {"occurred_at": at}
        ledger.append(
            f"s{n % 5}",
            [
                NewEvent({"tags": ["all", text]}, "session.created", **header),
                NewEvent(
                    {"question": text, "answer": "", "qa_id": f"q{n}"}, "qa.recorded", **header
                ),
                NewEvent(
                    {"role": "user", "content": text, "message_id": f"m{n}"},
                    "message.appended",
                    **header,
                ),
            ],
        )
    views = views_of(ledger, SESSIONS, QA, MESSAGES)
    texts = [text.lower() for text in TEXTS * 2]

    for among in (1, 3, 7, 500):
        monkeypatch.setattr(found_rows, "AMONG_ROWS", among)
        for word in ("common", "rare", "odd", "none"):
            found = all_pages(partial(views.search, word), 2)
            keys = [
                hit.view.message_id if hit.kind == "messages" else hit.view.qa_id for hit in found
            ]
            numbers = [int(key[1:]) for key in keys]
            wanted = [n for n, text in enumerate(texts) if word in text]
            assert sorted(numbers) == sorted(wanted * 2)
            moments = [hit.view.created_at for hit in found]
            assert moments == sorted(moments, reverse=True)
            in_one = all_pages(partial(views.search, word, session_id="s1"), 2)
            assert len(in_one) == 2 * len([n for n in wanted if n % 5 == 1])
        for order in ("last_activity_at", "created_at", "cost_nano_usd"):
            for tag, count in (("all", 5), ("odd", 1), ("none", 0)):
                sessions = all_pages(views.sessions_page, 2, tags=[tag], order_by=order)
                assert len({one.session_id for one in sessions}) == len(sessions)
                tagged = [one for one in views.sessions() if tag in one.tags]
                assert {one.session_id for one in sessions} == {one.session_id for one in tagged}
                assert len(sessions) == count
                values = [(getattr(one, order), one.session_id) for one in sessions]
                assert values == sorted(values, reverse=True)
