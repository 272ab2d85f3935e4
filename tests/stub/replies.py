"""What a stubbed Claude says, and the events by which the Messages API streams it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

Json = dict[str, Any]
_NUMBERS: Final = count(1)


@dataclass(frozen=True, slots=True)
class Thought:
    """What Claude thinks before it speaks."""

    text: str


@dataclass(frozen=True, slots=True)
class Text:
    """What Claude says in prose."""

    text: str


@dataclass(frozen=True, slots=True)
class Call:
    """A tool that Claude calls; `arguments` is JSON text, which may be cut off."""

    tool: str
    arguments: str


Block = Thought | Text | Call


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer: what it says, why it stops, how many seconds it takes in all, and how long a fragment is."""

    blocks: Sequence[Block]
    stop: str = "end_turn"
    seconds: float = 0.0
    fragment: int = 6
    number: int = field(default_factory=lambda: next(_NUMBERS))

    @property
    def size(self) -> int:
        """Characters in all."""
        return sum(len(_content(block)) for block in self.blocks)


def usage(body: Mapping[str, Any], reply: Reply) -> Json:
    """Tokens as the API counts them, roughly: four characters each."""
    sent = len(json.dumps({key: body.get(key) for key in ("system", "messages", "tools")}))
    return {
        "input_tokens": sent // 4,
        "output_tokens": max(1, reply.size // 4),
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
    }


def whole(body: Mapping[str, Any], reply: Reply) -> Json:
    """The answer to a request that does not stream."""
    blocks = [_opening(reply, number, block) | _filled(block) for number, block in enumerate(reply.blocks)]
    return _message(body, reply) | {"content": blocks, "stop_reason": reply.stop, "usage": usage(body, reply)}


def events(body: Mapping[str, Any], reply: Reply) -> Iterator[Json]:
    """The events of a streamed answer, in order."""
    counted = usage(body, reply)
    begun = counted | {"output_tokens": 1}
    yield {"type": "message_start", "message": _message(body, reply) | {"content": [], "usage": begun}}
    for number, block in enumerate(reply.blocks):
        yield {"type": "content_block_start", "index": number, "content_block": _opening(reply, number, block)}
        for delta in _deltas(block, reply.fragment):
            yield {"type": "content_block_delta", "index": number, "delta": delta}
        yield {"type": "content_block_stop", "index": number}
    ended = {"stop_reason": reply.stop, "stop_sequence": None}
    yield {"type": "message_delta", "delta": ended, "usage": counted}
    yield {"type": "message_stop"}


def is_delta(event: Mapping[str, Any]) -> bool:
    """Whether it carries a piece of the answer."""
    return bool(event["type"] == "content_block_delta")


def _message(body: Mapping[str, Any], reply: Reply) -> Json:
    return {
        "id": f"msg_stub{reply.number}",
        "type": "message",
        "role": "assistant",
        "model": body.get("model", "stub"),
        "stop_reason": None,
        "stop_sequence": None,
    }


def _content(block: Block) -> str:
    return block.arguments if isinstance(block, Call) else block.text


def _opening(reply: Reply, number: int, block: Block) -> Json:
    match block:
        case Thought():
            return {"type": "thinking", "thinking": "", "signature": ""}
        case Text():
            return {"type": "text", "text": ""}
        case Call():
            return {"type": "tool_use", "id": f"toolu_stub{reply.number}x{number}", "name": block.tool, "input": {}}


def _filled(block: Block) -> Json:
    match block:
        case Thought():
            return {"thinking": block.text, "signature": "stub"}
        case Text():
            return {"text": block.text}
        case Call():
            return {"input": json.loads(block.arguments)}


def _deltas(block: Block, fragment: int) -> Iterator[Json]:
    text = _content(block)
    pieces = [text[at : at + fragment] for at in range(0, len(text), fragment)]
    match block:
        case Thought():
            yield from ({"type": "thinking_delta", "thinking": piece} for piece in pieces)
            yield {"type": "signature_delta", "signature": "stub"}
        case Text():
            yield from ({"type": "text_delta", "text": piece} for piece in pieces)
        case Call():
            yield from ({"type": "input_json_delta", "partial_json": piece} for piece in ["", *pieces])
