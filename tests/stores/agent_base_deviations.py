"""Lines about agent-base's store that no test of the snapshot store is named after, and why.

Two kinds: what another suite holds for every store on a ledger (the reason ends in its test), and
what the store's interface does not have.

What differs although a test bears the line's id:
C-01  A session is a frozen value: methods return a new one, and so does `save`, with its version.
C-07  An id resolves with or without the external id; an external id belongs to one session, also
      to one that is archived, until it is deleted or renamed. It is given by saving a session that
      has it: a `session.created` or `session.rekeyed` that says another one is refused as an event.
C-09  An event is stored as a fact of the catalogue and read back as one; the call that the end of
      a tool call belongs to is found, for agent-base's events name none. An `event_id` is repeated
      within one life of a session: after a deletion the same one is a new event's. The ledger, and
      what the views name after an event, then have it with the mark of that life, `e1@7`, and what
      was given in the event's metadata, which have so much less room.
C-11  The newest activity first, then the id backwards; what cannot be read is listed, and loading
      it is an error.
C-12  An error of its own, `SnapshotUnreadable`, never "not found".
C-13  A save of a version that is not the stored one is refused.
C-14  A session that was never saved does not replace a stored one; new ids are UUIDv7.
U-17  A UUID is kept with hyphens and found by either text; one that others keep otherwise is found
      by theirs. One that is an external id belongs to one session in all its texts, and is found by
      each, however others keep it.
C-15  agent-base's JSON is read by `session_of_json`; stored facts are for ever, or upcast.
C-16  Trimming to no turn at all is refused, where agent-base ignores it.
"""

from tests.stores.deviations import OF_EVERY_STORE, Deviation

DEVIATIONS = {
    **OF_EVERY_STORE,
    "U-08": Deviation("the interface has no last_n; `events` and `checkpoints` have a limit"),
    "U-09": Deviation("the interface has no entries to update; see C-05 and U-14 for sessions"),
    "U-11": Deviation("a session has no flags; what is allowed merges, see C-17"),
    "U-13": Deviation("the interface has no prune"),
    "U-15": Deviation("the interface has no expiry; agent-base deletes files by their age"),
    "U-21": Deviation("agent-base has no scenarios; the views of the ledger have them"),
    "U-22": Deviation("agent-base has no status; the row of the session has one"),
    "U-23": Deviation("agent-base has no feedback"),
}
