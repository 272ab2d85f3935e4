"""A child of the benchmark `claims`: how long an asker waits for the first words, with the real program."""

import asyncio
import json
import logging
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from statistics import median
from typing import Any

from claude_agent_sdk import ClaudeAgentOptions, ClaudeSDKClient

from tests.benchmarks.gateway_desk import SWITCH, asking, profile_of, running, watched
from tests.benchmarks.gateway_process import Json, told


async def receive_response_with_timeout(client: ClaudeSDKClient, timeout: float) -> AsyncIterator[Any]:
    """The document names it and does not show it: each message within so many seconds."""
    messages = client.receive_response()
    while True:
        try:
            yield await asyncio.wait_for(anext(messages), timeout)
        except StopAsyncIteration:
            return


async def query_with_timeout_streaming(
    client: ClaudeSDKClient, prompt: str, timeout: float = 60.0
) -> AsyncIterator[str]:
    """The proposal, word for word: it yields blocks, and the program hands over a block when it is whole."""
    await asyncio.wait_for(client.query(prompt), timeout=timeout)
    async for message in receive_response_with_timeout(client, timeout=120.0):
        if hasattr(message, "content"):
            for block in message.content:
                if hasattr(block, "text"):
                    yield block.text


async def query_with_timeout(client: ClaudeSDKClient, prompt: str, timeout: float = 60.0) -> str:
    """The present: all responses are collected first, then returned."""
    return "".join([text async for text in query_with_timeout_streaming(client, prompt, timeout)])


async def document(plan: Json) -> Json:
    """Both, by turns, in one conversation of one program, after a first question that starts it."""
    options = ClaudeAgentOptions(**plan["options"] | {"include_partial_messages": False}, stderr=lambda _: None)
    present, proposal = list[float](), list[float]()
    async with ClaudeSDKClient(options) as client:
        await query_with_timeout(client, "Say something.")
        for _ in range(plan["times"]):
            began = time.perf_counter()
            assert await query_with_timeout(client, "Say something.")
            present.append(time.perf_counter() - began)
            began, first = time.perf_counter(), 0.0
            async for text in query_with_timeout_streaming(client, "Say something."):
                first = first or (time.perf_counter() - began if text else 0.0)
            proposal.append(first)
    return {"present": median(present), "proposal": median(proposal)}


def troupe(plan: Json) -> Json:
    """The gateway, asked and watched from an edge."""
    with running(Path(plan["place"]), asking()) as desk:
        firsts = list[float]()
        for _ in range(1 + plan["times"]):
            began = time.perf_counter()
            seen = watched(desk, profile_of(plan), "Say something.")
            firsts.append(next(at for length, at in seen if length) - began)
        return {"troupe": median(firsts[1:])}


def main() -> None:
    plan = told()
    logging.basicConfig(level=logging.ERROR)
    sys.setswitchinterval(SWITCH)
    print(json.dumps(troupe(plan) if plan["work"] == "troupe" else asyncio.run(document(plan))))
