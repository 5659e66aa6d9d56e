"""The running of handlers, as plans: calls first, then the checkpoint, so that no event is lost.

What was called since the last checkpoint is called again, with the same keys, if the process dies
or loses its claim: `repeats_max` events at most, and those of `checkpoint_s` seconds.

A runner makes one call at a time. It stays in a bucket for `checkpoint_s` or so, then goes on to
the next bucket and handler, so that a long backlog holds up nothing else.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ledger import InvalidArgument, UpcastFailed
from ledger.backends.base import AsyncBackend, Backend, FeedQuery
from ledger.events import new_event_id
from ledger.paging import PageSize
from ledger.plans import Plan
from ledger.records import Record, event_of_record
from ledger.refusals import shown
from ledger.upcasts import Upcasts

from ...backends.base import AsyncViewBackend, Standing, ViewBackend
from ...errors import HandlerFailed, VersionDropped
from ...readers.arguments import text
from ..pages import check_dense
from ..stops import failure_of
from ..tables import Identity
from .claims import Claims, Held
from .failures import failed
from .handlers import Handler
from .pace import Pace
from .places import Places, is_retired
from .reports import HandlingReport, Round
from .rests import Rests

#: What is read ahead under one claim, while each event is handled alone.
_PAGE_EVENTS_MAX = 500
#: How long a run that waits looks away.
_LOOK_S = 0.05


class Handling:
    """Runs handlers over one ledger's log."""

    def __init__(
        self,
        log: Backend | AsyncBackend,
        views: ViewBackend | AsyncViewBackend,
        upcasts: Upcasts,
        handlers: Sequence[Handler],
        pace: Pace,
        clock: Callable[[], float],
        goes_on: Callable[[], bool],
    ) -> None:
        if not callable(clock):
            raise InvalidArgument("clock", f"expected a function, got {shown(clock)}")
        holder = new_event_id()
        self._log = log
        self._views = views
        self._upcasts = upcasts
        self._handlers = {handler.name: handler for handler in handlers}
        self.places = {one.name: Places(one.name, one.version) for one in handlers}
        self._pace = pace.checked()
        self._clock = clock
        self._goes_on = goes_on
        self._claims = Claims(views, holder, pace.claim_s, clock)
        self._size = PageSize(_PAGE_EVENTS_MAX)
        self._prepared = False
        self.rests = Rests()
        # Runners that begin at different buckets seldom want the same one.
        first = int(holder[-8:], 16) % log.info.buckets
        self._buckets = [*range(first, log.info.buckets), *range(first)]

    def prepare(self) -> Plan[None]:
        """Make the tables that are missing, once."""
        if self._prepared:
            return
        tables = [t for one in self.places.values() for t in (one.claims, one.progress)]
        yield self._views.prepare(tables)
        standings: list[Standing] = yield self._views.standings(list(self._handlers))
        for one in standings:
            places = self.places[one.projection]
            if is_retired(one) and one.version == places.version:
                yield self._views.accept(places.progress)
        self._prepared = True

    def retire(self, name: str) -> Plan[None]:
        """Leave a handler out of the status, until somebody runs it again."""
        if text(name, "handler") not in self.places:
            raise InvalidArgument("handler", f"there is none named {shown(name)} here")
        yield from self.prepare()
        yield self._views.accept(self.places[name].retired)
        self._prepared = False

    def run(self, wait_s: float | None, sleep: Callable[[float], Any]) -> Plan[HandlingReport]:
        """Call handlers up to where the log ends now; try what failed, and outlive the dead."""
        left_s = self._pace.wait_s(wait_s)
        self.rests.clear()
        self._claims.forget_moves()
        return (yield from self.advance(left_s, sleep))

    def advance(
        self, wait_s: float = 0.0, sleep: Callable[[float], Any] | None = None
    ) -> Plan[HandlingReport]:
        """Call handlers up to where the log ends now; rests are kept.

        Waits for those who have claimed a bucket until they are seen to live or to be dead.
        """
        yield from self.prepare()
        heads: list[int] = yield self._log.positions()
        called, failures = 0, list[HandlerFailed]()
        while True:
            done = yield from self._round(heads)
            called += done.called
            failures += done.failures
            if done.moved and self._goes_on():
                continue
            doubtful = not all(self._claims.lives(*place) for place in done.held)
            if doubtful and wait_s > 0 and sleep is not None and self._goes_on():
                yield sleep(_LOOK_S)
                wait_s -= _LOOK_S
            else:
                return done.report(called, failures)

    def _round(self, heads: Sequence[int]) -> Plan[Round]:
        done = Round()
        standings = yield from self._standings()
        for name, handler in self._handlers.items():
            if (yield from self._is_superseded(handler, standings)):
                done.superseded.append(name)
                continue
            progress = standings[self.places[name].progress.identity].positions
            beats = standings[self.places[name].claims.identity].positions
            for bucket in self._waiting(handler, heads, progress, beats):
                if not self._goes_on():
                    return done
                begin = heads[bucket] if handler.start == "head" else 0
                held = None
                if not self._claims.is_left(name, bucket, beats[bucket]):
                    held = yield from self._claims.take(
                        self.places[name], bucket, begin, heads[bucket]
                    )
                if held is None:
                    done.held.append((name, bucket))
                elif held.position < heads[bucket]:
                    yield from self._work(handler, held, heads[bucket], done)
        return done

    def _standings(self) -> Plan[dict[Identity, Standing]]:
        names = [
            name
            for places in self.places.values()
            for name in (places.name, places.claims.projection.name)
        ]
        found: list[Standing] = yield self._views.standings(names)
        standings = {(one.projection, one.version): one for one in found}
        for places in self.places.values():
            if not {places.progress.identity, places.claims.identity} <= standings.keys():
                raise VersionDropped(places.name)
        return standings

    def _is_superseded(
        self, handler: Handler, standings: Mapping[Identity, Standing]
    ) -> Plan[bool]:
        """Whether a higher version is in effect; a lower one that is, is relieved."""
        active = max(
            (v for (name, v), one in standings.items() if name == handler.name and one.active),
            default=0,
        )
        if active < handler.version:
            identity = handler.name, handler.version
            yield self._views.mark_built(identity)
            yield self._views.switch(identity)
        return active > handler.version

    def _waiting(
        self,
        handler: Handler,
        heads: Sequence[int],
        progress: Sequence[int],
        beats: Sequence[int],
    ) -> Iterator[int]:
        """Yield the buckets in which there is something to do."""
        for bucket in self._buckets:
            at = progress[bucket]
            resting = self.rests.holds(handler.name, bucket, at, self._clock())
            # Where it begins is settled in all buckets when it is first run, not by a later event.
            if beats[bucket] == 0 or (at < heads[bucket] and not resting):
                yield bucket

    def _work(self, handler: Handler, held: Held, head: int, done: Round) -> Plan[None]:
        """Call a handler for some time in a bucket that was claimed, and give it back."""
        try:
            yield from self._work_on(handler, held, head, done)
        except (Exception, GeneratorExit):
            raise
        except BaseException as ended:
            # The process is told to end, or the task, maybe within a move that is not stored then:
            # what was called before is not repeated.
            try:
                yield from self._claims.move(held, last=True)
            except Exception as lost:
                # Raised instead, an outage would be tried again by who watches, who never ended.
                raise ended from lost
            raise

    def _work_on(self, handler: Handler, held: Held, head: int, done: Round) -> Plan[None]:
        until = self._clock() + self._pace.checkpoint_s
        calls = 0
        first = held.position
        failure: HandlerFailed | None = None
        over = False
        while held.reached < head and not over and failure is None:
            for record in (yield from self._page(held.bucket, held.reached, head)):
                if handler.wants(record):
                    failure = yield from self._call(handler, record)
                    if failure is not None:
                        break
                    calls += 1
                    done.called += 1
                held.reached = record.position
                over = self._clock() >= until or not self._goes_on()
                if over:
                    break
                if calls == self._pace.repeats_max:
                    if not (yield from self._claims.move(held)):
                        done.held.append((handler.name, held.bucket))
                        return
                    calls = 0
        if not (yield from self._claims.move(held, last=True)):
            done.held.append((handler.name, held.bucket))
            return
        done.moved = done.moved or held.position > first
        if failure is not None:
            done.failures.append(failure)
            yield from self._note(handler, failure)

    def _page(self, bucket: int, at: int, head: int) -> Plan[list[Record]]:
        end = min(head, at + self._size.events)
        query = FeedQuery(ranges=((bucket, at, end),), limit=end - at)
        records: list[Record] = yield self._log.feed(query)
        check_dense(bucket, at, end, records)
        self._size.saw(records)
        return records

    def _call(self, handler: Handler, record: Record) -> Plan[HandlerFailed | None]:
        """Call a handler for one event; return why that failed, if it did."""
        try:
            event = event_of_record(record, self._upcasts)
            reply = yield handler.handle(event, handler.key(record))
            if inspect.isawaitable(reply):
                raise TypeError("the handler returned what nobody awaits")
        except Exception as error:
            return failed(handler, record, error)
        return None

    def _note(self, handler: Handler, failure: HandlerFailed) -> Plan[None]:
        """Keep a failure for everybody to see, and leave the event alone."""
        cause = failure.__cause__
        cause = cause.__cause__ if isinstance(cause, UpcastFailed) else cause
        retried = isinstance(cause, handler.retry_on)
        before = failure.position - 1
        self.rests.failed(handler.name, failure.bucket, before, self._clock(), retried=retried)
        yield self._views.note_failure(failure_of(failure.handler, failure, datetime.now(UTC)))
