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
       Those of a session and its user that are too long together, see `ledger_session_id`, are in
       the session's metadata. Where another store began it or replaced these, lists and searches
       show the ledger's id in their place; who names session and user finds all of it.
BR-21  An update is one fact, so a crash leaves the old state or the new one.
BR-27  A `trace_id`, as a `qa_id`, has one content: repeating stores nothing, another is refused.
BR-31  What is None stays, as in Python; a text alone does not apply the feedback weights again.
BR-34  Who saves a step without feedback gets this text, in `CogneeCache` too; ok and succeeded are
       successes as well.
BP-13  One kind of error for creations and updates, InvalidEvent, and InvalidArgument for scores.
BP-21  An answer says `created_at`, a datetime, where Python has the text `time`, and `qa_id` where
       Rust has the id.
BP-24  `last_n` of 0 is none everywhere, also where Python's manager refuses it.
BP-27  Objects become their type and id, sets are sorted; texts and containers are not cut, see
       Limits of the ledger, and only function and status are stripped.
       Names beside each other that are the same as text are refused, for one value would be lost.
BP-29  Entries are values and no dicts, in `CogneeCache`, too: feedback is a SessionFeedbackEntry,
       whose `candidate_updates` are cognee's candidate_context_entries, and all others are
       SessionContextEntry, with what it has no field for in `extra`.
BP-30  An entry without an id gets one, so it can be updated. Feedback under an id that has an entry
       is given anew and then the newest. What cognee's models refuse is kept: content of more than
       280 characters, sections that are not a profile's, confidence below 0.75. Another version of
       cognee has other sections; who relies on those limits looks before the call.
BP-31  Feedback that is updated is given anew and then the newest; counts are set by difference.
BP-34  Expiry is off unless a store is made with `session_ttl_s`; cognee's is 604,800.
BP-35  The expiry follows from the session's last fact, so no row has to be rewritten, nor left: from
       when it was written, or from when it happened for a store with a clock of its own.
BP-37  What prunes, deletes a dataset or forgets elements takes expired sessions, too, so that nobody
       else finds in them what is to be gone; they are not counted, and nothing of them comes back.
BP-39  A session in which other stores wrote expires for this one alone: what is ours is redacted. Its
       status, its dataset and the sums of what was used are everybody's, and stay.
BP-41  `set_value` returns a sequence, `delete_value` whether there was one. A key is text and no id:
       a UUID's two texts are two keys.
BP-43  Ours are the kinds of facts that the store is made of, whoever told them, and what else it told
       itself; a session that has nothing else is hidden whole. Else what is ours is redacted by its
       ids, and with it a tool call or a run's feedback that has the same one.
M-01   InvalidArgument; blank ids and wrong counts are refused before the ledger is asked.
M-05   `qa.as_text` and `qa.as_messages` of what `history` returns.
M-06   The index is of full text and is a view, so it follows every change; there are no vectors.
M-09   A model is the caller's, as are the flags that turn it on: what it worded is the step's
       session_feedback, and where it failed, which is blank, the step gets the text of BR-34.
M-10   An outage is raised, never taken for an empty answer.
M-15   What a text reminds of is found by its words.
M-19   Scopes are what a session has: session, trace, session_context; a session is always named.
M-22   A mark is a sequence, which no deletion shifts; one that the session has not reached yet is
       refused, for it would hide what is to come.
M-20   `recall_across_sessions` and `search` find answers; steps and guidance are found within their
       session, for no index has the words of all of them.
M-25   Steps are matched as well, by texts and by names in JSON. The snapshot of the graph stays: no
       part of it can be told from the rest, so who deletes elements sets a new one. A redaction
       names the elements that its session drew on, and none that it never heard of.
L-02   How long a session may be idle is an argument, 1,800 seconds unless it is given, and no variable
       of the environment; what is no number of seconds is refused.
L-04   `mark_ended` says whether it ended the session.
L-05   Who may see whose sessions is the caller's to decide: lists are of one owner or of everyone.
       There is no `user_ids`: a parent who is to see its agents' sessions asks for each of them. A
       session has one owner, so counts, costs and the sums of statistics add up, averages and the
       rate are made of those, and pages are merged by the caller.
L-06   Pages have cursors instead of offsets, orders are refused if unknown; `count_sessions` is the
       total. There is none by `ended_at`, which sessions that run do not have: the last activity of
       one that ended is its end, so ask for a `status` by last_activity_at. A cursor goes on with
       the filters that it was given for, the status among them, and is refused with others.
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
    "BP-45": Deviation(
        "there are no locks to acquire: writes are atomic on every backend. What is to be done by one"
        " program at a time, beyond a write, needs a lock of the caller's, such as the database's own"
    ),
    "BP-47": Deviation("the URL names the storage; one that cannot be used fails, none is chosen"),
    "M-02": Deviation(
        "there is no switch: a store that forgets and says it stored would break the promise that a"
        " sequence is stored. Who switches memory off leaves the calls out, or hands in an object of"
        " its own that answers None, [] and False"
    ),
    "M-12": Deviation(
        FLOW + "of two turns of a session at once both are stored, in the order of their ends; who"
        " wants the second to wait, so that it reads the first, has a lock per session"
    ),
    "M-13": Deviation(FLOW + "what becomes of a turn, its feedback and its answer"),
    "M-14": Deviation(FLOW + "what a turn reads before it begins, and how it ends"),
    "M-16": Deviation(FLOW + "which user is meant is known there, and its errors are its own"),
    "M-21": Deviation("the graph's weights are the graph's; the flags that guard them are U-11"),
    "M-23": Deviation(
        MODEL
        + "lessons, without secrets and each once, are made by the caller: of new_trace_steps,"
        " with the overlap in a watermark's state, which it advances when they are stored, see M-22"
    ),
    "M-24": Deviation(
        FLOW
        + "which guidance a prompt has room for, and in which order. What it is ranked by is in"
        " get_session_context; what was served is told by used_session_context_ids and last_served_at"
    ),
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
