"""Ids are found in texts as wholes, as a pattern of them all would find them."""

import random
import re

import pytest

from projections.session_stores.qa import named_ids
from projections.session_stores.qa.named_ids import NamedIds

PIECES = ("a", "b", "ab", "é", "1", "_", "-", ":", " ", ".", "#", "\n", "٣")


@pytest.mark.parametrize("seed", range(4))
def test_ids_are_found_where_their_pattern_finds_them(seed: int) -> None:
    chosen = random.Random(seed)

    def text(longest: int) -> str:
        return "".join(chosen.choices(PIECES, k=chosen.randint(1, longest)))

    found = 0
    for _ in range(2_000):
        ids = [text(4) for _ in range(chosen.randint(1, 5))]
        said = text(20)
        expected = {
            one for one in ids if re.search(rf"(?<!\w){re.escape(one)}(?!\w)", said) is not None
        }
        assert NamedIds(ids).found_in(said) == expected, (ids, said)
        # Those that are looked for by their words are found as the few are.
        more = [f"z{number}" for number in range(named_ids.FEW)]
        assert NamedIds([*ids, *more]).found_in(said) == expected, (ids, said)
        found += bool(expected)
    assert 200 < found < 1_800


def test_no_ids_are_nowhere_and_ids_are_kept_in_their_order() -> None:
    assert not NamedIds(()).found_in("a - b")
    assert list(NamedIds(["b", "a", "b"]).ids) == ["b", "a"]


def test_of_many_ids_those_are_looked_at_that_share_a_rare_word(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked: list[str] = []
    stands = named_ids._stands

    def counted(text: str, one: str, start: int) -> bool:
        looked.append(one)
        return stands(text, one, start)

    monkeypatch.setattr(named_ids, "_stands", counted)
    named = NamedIds([*(f"node:x{number}" for number in range(10_000)), "node:7 ends"])
    assert not named.found_in(" ".join(f"node:{number}" for number in range(1_000)))
    assert named.found_in("It is node:x9999.") == {"node:x9999"}
    assert looked == ["node:7 ends", "node:x9999"]
