"""Lines about soldier's and focal's store that no test of the conversation store is named after, and why.

Three kinds: what another suite holds for every store on a ledger (the reason ends in its test),
what belongs to the programs around the store, and what the store's interface does not have.

What differs although a test bears the line's id:
A-03  An id is searched within a tenant: the store's, or the one named in the call.
A-05  A save of a session that was changed since it was read is refused, and so is one of a session
      that was never read in the place of a stored one. `update` repeats.
A-07  Of the caller's object `version` moves; `last_activity_at` is set only where the caller says
      a later time than is stored, which is stored alone, too, or creates the session. What is saved behind the end is no
      activity: of a closed session it stays, whatever the caller says, until it is opened again.
A-12  Variables are JSON: ids and times within them come back as text, -0.0 as 0.0. What is no JSON
      (NaN, bytes, sets, keys that are no text) is refused by its place. Their names are not blank
      and have at most 512 bytes, and one has at most 1 MiB with its name. Beyond the
      first 1,000 variables of a session all others are kept in one fact, of at most 1 MiB together
      with rules beyond 1,000 and whatever else no fact says. Of the step history the last 1,000 are kept; all of
      it is in the views, unless one save tells more than 5,000 new steps, the last of which are.
A-13  Moments need a time zone and are within the years 1970 to 9999 in UTC, for facts happen at
      them; those at which none does, as `marked_at` of a migration, may be earlier, from the year 1.
      Numbers are not negative, unknown fields are refused, and so are rule ids in `rule_fires` that
      are blank or over 512 bytes.
A-19  A session is found by what it says itself: where `events` of its save tell another channel,
      agent or customer, that is told back.
A-21  Statuses of other systems are shown as soldier's: pending as active, paused as idle, and the
      terminal ones as closed. So they are found, by step and by status.
A-29  A position is the last step that was entered in the scenario, or the last of the history if
      the session returns to it: it stays when the session's history is cut, and is not that of
      another scenario's step.
A-34  By last activity, then by id; pages are those of `views.scenario_positions`.
A-41  No history is a step without a name; the name is that of the step in the scenario that is
      asked for, by which the session calls it in its history.
A-48  `views.turns` has pages from either end, each behind the last turn of the one before; their
      largest size, whether there are more and the codes of HTTP are the program's to say.
A-49  Which statuses are used again can be said; by default all but closed. What another store
      archived (an orchestrator's retention) is never used again: it is in no list and found by its
      id alone, and a channel whose session is archived gets another one.
A-53  The store finds, marks and clears; the status of a plan and what is upstream of a checkpoint
      (A-57) are the migration engine's, as in A-52.
U-12  Of other stores' data in the session nothing is left either.
"""

from tests.stores.deviations import OF_EVERY_STORE, Deviation, by_contract

_TIERS = "there is one store and no cache in front of it; what is stored stays until it is deleted"
_ENGINE = "the migration engine decides it, which reads and saves sessions through the store"

DEVIATIONS = {
    **OF_EVERY_STORE,
    "A-44": Deviation(f"{_TIERS}, so there is nothing to promote or demote"),
    "A-45": Deviation(f"{_TIERS}, so none can be missing or fallen back from"),
    "A-46": by_contract(
        "the ledger and its views tell their health, for every store",
        "test_views_health",
        "test_a_view_at_the_head_is_healthy",
    ),
    "A-47": Deviation(
        "HTTP codes are the program's; what it asks is None or False, see A-02, A-09"
    ),
    "A-52": Deviation(f"{_ENGINE}; plans are facts of their own session"),
    "A-54": Deviation(f"{_ENGINE}; the action is kept by migration.cleared"),
    "A-55": Deviation(f"{_ENGINE}; what it does to a session is A-56"),
    "A-W4": Deviation(
        "there is one store over all backends, and its tests run on each of them",
    ),
    "A-W5": Deviation("the tests here are that contract, and these lines are complete"),
    "A-W6": Deviation("a deployment counts what it marked, see A-53; the lookup is A-36"),
    "A-W7": Deviation("exact numbers in A-53, turns that were really stored in A-48"),
    "U-08": Deviation("the interface has no last_n; a limit of a list is A-25"),
    "U-11": Deviation("a session has no flags; what turns change together is A-W1"),
    "U-13": Deviation("the interface has no prune"),
    "U-15": Deviation(f"the interface has no expiry: {_TIERS}"),
    "U-22": by_contract(
        "soldier has no abandoned sessions and opens closed ones again; the views compute the first",
        "test_views_sessions",
        "test_abandoned_is_computed_and_never_stored",
    ),
    "U-23": Deviation("soldier has no feedback"),
    "U-24": Deviation(
        "a session holds no messages; a redaction takes them from the views",
        ("tests/unit/test_folds_messages.py", "test_a_deleted_or_redacted_message_is_gone"),
    ),
}
