"""Where the orchestrator's store differs from agent_session_manager 0.8.0, or is not asked.

By the number of the line in the specification: 1 to 106 are behaviours that the original's tests
assert, u1 to u35 are cases that they leave open. A line here may have a test besides: then the test
shows the difference.
"""

NUMBERS = (
    "A record and the events of a session are one stream. What a save changes takes a number of its"
    " own, so events are numbered 1, 2, 3 as long as nothing is saved in between; they are always"
    " sorted and unique, and `after` the last one seen misses none."
)
CALLER = "This is about the caller of the store, which is not part of the port: {}"
WRAPPER = "There is no such thing around this store: {}"
PIPELINE = "The original does it in its event pipeline, before the store: {}"

DEVIATIONS = {
    "4": "A status that does not follow the one before is refused (invalid_transition), unless the"
    " store was made with enforce_transitions=False. A tag that is given twice is kept once. Times of a"
    " session are those of its facts: created_at is that of the first, an event's if one came before"
    " the record, and updated_at that of the last, an event's too, also where it tells of an earlier"
    " time.",
    "14": "Nothing is stored as null: what was left out is not in the log at all.",
    "18": WRAPPER.format("bytes of artifacts are kept elsewhere, and no call here reaches them."),
    "22": "Events that name a run make none, though the views have a row of it.",
    "23": "As 4; started_at stays what it was when the run was first heard of. Cost is kept in"
    " billionths of a dollar, up to 100,000; token counts are whole, not negative, up to 10^12.",
    "43": "The caller's number takes no part, not even in telling whether an event is the same.",
    "49": PIPELINE.format("the store answers an empty batch with []."),
    "50": PIPELINE.format("the store itself refuses a batch as a whole."),
    "70": WRAPPER.format("no composite, and no time limit on calls."),
    "75": CALLER.format("how often a session manager flushes."),
    "88": "There is no counter beside the log: numbers are given inside the append, see 86.",
    "89": "There is no counter beside the log: batches get numbers that follow each other, see 87.",
    "91": NUMBERS,
    "92": "Opening a ledger creates or migrates it, so migration_required does not occur; with"
    " create=False one that is not there is refused, with what makes it. A file that is no ledger or"
    " of a newer schema is refused. Migrations only go forward.",
    "93": "The store is an object; there is no second way to name one.",
    "94": "A closed ledger is storage_error: repeating is no help. storage_connection_failed is a"
    " server that cannot be reached.",
    "95": CALLER.format("what a run does when its events could not be kept."),
    "96": WRAPPER.format("no composite of session store and artifact store."),
    "97": "The store is an object: what else a port is made of is refused with InvalidArgument, which"
    " has no code, for there is no store yet to answer with one.",
    "98": "Saved as pending, a session that others began (a store of answers, of snapshots or of"
    " conversations, or anybody who ended it) keeps its status, which is then read back, whenever"
    " pending does not follow; the first record and its repetitions are no wish to undo what others"
    " told. One that an orchestrator began is refused with invalid_transition, as in 4, and so is an"
    " update_session to pending. A store without enforce_transitions makes it pending.",
    "99": "The rows and the events that announce them are the caller's to write; both are kept.",
    "101": NUMBERS,
    "104": "The late end of a cancelled run is refused with everything that was flushed with it.",
    "105": PIPELINE.format(
        "the store refuses an unknown type (invalid_event_type), losing nothing."
    ),
    "u1": "Kept, as in the original; the health check names the session.",
    "u3": "The original drops the second content without a word; here it is already_exists.",
    "u4": "The original answers with another session's event; here ids are of a session.",
    "u9": "Refused with validation_error instead of ending the process.",
    "u10": "Everything of the session is hidden at once; nothing is removed from the log.",
    "u11": "Numbers are never given twice, so a cursor never points into another history.",
    "u12": "Excluded, as the SQL stores do and the interface says.",
    "u13": "A limit of 0 is no row; a negative one is refused.",
    "u13b": "Refused with validation_error.",
    "u14": "Refused with validation_error; `before: 0` is no row.",
    "u15": "Refused with validation_error.",
    "u16": "Implemented, as the interface says.",
    "u17": "Sessions by creation, then id; runs in the order in which they were first heard of.",
    "u19": "Several statuses may be given, in every list.",
    "u20": "The one first heard of last.",
    "u21": "Refused with session_mismatch: nobody means it, and nothing would tell.",
    "u22": "A repeated flush changes nothing; a stale one that undoes an end is refused whole.",
    "u26": "Answered at once: nothing that could come would ever fit. A type that is none of the 28 is"
    " refused with validation_error, as in a search, and so is not waited for.",
    "u27": "0 is no wait; negative or not whole is refused.",
    "u28": "They get storage_error, which is not a timeout.",
    "u29": "Refused with validation_error, alone and in a batch.",
    "u30": "Refused: no type, and no type outside of the 28.",
    "u32": "A session is never unreadable because of what others wrote: messages, tool calls and"
    " errors are told in the words of this store, facts that it has no word for are left out.",
    "u34": "Not in the port; `ledger.read(newest_first=True)` reads the same log from its end.",
    "u35": "Each save is decided on what the session is when it is stored: of several ends of a run"
    " exactly one succeeds, and what a record does not say differently stays in the log. A record is"
    " the whole truth, so the last one wins; who wants to change what is there, and lose nothing of"
    " what others change, has update_session and update_run.",
}

