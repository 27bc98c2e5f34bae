"""A telephony panel: the server asks agents, one after the other, whether they take a call."""

import asyncio

from frappe_rt.handlers import Socket, realtime

#: Seconds that an agent has to answer.
RING_SECONDS = 5

agents: dict[str, list[Socket]] = {}
kept: set[asyncio.Task] = set()


@realtime.on("agent_ready")
async def ready(socket: Socket, queue: str) -> bool:
    agents.setdefault(queue, []).append(socket)
    return True


@realtime.on("disconnect")
async def gone(socket: Socket) -> None:
    for waiting in agents.values():
        if socket in waiting:
            waiting.remove(socket)


@realtime.on("dial")
async def dial(socket: Socket, queue: str, number: str) -> dict | None:
    """Who has taken the call, or None."""
    for agent in list(agents.get(queue, [])):
        try:
            answer = await agent.call("ring", {"number": number}, timeout=RING_SECONDS)
        except TimeoutError:
            continue
        if answer["taken"]:
            task = asyncio.create_task(report(agent, number))
            kept.add(task)
            task.add_done_callback(kept.discard)
            return {"by": agent.user}
    return None


async def report(agent: Socket, number: str) -> None:
    """Later, and by the app's own decision: nobody has sent an event."""
    await asyncio.sleep(0.05)
    await agent.emit("on_call", number)
