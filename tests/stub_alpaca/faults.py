"""How the stub misbehaves on request; each answers one request."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Event
from typing import Any

Change = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes out: a status, a body and headers; with `cut` the connection ends instead; `drip` is seconds a byte."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    cut: bool = False
    drip: float = 0.0


Carry = Callable[[], Answer]
Fault = Callable[[Carry, Event], Answer]
"""Given how the request would be carried out, and when the stub is over."""


def late(seconds: float) -> Fault:
    """It is carried out, and answered after so long, or when the stub ends."""

    def fault(carry: Carry, over: Event) -> Answer:
        answer = carry()
        over.wait(seconds)
        return answer

    return fault


def lost(carry: Carry, over: Event) -> Answer:
    """It is carried out, and the connection breaks before the answer."""
    carry()
    return Answer(0, b"", cut=True)


def drips(carry: Carry, over: Event) -> Answer:
    """It is carried out, and its answer comes a byte at a time."""
    answer = carry()
    return Answer(answer.status, answer.body, drip=0.05)


def unheard(carry: Carry, over: Event) -> Answer:
    """The connection breaks before it is carried out."""
    return Answer(0, b"", cut=True)


def status(code: int, said: object = None, headers: Mapping[str, str] | None = None) -> Fault:
    """It is not carried out, and answered so."""
    return lambda carry, over: Answer(code, json.dumps(said or {"message": "no"}).encode(), headers or {})


def says(content: bytes) -> Fault:
    """It is carried out, and answered with these bytes."""

    def fault(carry: Carry, over: Event) -> Answer:
        carry()
        return Answer(200, content)

    return fault


def changed(change: Change) -> Fault:
    """It is carried out, and its answer is changed on the way."""

    def fault(carry: Carry, over: Event) -> Answer:
        answer = carry()
        return Answer(answer.status, json.dumps(change(json.loads(answer.body))).encode())

    return fault
