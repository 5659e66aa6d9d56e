"""An orchestrator in asyncio: opened once, many runs at a time, each step a fact, followed live."""

import asyncio

from ledger import AsyncLedger, NewEvent
from ledger import catalogue as facts
from projections import AsyncViews


async def track(parcel: str) -> str:
    """Stand for a tool that waits for somebody else's server."""
    await asyncio.sleep(0.01)
    if parcel == "13":
        raise LookupError("no such parcel")
    return "Lyon"


async def answer(ledger: AsyncLedger, session_id: str, parcel: str) -> None:
    """Run the agent once. What happened is stored as it happens, so a crash loses nothing of it."""
    run = f"run of {session_id}"

    async def say(*told: facts.Fact) -> None:
        events = [NewEvent(fact, run_id=run) for fact in told]
        await ledger.append(session_id, events)  # with those of the other runs, in one flush

    asked = facts.MessageAppended(role="user", content=f"Where is parcel {parcel}?")
    await say(facts.SessionCreated(agent_id="support", status="active"), facts.RunStarted(), asked)
    try:
        await say(facts.ToolStarted(call_id="c1", tool_name="track", tool_input={"parcel": parcel}))
        place = await track(parcel)
        await say(facts.ToolFinished(call_id="c1", tool_output=place))
    except LookupError as error:
        await say(facts.RunFailed(error_message=str(error)))
    else:
        said = facts.MessageAppended(role="assistant", content=f"In {place}.")
        await say(said, facts.RunFinished())


async def watch(ledger: AsyncLedger) -> None:
    """Show the runs that end, as a dashboard would, from now on."""
    ends = ["run.finished", "run.failed"]
    async with ledger.follow(types=ends, cursor=await ledger.end_cursor()) as stream:
        async for event in stream:
            print(event.type, "in", event.session_id)


async def main() -> None:
    async with await AsyncLedger.open("memory:") as ledger:  # closed when the application ends
        watching = asyncio.create_task(watch(ledger))
        parcels = ["7", "8", "13"]
        await asyncio.gather(*(answer(ledger, f"ses_{one}", one) for one in parcels))
        views = AsyncViews(ledger)
        failed = await views.runs("ses_13", status="failed")
        print("failed:", [run.error_message for run in failed])
        assert len(await views.messages("ses_7")) == 2
        await asyncio.sleep(0.1)
        watching.cancel()


asyncio.run(main())
