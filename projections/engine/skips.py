"""Letting an event pass that a view cannot fold: explicit, recorded, and only where it stands."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from ledger import InvalidArgument
from ledger.arguments import natural
from ledger.backends.base import AsyncBackend, Backend
from ledger.plans import Plan

from ..backends.base import AsyncViewBackend, Overview, ViewBackend
from ..readers.arguments import text, version_number
from .projector import Projector
from .stops import Skip, failure_of, skip_of
from .versions import Versions

#: Of a reason and of a name; they are read by people.
TEXT_BYTES_MAX = 4_000


class Skips:
    """The skipping of events, as a plan, for both faces of the views."""

    def __init__(
        self,
        log: Backend | AsyncBackend,
        views: ViewBackend | AsyncViewBackend,
        versions: Versions,
        projector: Projector,
        prepare: Callable[[], Plan[None]],
    ) -> None:
        self._log = log
        self._views = views
        self._versions = versions
        self._projector = projector
        self._prepare = prepare

    def skip(
        self, name: str, version: int | None, bucket: int, position: int, reason: str, by: str
    ) -> Plan[Skip]:
        """Record a skip of the event at which a version stands stopped."""
        check_asked(self._log, bucket, position, reason, by)
        self._versions.check_name(name, "projection")
        yield from self._prepare()
        if version is None:
            chosen = yield from self._projector.chosen([name])
            table = chosen[name]
        else:
            table = self._versions.table(name, version_number(version))
        stopped = f"{name} version {table.projection.version} in bucket {bucket}"
        heads: list[int] = yield self._log.positions()
        if not 0 < position <= heads[bucket]:
            raise InvalidArgument("position", f"the bucket has events 1 to {heads[bucket]}")
        # By the code of today: if the fold was corrected meanwhile, there is nothing to skip.
        failures = yield from self._projector.reach(bucket, position, [table])
        failed = next((one for one in failures if one.position == position), None)
        if failed is None:
            found = ", it stands at " + str(failures[0].position) if failures else ""
            raise InvalidArgument("position", f"{stopped} is not stopped there{found}")
        skip = skip_of(failure_of(name, failed, datetime.now(UTC)), reason, by)
        if not (yield from recorded(self._views, skip)):
            raise InvalidArgument("position", f"{stopped} is not stopped there any more")
        return skip


def check_asked(
    log: Backend | AsyncBackend, bucket: int, position: int, reason: str, by: str
) -> None:
    """Refuse what can be no skip, whatever stands where."""
    for argument, said in (("reason", reason), ("by", by)):
        text(said, argument, TEXT_BYTES_MAX)
    natural(position, "position")
    if natural(bucket, "bucket") >= log.info.buckets:
        raise InvalidArgument("bucket", f"there are {log.info.buckets} of them")


def recorded(views: ViewBackend | AsyncViewBackend, skip: Skip) -> Plan[bool]:
    """Record a skip; False if nothing is stopped there any more."""
    if (yield views.skip(skip)):
        return True
    # A repeat after a lost reply finds its own record.
    overview: Overview = yield views.overview()
    return skip in overview.skips
