"""What all commands have in common on the way in: negative numbers, and options by their names."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

import typer
from typer.core import TyperCommand

from ledger import InvalidArgument

F = TypeVar("F", bound=Callable[..., Any])

_NEGATIVE = re.compile(r"-[0-9]+")


class Command(TyperCommand):
    """A command that takes "-1" for an argument, and names its options as they are typed."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the words of a call."""
        if any(_NEGATIVE.fullmatch(word) for word in args):
            # They would be looked for among the options. What is no option is an argument then,
            # and refused as one too many.
            ctx.ignore_unknown_options = True
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command; a refused option is called what the caller has typed."""
        try:
            return super().invoke(ctx)
        except InvalidArgument as error:
            for parameter in self.params:
                if parameter.name == error.argument and parameter.opts[0].startswith("--"):
                    raise InvalidArgument(parameter.opts[0], error.reason) from error
            raise


class Commands(typer.Typer):
    """The commands of one program."""

    def command(self, *args: Any, **options: Any) -> Callable[[F], F]:
        """Add a function as a command."""
        return super().command(*args, **{"cls": Command, **options})
