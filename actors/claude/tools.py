"""What a free question may look at: in-process tools that read the database and can do nothing else."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec

from actors.domain.bars import last as latest
from messages.values import Symbol
from storage import bars, decisions, fact_sheets, ledger, questions, tasks
from storage.connections import Reader

if TYPE_CHECKING:
    from claude_agent_sdk import McpSdkServerConfig

MOST: Final = 50
"""Rows of one kind that a tool tells at most."""
Limit = Annotated[int, msgspec.Meta(ge=1, le=50)]
_Symbol = Annotated[str, msgspec.Meta(min_length=1, max_length=20)]


class Nothing(msgspec.Struct, forbid_unknown_fields=True):
    """No arguments."""


class OfSymbol(msgspec.Struct, forbid_unknown_fields=True):
    """A symbol, as the desk spells it."""

    symbol: _Symbol


class OfBars(msgspec.Struct, forbid_unknown_fields=True):
    """A symbol, and how many of its last sessions."""

    symbol: _Symbol
    sessions: Annotated[int, msgspec.Meta(ge=1, le=250)] = 21


class Newest(msgspec.Struct, forbid_unknown_fields=True):
    """How many, newest first."""

    limit: Limit = 10


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool: what it is for, what it takes, and what it reads."""

    description: str
    takes: type[msgspec.Struct]
    look: Callable[[Reader, Any], object]


def _positions(read: Reader, _: Nothing) -> object:
    held = ledger.held(read)
    return {"held": held[:MOST], "left out": max(len(held) - MOST, 0), "cash": ledger.cash(read)}


def _bars(read: Reader, of: OfBars) -> object:
    symbol = Symbol(of.symbol)
    last = bars.last_session(read, symbol)
    found = None if last is None else bars.load(read, symbol, last, 1)
    if found is None:
        return f"there are no prices of {of.symbol}; there are {', '.join(bars.symbols(read)) or 'none'}"
    recent = latest(found, of.sessions)
    names = ("open", "high", "low", "close", "volume")
    columns = zip(*(getattr(recent, name).tolist() for name in names), strict=True)
    return [
        {"session": session, **dict(zip(names, row, strict=True))}
        for session, row in zip(recent.sessions.tolist(), columns, strict=True)
    ]


def _facts(read: Reader, of: OfSymbol) -> object:
    return fact_sheets.newest(read, Symbol(of.symbol)) or f"there is no fact sheet of {of.symbol}"


def _recommendations(read: Reader, of: Newest) -> object:
    return [
        {
            "id": record.id,
            "symbol": made.symbol,
            "as_of": made.as_of,
            "analyst": made.analyst,
            "action": made.action,
            "conviction": made.conviction,
            "horizon_days": made.horizon_days,
            "target": made.target,
            "stop": made.stop,
            "thesis": made.thesis,
            "cause": made.cause,
        }
        for record in decisions.newest(read, of.limit)
        for made in (record.decision,)
    ]


def _tasks(read: Reader, of: Newest) -> object:
    return [
        {
            "id": row.id,
            "type": row.type,
            "key": row.key,
            "state": row.state,
            "attempts": row.attempts,
            "error": row.error,
        }
        for row in tasks.newest(read, of.limit)
    ]


def _cost(read: Reader, _: Nothing) -> object:
    found = questions.breakdown(read, 0)
    return {"dollars since the beginning": replace(found, by_symbol=found.by_symbol[:MOST])}


TOOLS: Final = {
    "positions": Tool("What is held, in shares and at cost, and the cash.", Nothing, _positions),
    "bars": Tool("The last daily bars of a symbol, as traded: open, high, low, close, volume.", OfBars, _bars),
    "facts": Tool("The newest fact sheet of a symbol: indicators with value, unit, date, source.", OfSymbol, _facts),
    "recommendations": Tool("The newest recommendations, with thesis or cause.", Newest, _recommendations),
    "tasks": Tool("The newest tasks and their states.", Newest, _tasks),
    "cost": Tool("What Claude has cost, by purpose, model and symbol.", Nothing, _cost),
}


def call(name: str, read: Reader, arguments: dict[str, Any]) -> tuple[str, bool]:
    """What a tool says, as JSON, and whether that is a refusal of its arguments."""
    tool = TOOLS[name]
    try:
        taken = msgspec.convert(arguments, tool.takes)
    except msgspec.ValidationError as error:
        return f"{name}: {error}; it takes {', '.join(tool.takes.__struct_fields__) or 'nothing'}", True
    return msgspec.json.encode(tool.look(read, taken)).decode(), False


def server(names: tuple[str, ...], read: Reader) -> "McpSdkServerConfig":
    """The tools of these names, for the SDK; each call reads in a thread of its own."""
    from claude_agent_sdk import SdkMcpTool, create_sdk_mcp_server

    def handler(name: str) -> Callable[[Any], Awaitable[dict[str, Any]]]:
        async def handle(arguments: Any) -> dict[str, Any]:
            text, refused = await asyncio.to_thread(call, name, read, arguments)
            return {"content": [{"type": "text", "text": text}], "is_error": refused}

        return handle

    offered = [SdkMcpTool(name, TOOLS[name].description, _schema(TOOLS[name].takes), handler(name)) for name in names]
    return create_sdk_mcp_server("desk", tools=offered)


def _schema(takes: type[msgspec.Struct]) -> dict[str, Any]:
    (schema,), components = msgspec.json.schema_components([takes])
    return dict(components[takes.__name__] if "$ref" in schema else schema)
