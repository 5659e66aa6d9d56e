"""What is raised for a value that is none of a store's own, or no JSON."""

from __future__ import annotations

import msgspec

#: By pydantic and msgspec, and by what is inside of lists and dicts when it is asked. A value without
#: end, or nested very deep, is a RecursionError.
UNFIT = (
    *(msgspec.MsgspecError, ValueError, TypeError, AttributeError, ArithmeticError),
    RuntimeError,
)
