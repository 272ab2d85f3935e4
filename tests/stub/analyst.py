"""Answers as a good analyst would: from the facts it was given, in the structure it was asked for."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from tests.stub.exchange import Exchange
from tests.stub.replies import Call, Json, Reply, Text, Thought

STRUCTURED: Final = "StructuredOutput"
"""The tool that the program offers where a question has a schema."""
HORIZON: Final = 21
NEAR: Final = 0.01
"""Nearer than this share to its average, a close says nothing."""

Action = Literal["BUY", "SELL", "HOLD", "ABSTAIN"]


@dataclass(frozen=True, slots=True)
class Analyst:
    """Answers a question with a schema by the structured answer, any other by prose that echoes it."""

    seconds: float = 0.0
    thinking: str = ""
    fragment: int = 6

    def reply(self, body: Json) -> Reply:
        """What it says to this request."""
        thoughts = [Thought(self.thinking)] if self.thinking else []
        if not wants_structure(body):
            return Reply(
                [*thoughts, Text(f"You said: {last_words(body)[:80]}")], "end_turn", self.seconds, self.fragment
            )
        call = Call(STRUCTURED, json.dumps(self.view(body)))
        return Reply([*thoughts, call], "tool_use", self.seconds, self.fragment)

    def view(self, body: Json) -> Json:
        """The structured answer, of the last facts in the conversation."""
        return view(asked(body))

    def __call__(self, exchange: Exchange) -> None:
        exchange.send(self.reply(exchange.body))


@dataclass(frozen=True, slots=True)
class Twisted(Analyst):
    """The analyst's structured answer after a change, which may return it as it likes or change it in place."""

    change: Callable[[Json], Json | None] = field(kw_only=True)

    def view(self, body: Json) -> Json:
        good = view(asked(body))
        changed = self.change(good)
        return good if changed is None else changed


@dataclass(frozen=True, slots=True)
class Facts:
    """What a question tells: by the name of a fact its id and its value."""

    symbol: str
    as_of: str
    named: Mapping[str, tuple[str, float]]

    def value(self, *names: str) -> float | None:
        """The value of the first of these that is there."""
        return next((self.named[name][1] for name in names if name in self.named), None)


def wants_structure(body: Mapping[str, Any]) -> bool:
    """Whether the request offers the tool for a structured answer."""
    tools: list[Json] = body.get("tools") or []
    return any(tool.get("name") == STRUCTURED for tool in tools)


def texts(message: Mapping[str, Any]) -> list[str]:
    """The texts of one message; the program puts reminders of its own before the one that was asked."""
    content: str | list[Json] = message["content"]
    if isinstance(content, str):
        return [content]
    return [str(block["text"]) for block in content if block.get("type") == "text"]


def last_words(body: Mapping[str, Any]) -> str:
    """The last text that the user's side wrote."""
    said = (texts(message) for message in reversed(body["messages"]) if message["role"] == "user")
    return next((found[-1] for found in said if found), "")


def asked(body: Mapping[str, Any]) -> Facts:
    """The last question with facts: a repair or a tool's result may come after it."""
    for message in reversed(body["messages"]):
        if message["role"] == "user" and "symbol:" in (text := "\n".join(texts(message))):
            return parsed(text)
    return Facts("", "", {})


def parsed(text: str) -> Facts:
    """Read `symbol:` and `as_of:`, and facts like `f7 | rsi_14 | 33.3379 | points | 2013-03-01 | talib`."""
    head = {"symbol": "", "as_of": ""}
    named: dict[str, tuple[str, float]] = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        key, _, rest = line.partition(":")
        if len(cells) == 6 and cells[0].startswith("f"):
            named[cells[1]] = (cells[0], float(cells[2]))
        elif key.strip() in head:
            head[key.strip()] = rest.strip()
    return Facts(head["symbol"], head["as_of"], named)


def view(facts: Facts) -> Json:
    """The view that these facts suggest to it; the same facts, the same view."""
    close, average = facts.value("close"), facts.value("sma_200")
    if close is None or average is None:
        return _answer("ABSTAIN", None, None, None, [], "There is no long average, so there is no trend to judge.")
    if abs(close / average - 1) < NEAR:
        thesis, cited = _thesis(facts, "stands near", "which says little")
        return _answer("HOLD", None, None, thesis, cited, None)
    action: Action = "BUY" if close > average else "SELL"
    thesis, cited = _thesis(facts, *(("is above", "an upward trend") if action == "BUY" else ("is below", "a decline")))
    target, stop = _prices(facts, close, 1 if action == "BUY" else -1)
    return _answer(action, target, stop, thesis, cited, None)


def _answer(
    action: Action, target: float | None, stop: float | None, thesis: str | None, cited: list[str], cause: str | None
) -> Json:
    abstains = action == "ABSTAIN"
    return {
        "action": action,
        "conviction": None if abstains else 0.6,
        "horizon_days": None if abstains else HORIZON,
        "target": target,
        "stop": stop,
        "thesis": thesis,
        "cited": cited,
        "cause": cause,
    }


def _prices(facts: Facts, close: float, side: int) -> tuple[float | None, float | None]:
    """A target at one deviation and a stop at half of one, where that is far enough; else neither."""
    sigma, atr = facts.value("volatility_252", "volatility_63"), facts.value("atr_14")
    if sigma is None:
        return None, None
    deviation = sigma * math.sqrt(HORIZON / 252)
    target = round(close * math.exp(side * deviation), 2)
    if (target - close) * side <= 0:
        return None, None
    if atr is None:
        return target, None
    away = max(close * (1 - math.exp(-deviation / 2)), 0.6 * atr + 0.01)
    stop = round(close - side * away, 2)
    within = stop > 0 and abs(math.log(stop / close)) < 3 * deviation
    return target, stop if within else None


def _thesis(facts: Facts, relation: str, meaning: str) -> tuple[str, list[str]]:
    close, average = facts.named["close"][0], facts.named["sma_200"][0]
    said, cited = f"The close {{{close}}} {relation} its long average {{{average}}}, {meaning}.", [close, average]
    if "rsi_14" in facts.named:
        rsi = facts.named["rsi_14"][0]
        said, cited = f"{said} The oscillator stands at {{{rsi}}}.", [*cited, rsi]
    return said, cited
