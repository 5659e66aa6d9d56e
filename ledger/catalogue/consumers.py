"""Facts about who has worked through a session how far."""

from .base import Count, Fact, Id, Json


class ConsumerOffsetAdvanced(Fact, type="consumer.offset_advanced", version=1):
    """A consumer is done with everything up to `sequence`, or with the first `count` entries.

    `state` is whatever it wants to find again, such as the overlap of its next window.
    """

    consumer: Id
    sequence: Count | None = None
    count: Count | None = None
    state: Json = None
