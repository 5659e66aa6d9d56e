"""Whether a read folds what is new first, and whose session it is about. Pure."""

from __future__ import annotations

from typing import Literal

from ledger import InvalidArgument
from ledger.refusals import shown

from .arguments import flag

#: "strong" reads your writes: everything the log held at the moment of the call is in the answer.
#: "eventual" answers from the tables as they are.
Consistency = Literal["strong", "eventual"]

#: A tenant and a session's id.
SessionKey = tuple[str, str]


def strong(consistency: Consistency) -> bool:
    """Whether what is read is to be brought up to date first."""
    if type(consistency) is not str or consistency not in ("strong", "eventual"):
        raise InvalidArgument(
            "consistency", f"expected strong or eventual, got {shown(consistency)}"
        )
    return consistency == "strong"


def check_present(deleted: bool) -> None:
    """Refuse to show what was deleted among what is there."""
    if flag(deleted, "deleted"):
        raise InvalidArgument("deleted", "what was deleted is only in the past: say `as_of`")
