"""The projections that a command knows: the built-in ones, and those that its options name."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterable, Sequence
from typing import Annotated

import typer

from ledger import InvalidArgument

from ..builtin import BUILTIN
from ..engine.projection import Projection

Own = Annotated[
    list[str] | None,
    typer.Option(
        "--projections",
        metavar="MODULE:NAME",
        help="Projections of your own beside the built-in ones: one, or a list of them, as"
        " package.module:NAME; may be repeated.",
    ),
]
Names = Annotated[
    list[str] | None,
    typer.Option(
        "--projection", metavar="NAME", help="Only the projection of this name; may be repeated."
    ),
]
Name = Annotated[
    str, typer.Argument(metavar="NAME", help="The name of the projection, such as sessions.")
]


def known_projections(paths: Iterable[str] | None, name: str | None = None) -> list[Projection]:
    """Return the built-in projections and those at some paths, `package.module:NAME`.

    Refuses the name of none of them.
    """
    known = [*BUILTIN, *(one for path in paths or () for one in _imported(path))]
    if name is not None:
        _check_name(known, name)
    return known


def chosen_names(
    known: Sequence[Projection], names: Sequence[str] | None, stored: Iterable[str] = ()
) -> list[str] | None:
    """Return the names that `--projection` gave, None for all; refuses those that nobody knows."""
    for name in names or ():
        _check_name(known, name, stored)
    return list(names) if names else None


def _check_name(known: Sequence[Projection], name: str, stored: Iterable[str] = ()) -> None:
    """Refuse the name of no projection."""
    there = sorted({*(one.name for one in known), *stored})
    if name not in there:
        raise InvalidArgument(
            "projection",
            f"there is no projection {name!r}; there are {', '.join(there)}, and those of your own"
            " that --projections names",
        )


def _imported(path: str) -> Sequence[Projection]:
    module, colon, name = path.partition(":")
    if not (module and colon and name):
        raise InvalidArgument("projections", f"expected package.module:NAME, got {path!r}")
    _look_here()
    try:
        found = getattr(importlib.import_module(module), name)
    except Exception as error:
        # Whatever the module raises while it is imported: the call named it.
        raise InvalidArgument(
            "projections", f"{path!r} cannot be imported: {type(error).__name__}: {error}"
        ) from error
    several = [found] if isinstance(found, Projection) else found
    if not isinstance(several, list | tuple) or not several:
        raise InvalidArgument("projections", f"{path!r} is no Projection and no list of them")
    for one in several:
        if not isinstance(one, Projection):
            raise InvalidArgument(
                "projections", f"in {path!r} is something of type {type(one).__name__}"
            )
    return several


def _look_here() -> None:
    """Find modules in the working directory, as `python -m` does and a script does not."""
    here = os.getcwd()
    if not sys.flags.safe_path and here not in sys.path and "" not in sys.path:
        sys.path.insert(0, here)
