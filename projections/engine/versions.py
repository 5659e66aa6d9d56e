"""The versions of a projection: which there are, which one is read, and the switch between them.

A version that is added beside an active one is not read and not kept going until a rebuild has
built it. Then it is kept going like the active one, so that readers may be switched to it, and
back, in one step and without waiting for a fold.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import msgspec

from ledger import InvalidArgument
from ledger.arguments import natural
from ledger.backends.base import AsyncBackend, Backend
from ledger.plans import Plan

from ..backends.base import AsyncViewBackend, Standing, ViewBackend
from ..readers.arguments import no_view, text, version_number
from .comparing import Comparer, VersionComparison
from .made_by import MadeBy, made_by
from .projector import Projector
from .tables import Identity, Table


class FoldChanged(UserWarning):
    """A table was made by another fold or other upcasters: raise its version and rebuild.

    Or accept the version as it is, if the new code would make the same rows of the old events.
    """


class ViewVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a projection that is stored, that the code knows, or both.

    `positions` say per bucket how far it has come, () if nothing is stored. `stored_digest` is of
    the code that made the table, `code_digest` of the code that runs; "" is unknown. The same goes
    for the upcasters of the events that it folds, of which "" is none and None unknown, as they
    are for tables that were made before upcasters were noted.
    """

    projection: str
    version: int
    active: bool
    built: bool
    known: bool
    positions: tuple[int, ...]
    stored_digest: str
    code_digest: str
    stored_upcasters: str | None
    code_upcasters: str | None

    @property
    def fold_changed(self) -> bool:
        """Whether the fold was changed without a new version: old rows were made by other code."""
        return self._stored.is_other_fold(self._code)

    @property
    def upcasters_changed(self) -> bool:
        """Whether the upcasters of its events are others: old rows were made of other payloads."""
        return self._stored.has_other_upcasters(self._code)

    @property
    def changed(self) -> bool:
        """Whether fold or upcasters were changed without a new version."""
        return self._stored.differs(self._code)

    @property
    def _stored(self) -> MadeBy:
        return MadeBy(self.stored_digest, self.stored_upcasters)

    @property
    def _code(self) -> MadeBy:
        return MadeBy(self.code_digest, self.code_upcasters)


def newest_first(tables: Sequence[Table]) -> Sequence[Table]:
    """Return tables as they were named, the versions of a projection highest first.

    Refuses the same version twice, and versions with different keys.
    """
    families: dict[str, dict[int, Table]] = {}
    for table in tables:
        name, version = table.identity
        family = families.setdefault(name, {})
        if version in family:
            raise InvalidArgument("projections", f"version {version} of {name} is there twice")
        if any(other.key != table.key for other in family.values()):
            raise InvalidArgument("projections", f"the versions of {name} have different keys")
        family[version] = table
    return [family[v] for family in families.values() for v in sorted(family, reverse=True)]


def _record(identity: Identity, table: Table | None, standing: Standing | None) -> ViewVersion:
    stored = MadeBy() if standing is None else made_by(standing.fold_digest)
    code = MadeBy() if table is None else table.made_by
    return ViewVersion(
        projection=identity[0],
        version=identity[1],
        active=standing is not None and standing.active,
        built=standing is not None and standing.built,
        known=table is not None,
        positions=() if standing is None else tuple(standing.positions),
        stored_digest=stored.fold,
        code_digest=code.fold,
        stored_upcasters=stored.upcasters,
        code_upcasters=code.upcasters,
    )


def _changes(one: ViewVersion) -> str:
    name = one.projection
    if not one.upcasters_changed:
        return f"fold of projection {name}"
    if not one.fold_changed:
        return f"upcasters of the events that projection {name} folds"
    return f"fold of projection {name}, and the upcasters of the events that it folds,"


