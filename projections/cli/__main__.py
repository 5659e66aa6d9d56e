"""`python -m projections.cli`, for where the `ledger` script is not on the path."""

from __future__ import annotations

from .main import main

main()
