"""`make demo`: what it prints, that a second one adds nothing, and that its file is no accident."""

import re
import shlex
from pathlib import Path

import pytest

from ledger import Ledger
from projections.views import Views
from tests.support.cli import Done, run_cli
from tests.support.support_session import FILE, SESSION, lines

ROOT = Path(__file__).resolve().parents[2]
DEMO_URL = "sqlite:///demo.db"


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "Demo":
    monkeypatch.chdir(ROOT)
    return Demo(f"sqlite:///{tmp_path}/demo.db")


class Demo:
    """The command that stands in the Makefile, on a file of the test's own."""

    def __init__(self, url: str) -> None:
        self.url = url

    def run(self) -> Done:
        target = re.search(r"^demo:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.M)
        assert target is not None
        [command] = re.findall(r"\$\(BIN\)/ledger (.*)", target[1])
        assert DEMO_URL in command
        return run_cli(*shlex.split(command.replace(DEMO_URL, self.url)))


def test_the_demo_prints_session_runs_answers_and_traces(demo: Demo) -> None:
    done = demo.run()
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("Imported 52 events; 0 were there already.\n")
    places = [
        done.out.index(heading)
        for heading in (
            f"\nSession {SESSION}\n",
            "\nRuns\n",
            "\nQuestions and answers\n",
            "\nTraces\n",
        )
    ]
    assert places == sorted(places)
    assert re.search(r"^run-2 +failed .*refund_payment timed out", done.out, re.M)
    assert re.search(r"^  run run-3 +ok ", done.out, re.M)


def test_a_second_demo_adds_nothing_and_says_so(demo: Demo) -> None:
    first, again = demo.run(), demo.run()
    assert again.out.startswith("Nothing new: all 52 events were there already.\n")
    assert again.out.split("\n", 1)[1] == first.out.split("\n", 1)[1]


def test_the_recorded_session_is_made_by_its_script() -> None:
    assert FILE.read_bytes() == b"".join(lines())


def test_the_recorded_session_has_everything_that_views_show() -> None:
    with Ledger.open("memory:") as ledger, FILE.open("rb") as recorded:
        ledger.import_lines(recorded)
        views = Views(ledger)
        session = views.session(SESSION)
        assert session is not None
        assert (session.status, session.anomaly_count) == ("completed", 0)
        assert [run.status for run in views.runs(SESSION)] == ["completed", "failed", "completed"]
        assert [qa.feedback_score for qa in views.qa(SESSION)] == [5, 4]
        assert {span.source for span in views.traces(SESSION)} == {"run", "turn", "call", "span"}
        assert all(run.cost_usd for run in views.runs(SESSION))
        assert session.always_allowed_actions == ["refund_payment"]
        assert len(views.messages(SESSION)) == session.message_count