class Versions:
    """The operations on versions, as plans, for both faces of the views."""

    def __init__(
        self,
        log: Backend | AsyncBackend,
        views: ViewBackend | AsyncViewBackend,
        tables: Sequence[Table],
        projector: Projector,
    ) -> None:
        self._log = log
        self._views = views
        self._tables = tables
        self._projector = projector
        self._prepared = False

    def prepare(self) -> Plan[None]:
        """Make the tables that are missing, once, and warn of folds and upcasters that changed."""
        if self._prepared:
            return
        yield self._views.prepare([*self._tables, *self._projector.caches])
        self._prepared = True
        for one in (yield from self.records()):
            if one.changed:
                warnings.warn(
                    f"The {_changes(one)} changed, its version {one.version}"
                    " did not: rows made before are as the old code left them. Give it the next"
                    " version, rebuild that and switch to it; or accept() this one as it is.",
                    FoldChanged,
                    stacklevel=2,
                )

    def records(self) -> Plan[tuple[ViewVersion, ...]]:
        """Return all versions that are stored or known."""
        yield from self.prepare()
        standings = yield from self._projector.standings()
        known = {table.identity: table for table in self._tables}
        return tuple(
            _record(identity, known.get(identity), standings.get(identity))
            for identity in sorted({*known, *standings})
        )

    def accept(self, name: str, version: int) -> Plan[None]:
        """Take the fold as it is for the one that made the table."""
        table = self.table(name, version)
        if not self._prepared:
            yield self._views.prepare(self._tables)
        yield self._views.accept(table)

    def switch(self, name: str, version: int) -> Plan[None]:
        """Make readers read a version from now on."""
        table = self.table(name, version)
        yield from self.prepare()
        standings = yield from self._projector.standings([name])
        standing = standings.get(table.identity)
        if standing is not None and standing.built:
            # Now, so that the first reader behind the switch finds little to do.
            heads: list[int] = yield self._log.positions()
            failures = yield from self._projector.reach_all(heads, [table], standings)
            if failures:
                raise failures[0]
        if not (yield self._views.switch(table.identity)):
            raise InvalidArgument(
                "version", f"version {version} of {name} is not built; rebuild it first"
            )

    def compare(
        self, name: str, old: int | None, new: int | None, limit: int
    ) -> Plan[VersionComparison]:
        """Compare two versions, by default the active one with the highest other one."""
        count = natural(limit, "limit")
        for argument, version in (("old", old), ("new", new)):
            if version is not None:
                version_number(version, argument)
        self.check_name(name)
        yield from self.prepare()
        standings = yield from self._projector.standings([name])
        known = [t for t in self._tables if t.identity in standings and t.projection.name == name]
        active = [t.projection.version for t in known if standings[t.identity].active]
        old = next(iter(active), None) if old is None else old
        others = [t.projection.version for t in known if t.projection.version != old]
        new = next(iter(others), None) if new is None else new
        if old is None or new is None or old == new:
            raise InvalidArgument(
                "new", f"two versions of {name} are needed, and there are {len(known)}"
            )
        tables = self.table(name, old, "old"), self.table(name, new, "new")
        comparer = Comparer(self._log, self._views, self._projector, *tables, count)
        return (yield from comparer.compare())

    def drop(self, name: str, version: int) -> Plan[None]:
        """Remove a version that nobody reads, table and all."""
        text(name, "name")
        version_number(version)
        if not self._prepared:
            # Not the versions that are known: what is to go, or is gone, would be made anew.
            yield self._views.prepare(())
        stored: Any = yield from self._projector.standings([name])
        if (name, version) not in stored:
            raise InvalidArgument("version", f"no version {version} of {name} is stored")
        if not (yield self._views.drop((name, version))):
            raise InvalidArgument(
                "version", f"version {version} of {name} is active; switch to another one first"
            )

    def table(self, name: str, version: int, argument: str = "version") -> Table:
        """Return the table of a version that is known; `argument` is what it was asked by."""
        version_number(version, argument)
        self.check_name(name)
        for table in self._tables:
            if table.identity == (name, version):
                return table
        raise InvalidArgument(
            argument, f"these views know no version {version} of projection {name!r}"
        )

    def check_name(self, name: object, argument: str = "name") -> None:
        """Refuse the name of a projection that is not known in any version."""
        known = {table.projection.name for table in self._tables}
        if type(name) is not str or name not in known:
            raise no_view(argument, name, known)
