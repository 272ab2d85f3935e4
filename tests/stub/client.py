"""Asks the stub as the program does, without the program: for the stub's own tests."""

import json
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection, HTTPResponse
from typing import Any, Final
from urllib.parse import urlsplit

from tests.stub.analyst import STRUCTURED
from tests.stub.replies import Json
from tests.stub.server import Stub

FACTS: Final = """\
symbol: AAPL
as_of: 2013-03-01
f1 | close | 430.47 | price | 2013-03-01 | bars
f3 | sma_200 | 580.12 | price | 2013-03-01 | talib
f7 | rsi_14 | 33.3379 | points | 2013-03-01 | talib
f8 | atr_14 | 11.5 | price | 2013-03-01 | talib
f9 | volatility_252 | 0.33 | ratio | 2013-03-01 | numpy
"""


def body(text: str = FACTS, *, structured: bool = True, stream: bool = True) -> Json:
    """A request like the program's."""
    tools = [{"name": STRUCTURED, "input_schema": {"type": "object"}}]
    messages = [{"role": "user", "content": [{"type": "text", "text": text}]}]
    return {"model": "claude-stub-1", "messages": messages, "tools": tools if structured else [], "stream": stream}


def connected(stub: Stub) -> closing[HTTPConnection]:
    """A connection to the stub."""
    return closing(HTTPConnection(urlsplit(stub.address).netloc, timeout=10))


def post(connection: HTTPConnection, asked: Json) -> HTTPResponse:
    """Ask, and return as soon as the headers are there."""
    connection.request("POST", "/v1/messages?beta=true", json.dumps(asked), {"content-type": "application/json"})
    return connection.getresponse()


def events(response: HTTPResponse) -> Iterator[Json]:
    """The events of a stream as they come."""
    for line in response:
        if line.startswith(b"data: "):
            yield json.loads(line.removeprefix(b"data: "))


def said(streamed: list[Json]) -> str:
    """The text, the thinking or the arguments that these events carry."""
    deltas: list[dict[str, Any]] = [event["delta"] for event in streamed if event["type"] == "content_block_delta"]
    return "".join(
        str(delta.get("text") or delta.get("partial_json") or delta.get("thinking") or "") for delta in deltas
    )


def ask(stub: Stub, asked: Json | None = None) -> list[Json]:
    """Ask once and read to the end."""
    with connected(stub) as connection:
        return list(events(post(connection, asked or body())))


def stopped(streamed: list[Json]) -> str:
    """Why this answer stopped."""
    (reason,) = [event["delta"]["stop_reason"] for event in streamed if event["type"] == "message_delta"]
    return str(reason)
