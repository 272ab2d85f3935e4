"""What a stubbed Claude says or fails to say, good and bad, each by a name of its own."""

import json
from dataclasses import dataclass, replace
from typing import Final, Protocol, cast

from tests.stub.analyst import STRUCTURED, Analyst
from tests.stub.exchange import Exchange
from tests.stub.replies import Block, Call, Json, Reply, Text, Thought

PING_SECONDS: Final = 0.2
READ_SECONDS: Final = 0.1
"""A reset throws away what the client has not read yet, so a cut leaves it this long to read."""
ANALYST: Final = Analyst()


class Speaker(Protocol):
    """A behaviour that says something: faults may cut it short."""

    def reply(self, body: Json) -> Reply:
        """What it says to this request."""
        ...


@dataclass(frozen=True, slots=True)
class Resets:
    """Resets the connection before it answers anything."""

    def __call__(self, exchange: Exchange) -> None:
        exchange.reset()


@dataclass(frozen=True, slots=True)
class SaysNothing:
    """Takes the request and answers nothing, not even a header."""

    def __call__(self, exchange: Exchange) -> None:
        exchange.wait(None)


@dataclass(frozen=True, slots=True)
class Cuts:
    """Resets the connection when this share of the answer was streamed."""

    of: Speaker = ANALYST
    at: float = 0.5

    def __call__(self, exchange: Exchange) -> None:
        exchange.begin(self.of.reply(exchange.body), self.at)
        exchange.wait(READ_SECONDS)
        exchange.reset()


@dataclass(frozen=True, slots=True)
class Stalls:
    """Falls silent when this share of the answer was streamed, or sends nothing but pings from then on."""

    of: Speaker = ANALYST
    at: float = 0.5
    pings: bool = False

    def __call__(self, exchange: Exchange) -> None:
        exchange.begin(self.of.reply(exchange.body), self.at)
        while True:
            exchange.wait(PING_SECONDS if self.pings else None)
            exchange.event({"type": "ping"})


@dataclass(frozen=True, slots=True)
class ErrorInStream:
    """Ends the stream with an error event when this share of the answer was streamed."""

    of: Speaker = ANALYST
    at: float = 0.5

    def __call__(self, exchange: Exchange) -> None:
        exchange.begin(self.of.reply(exchange.body), self.at)
        error = {"type": "overloaded_error", "message": "Overloaded"}
        exchange.event({"type": "error", "error": error})
        exchange.end()


@dataclass(frozen=True, slots=True)
class Says:
    """Says this and stops; `thinking` comes before it."""

    text: str
    seconds: float = 0.0
    thinking: str = ""
    stop: str = "end_turn"
    fragment: int = 12

    def reply(self, body: Json) -> Reply:
        """The text, whatever the request is."""
        blocks: list[Block] = [Thought(self.thinking)] if self.thinking else []
        return Reply([*blocks, Text(self.text)], self.stop, self.seconds, self.fragment)

    def __call__(self, exchange: Exchange) -> None:
        exchange.send(self.reply(exchange.body))


@dataclass(frozen=True, slots=True)
class Answers:
    """Gives this structured answer, fitting or not; text is taken as it is, so that it need not be JSON."""

    value: object
    seconds: float = 0.0

    def reply(self, body: Json) -> Reply:
        """The answer, whatever the request is."""
        arguments = self.value if isinstance(self.value, str) else json.dumps(self.value)
        return Reply([Call(STRUCTURED, arguments)], "tool_use", self.seconds)

    def __call__(self, exchange: Exchange) -> None:
        exchange.send(self.reply(exchange.body))


@dataclass(frozen=True, slots=True)
class Calls:
    """Calls this tool; as soon as the question carries a result of it, says `then`, or answers as the analyst."""

    tool: str
    arguments: Json
    then: str | None = None
    seconds: float = 0.0

    def reply(self, body: Json) -> Reply:
        """The call, or what follows its result."""
        if not _has_result(body):
            return Reply([Call(self.tool, json.dumps(self.arguments))], "tool_use", self.seconds)
        speaker: Speaker = Analyst(self.seconds) if self.then is None else Says(self.then, self.seconds)
        return speaker.reply(body)

    def __call__(self, exchange: Exchange) -> None:
        exchange.send(self.reply(exchange.body))


@dataclass(frozen=True, slots=True)
class RunsOut:
    """Stops at max_tokens when this share was said, in the text or within the structured answer."""

    of: Speaker = ANALYST
    at: float = 0.5

    def reply(self, body: Json) -> Reply:
        """The first part of what would have been said."""
        full = self.of.reply(body)
        *before, last = full.blocks
        return Reply([*before, _shortened(last, self.at)], "max_tokens", full.seconds, full.fragment)

    def __call__(self, exchange: Exchange) -> None:
        exchange.send(self.reply(exchange.body))


def refuses() -> Says:
    """The model does not want to: `stop_reason` is `refusal`."""
    return Says("I cannot help with that.", stop="refusal")


def prose() -> Says:
    """Prose, though a structured answer was asked for."""
    return Says("I would buy it, since it has fallen enough.")


def error_prose() -> Says:
    """An error that reads like an answer."""
    return Says("API Error: 529 Overloaded. Please try again later.")


def huge(size: int = 3_000_000) -> Says:
    """An answer of megabytes."""
    return Says("word " * (size // 5), fragment=65_536)


def misfits() -> Answers:
    """A structured answer that does not fit any schema of the desk's."""
    return Answers({"action": "MAYBE", "conviction": "high"})


def _has_result(body: Json) -> bool:
    content = body["messages"][-1]["content"]
    return isinstance(content, list) and any("tool_result" in str(block) for block in cast("list[object]", content))


def _shortened(block: Block, share: float) -> Block:
    match block:
        case Call(tool, arguments):
            return Call(tool, arguments[: int(len(arguments) * share)])
        case _:
            return replace(block, text=block.text[: int(len(block.text) * share)])
