"""Lines about cognee's stores that no test of the question-and-answer store is named after, and why.

Three kinds: what another suite holds for every store on a ledger (with its test), what belongs to
the caller of a store, and what the store has no use for.

What differs although a test bears the line's id:
BR-01  What creates something returns its id and its sequence; a session comes first, the user is
       named by keyword, so nobody mixes them up. `CogneeCache` has Python's order of arguments.
BR-05  A session has to be named: `default_session_id` is there for whoever asks for it.
BR-14  Flags are merged, a null flag and a null as a whole clear.
BR-16  All of a session goes, also what other stores wrote in it: it is one session.
BR-19  An id that is a UUID in either form is kept with hyphens, a session's and a user's too.
BR-21  An update is one fact, so a crash leaves the old state or the new one.
BR-27  A `trace_id`, as a `qa_id`, has one content: repeating stores nothing, another is refused.
BR-31  What is None stays, as in Python; a text alone does not apply the feedback weights again.
BR-34  Who saves a step without feedback gets this text, in `CogneeCache` too; ok and succeeded are
       successes as well.
BP-13  One kind of error for creations and updates, InvalidEvent, and InvalidArgument for scores.
BP-24  `last_n` of 0 is none everywhere, also where Python's manager refuses it.
BP-27  Objects become their type and id, sets are sorted; texts and containers are not cut, see
       Limits of the ledger, and only function and status are stripped.
       Names beside each other that are the same as text are refused, for one value would be lost.
BP-30  An entry without an id gets one, so it can be updated. Lengths and sections are not checked.
       Feedback under an id that has an entry is given anew and then the newest.
BP-31  Feedback that is updated is given anew and then the newest; counts are set by difference.
BP-34  Expiry is off unless a store is made with `session_ttl_s`; cognee's is 604,800.
BP-35  The expiry follows from the session's last fact, so no row has to be rewritten, nor left: from
       when it was written, or from when it happened for a store with a clock of its own.
BP-39  A session in which other stores wrote expires for this one alone: what is ours is redacted. Its
       status, its dataset and the sums of what was used are everybody's, and stay.
BP-41  `set_value` returns a sequence, `delete_value` whether there was one.
BP-43  Ours are the kinds of facts that the store is made of, whoever told them, and what else it told
       itself; a session that has nothing else is hidden whole. Else what is ours is redacted by its
       ids, and with it a tool call or a run's feedback that has the same one.
M-01   InvalidArgument; blank ids and wrong counts are refused before the ledger is asked.
M-05   `qa_recall.as_text` and `as_messages` of what `history` returns.
M-06   The index is of full text and is a view, so it follows every change; there are no vectors.
M-10   An outage is raised, never taken for an empty answer.
M-15   What a text reminds of is found by its words.
M-19   Scopes are what a session has: session, trace, session_context; a session is always named.
M-22   A mark is a sequence, which no deletion shifts; one that the session has not reached yet is
       refused, for it would hide what is to come.
L-04   `mark_ended` says whether it ended the session.
L-05   Who may see whose sessions is the caller's to decide: lists are of one owner or of everyone.
L-06   Pages have cursors instead of offsets, orders are refused if unknown and there is none by the
       end; `count_sessions` is the total.
L-08   A closed session counts as completed, a cancelled one as failed.
L-10   Records and lists have the label, too. Once something was taken away it is read from what is
       left; the session's row, which all stores share, then has what came next, or nothing.
"""

from tests.stores.deviations import OF_EVERY_STORE, Deviation, by_contract

FLOW = "this is about a caller of the store, which is not part of it: "
MODEL = "this asks a model, which no store does: "

DEVIATIONS = {
    **OF_EVERY_STORE,  # U-01 is asked of this store's own writes in BR-21 besides
    "BR-26": Deviation("every backend has traces, so there is nothing to refuse"),
    "BR-35": Deviation(FLOW + "its pipeline's lock; two that improve at once share a watermark"),
    "BP-45": Deviation("there are no locks to acquire: every write is atomic on every backend"),
    "BP-47": Deviation("the URL names the storage; one that cannot be used fails, none is chosen"),
    "M-02": Deviation("there is no switch: who wants no memory makes no store"),
    "M-12": Deviation(FLOW + "turns are serialised there; writes of one session never collide"),
    "M-13": Deviation(FLOW + "what becomes of a turn, its feedback and its answer"),
    "M-14": Deviation(FLOW + "what a turn reads before it begins, and how it ends"),
    "M-16": Deviation(FLOW + "which user is meant is known there, and its errors are its own"),
    "M-21": Deviation("the graph's weights are the graph's; the flags that guard them are U-11"),
    "M-23": Deviation(MODEL + "lessons; its windows go by watermarks, see M-22"),
    "M-24": Deviation(FLOW + "which guidance a prompt has room for; the counters are BP-31"),
    "L-07": Deviation("there is no HTTP interface; its limits are the limits of pages"),
    "U-02": by_contract(
        "callers of this store have no expectations, changes are repeated",
        "test_append",
        "test_u_02_a_stale_expectation_conflicts",
    ),
    "U-21": Deviation("cognee has no scenarios; the views of the ledger have them"),
}

#: What happened to users of cognee, and the lines of ours that would fail if it happened here.
REPORTS = {
    "#4393 a write rewrites every row for its expiry": ("U-15", "BP-35"),
    "#4226 duplicate context rows block a session": ("BP-33",),
    "#4182 deadlocks among writers of a session": ("BR-21", "BP-22"),
    "#3930 None instead of a list": ("BP-04", "U-07"),
    "#2664 last_n=0 returns all": ("BP-05",),
    "#3881 wrong calls swallowed as False": ("M-01", "U-18"),
    "#2437 sessions never expire": ("BP-34",),
    "#4030 deleted documents still quoted": ("M-25", "U-24"),
    "#2888 a success that stored nothing": ("BR-30", "U-25"),
    "#3553 not processed yet looks like nothing": ("U-25", "M-22"),
    "#4297 calls without a session share one": ("M-03",),
    "#4164 recall picks an arbitrary owner": ("L-05", "M-20"),
    "2ff8b990e ghost sessions without an owner": ("U-14", "U-17"),
    "73609687c two first hits at once": ("BR-21", "L-04"),
    "56d1f3114 counters lose increments": ("BP-33", "L-03"),
    "c774af6f9 each run ingests the whole session": ("M-22",),
    "38b7cb59b feedback on the wrong answer": ("BP-22", "U-09"),
}
