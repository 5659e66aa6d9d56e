"""The command line, `ledger`: a ledger from a terminal, and its views as tables."""

from __future__ import annotations

from .main import main

__all__ = ["main"]