#: By port: what is left out or different, where the specification has no numbers.
PORTS = {
    "search cursors": "None at the end, instead of one more empty page; token_usage_desc has one.",
    "empty filter lists": "Find nothing, everywhere.",
    "unknown order_by": "Refused, instead of becoming the default.",
    "bad min_tokens": "validation_error; query_error is no code of the taxonomy.",
    "pricing": "The table is the caller's, in dollars per token by provider and model; no prices are"
    " built in, and a table of another shape is refused.",
    "prune_session_events": "Hides events by a fact; nothing leaves the log. Every view, and so every"
    " other store and the search, drops the messages and tool calls that the fact names: a message"
    " goes whole, so more may go than had to; pieces alone leave what they built up; a tool call"
    " leaves the traces with the first of its events that goes. No fact can name a row of the"
    " violations, what was counted of a run or a session, or a call whose id a turn, a span or a step"
    " has too: those stay.",
    "soft delete": "The age counts from the newest time that a fact of the session tells, by the"
    " callers' clocks: what comes late and tells of long ago makes no session older.",
    "hard delete": "Hides the session for good by a fact; each session by itself. One that is used"
    " behind its mark goes as well, as there: it is kept by being saved without `deleted_at`.",
    "exempt_tags": "Keep a session from hard deletion, and from being pruned by execute, too."
    " prune_session_events names its session and prunes it all the same.",
    "max_session_age_days": "Acts, on the age from the beginning; the original never uses it.",
    "max_total_events, archive_*": "Not in the policy: the original never uses them, and nothing"
    " that is pruned leaves the log, so there is nothing to archive before.",
    "batch_size": "Acts: so many sessions are read at a time.",
    "bounds": "What the log bounds is refused with validation_error: ids and names beyond 512 bytes"
    " (of sessions 1,024) or blank, times before 1970, JSON deeper than 64 levels, a fact beyond"
    " 1 MiB, an event's metadata beyond 16 KiB, a text to find something by beyond 64 KiB, and a wait of"
    " more than a day.",
    "unknown filters": "Refused: sync and async as any unknown argument, with TypeError.",
    "exempt_statuses, prune_event_types_first": "What they name must be statuses and types that"
    " there are: a misspelled one would exempt nothing.",
    "transitions": "The documented ones; what is not over may also fail, be cancelled or, a run,"
    " time out, because agents die while they wait and before they start.",
    "filter lists": "Name at most 1,000 each.",
    "orphaned sequences": "There is no counter beside the log; always 0.",
    "clean_orphaned_artifacts": "Marks the artifacts of sessions that nobody saved as deleted.",
}

#: Fault of the original, by its place in the specification -> the test that it is not one of ours.
FAULTS = {
    "4.2 C-1": "test_sessions_and_runs_are_found",
    "4.2 C-2": "test_asm_15_16_17_u10_deleting_takes_everything_of_the_session_along",
    "4.2 C-3": "test_asm_94_a_store_that_is_gone_says_so",
    "4.2 C-4": "test_asm_38_u29_an_event_without_a_time_is_refused_and_harms_nothing",
    "4.2 C-5": "test_marked_sessions_are_deleted_later_with_all_that_is_of_them",
    "4.2 C-6": "test_asm_92_opening_prepares_the_store_and_refuses_what_is_none",
    "4.2 M-1": "test_health_tells_of_what_belongs_to_nothing",
    "4.2 M-2": "test_old_sessions_are_marked_unless_exempt",
    "4.2 M-8": "test_asm_70_u33_a_wait_may_be_longer_than_a_call_used_to_last",
    "4.2 M-9": "test_events_of_low_value_go_first_and_some_never_do",
    "4.3.1 an end is undone": "test_asm_104_a_cancelled_run_stays_cancelled",
    "4.3.1 a stale flush": "test_asm_u22_a_repeated_flush_changes_nothing_and_a_stale_one_undoes"
    "_no_end",
    "4.3.2": "test_asm_u35_of_changes_to_one_session_and_one_run_none_is_lost",
    "4.3.3 transitions": "test_a_status_that_does_not_follow_is_refused_unless_told_otherwise",
    "4.3.3 several running": "test_asm_29_to_32_u20_the_running_run_is_active_as_soon_as_it_is_saved",
    "4.3.4": "test_asm_u11_numbers_are_never_given_twice",
    "4.3.5 other content": "test_asm_u3_u4_an_id_belongs_to_its_session_and_to_its_content",
    "4.3.5 other session": "test_asm_u3_u4_an_id_belongs_to_its_session_and_to_its_content",
    "4.3.6": "test_the_oldest_events_beyond_the_number_are_hidden",
    "4.3.8": "test_asm_u32_facts_without_a_word_for_them_disturb_nobody",
    "4.3.9": "test_asm_66_67_who_waits_sleeps_until_something_is_appended",
    "4.3.10": "test_asm_7_to_11_u16_u17_u18_u19_lists_have_filters_an_order_and_an_offset",
    "4.3.11": "test_tenants_do_not_see_each_other",
    "4.3.12": "test_what_was_said_and_done_is_in_every_view",
    "5.2 one id at once": "test_asm_u6_one_event_appended_by_all_is_there_once",
    "5.3 half a batch": "test_asm_87_batches_stay_whole",
    "5.5 half a flush": "test_asm_74_u21_a_flush_with_anything_bad_leaves_nothing",
}
