"""The application that every command adds itself to."""

from __future__ import annotations

from .command import Commands

app = Commands(
    name="ledger",
    help="An append-only ledger of agent sessions, and its views.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
