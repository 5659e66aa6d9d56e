"""What was made for shapes is kept, up to a number that no caller can exceed."""

import pytest

from projections.engine import shapes
from projections.engine.shapes import Shapes


def test_it_begins_anew_when_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shapes, "SHAPES_MAX", 3)
    kept = Shapes[str, int]()
    for number, shape in enumerate("abc"):
        kept[shape] = number
    assert kept == {"a": 0, "b": 1, "c": 2}
    kept["d"] = 3
    assert kept == {"d": 3}
