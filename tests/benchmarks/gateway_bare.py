"""A child of the benchmark `gateway`: a loop on ClaudeSDKClient, as short as it can be.

It imports nothing of the desk's, so that its memory is that of the package alone; its options are handed to it.
"""

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator
from typing import Any

from claude_agent_sdk import ClaudeAgentOptions, ClaudeSDKClient, ConversationResetMessage, ResultMessage

from tests.benchmarks.gateway_process import Json, resident, told


async def verbatim(prompt: str, mark: str) -> AsyncIterator[Json]:
    message = {"role": "user", "content": prompt}
    yield {"type": "user", "message": message, "parent_tool_use_id": None, "uuid": mark, "client_composed": True}


async def ask(client: ClaudeSDKClient, prompt: str) -> None:
    mark = str(uuid.uuid4())
    await client.query(verbatim(prompt, mark))
    async for message in client.receive_messages():
        if isinstance(message, ResultMessage) and message.user_message_uuid in (None, mark):
            if message.is_error or message.structured_output is None:
                raise SystemExit(f"the bare loop has got no answer: {message}")
            return
    raise SystemExit("the program has closed its output")


async def clear(client: ClaudeSDKClient) -> None:
    await client.query("/clear")
    reset = False
    async for message in client.receive_messages():
        reset = reset or isinstance(message, ConversationResetMessage)
        if reset and isinstance(message, ResultMessage):
            return


async def loop(options: dict[str, Any], prompts: list[str], *, clears: bool) -> Json:
    """Seconds from before its program is started until the last answer is there, and memory then."""
    client = ClaudeSDKClient(ClaudeAgentOptions(**options, stderr=lambda _: None))
    began = time.perf_counter()
    await client.connect()
    for number, prompt in enumerate(prompts):
        if number and clears:
            await clear(client)
        await ask(client, prompt)
    seconds = time.perf_counter() - began
    report = {"seconds": seconds, "memory": resident()}
    await client.disconnect()
    return report


def main() -> None:
    plan = told()
    print(json.dumps(asyncio.run(loop(plan["options"], plan["prompts"], clears=plan["clears"]))))
