"""How often a runner of handlers keeps checkpoints, and how long it and others wait. Pure."""

from __future__ import annotations

import msgspec

from ledger import InvalidArgument
from ledger.arguments import natural

from ...readers.arguments import seconds

#: Calls between two checkpoints; so many are repeated at most.
REPEATS_MAX = 100
#: Seconds between two checkpoints, if no call takes longer.
CHECKPOINT_S = 1.0
#: A bucket whose holder kept no checkpoint for so long is taken from it.
CLAIM_S = 10.0
WAIT_MAX_S = 3_600.0


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How often checkpoints are kept, and how long a claim lives without one."""

    repeats_max: int = REPEATS_MAX
    checkpoint_s: float = CHECKPOINT_S
    claim_s: float = CLAIM_S

    def checked(self) -> Pace:
        """Return itself; refuse what would lose claims that are in use."""
        if natural(self.repeats_max, "repeats_max") < 1:
            raise InvalidArgument("repeats_max", "expected 1 or more")
        for name in ("checkpoint_s", "claim_s"):
            if seconds(getattr(self, name), name) == 0:
                raise InvalidArgument(name, "expected seconds above 0")
        if self.claim_s < 2 * self.checkpoint_s:
            raise InvalidArgument("claim_s", "expected twice checkpoint_s or more")
        return self

    def wait_s(self, wait_s: float | None) -> float:
        """Return how long a run waits for others; None is as long as a claim lives."""
        if wait_s is None:
            return self.claim_s
        if seconds(wait_s, "wait_s") > WAIT_MAX_S:
            raise InvalidArgument("wait_s", f"expected {WAIT_MAX_S:g} at most")
        return wait_s
