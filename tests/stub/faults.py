"""All faults by their names, and a behaviour that mixes them in."""

import random
from collections.abc import Callable, Mapping, Sequence
from threading import Lock
from typing import Final

from tests.stub import failures
from tests.stub.behaviours import (
    ANALYST,
    Cuts,
    ErrorInStream,
    Resets,
    RunsOut,
    SaysNothing,
    Stalls,
    error_prose,
    huge,
    misfits,
    prose,
    refuses,
)
from tests.stub.exchange import Behaviour, Exchange

FAULTS: Final[Mapping[str, Callable[[], Behaviour]]] = {
    "rate-limited": failures.rate_limited,
    "overloaded": failures.overloaded,
    "server-error": failures.server_error,
    "unavailable": failures.unavailable,
    "not-signed-in": failures.not_signed_in,
    "forbidden": failures.forbidden,
    "no-credit": failures.no_credit,
    "unknown-model": failures.unknown_model,
    "prompt-too-long": failures.prompt_too_long,
    "too-large": failures.too_large,
    "bad-request": failures.bad_request,
    "reset": Resets,
    "cut": Cuts,
    "no-header": SaysNothing,
    "stall": Stalls,
    "pings": lambda: Stalls(pings=True),
    "error-in-stream": ErrorInStream,
    "max-tokens": RunsOut,
    "prose": prose,
    "error-prose": error_prose,
    "misfit": misfits,
    "refusal": refuses,
    "huge": huge,
}


class Every:
    """Lets a fault that the seed picks answer every so-and-so-many-th request, and another behaviour the rest."""

    def __init__(self, nth: int, faults: Sequence[Behaviour], otherwise: Behaviour = ANALYST, *, seed: int = 0) -> None:
        self._nth, self._faults, self._otherwise = nth, faults, otherwise
        self._random, self._lock, self._seen = random.Random(seed), Lock(), 0

    def __call__(self, exchange: Exchange) -> None:
        with self._lock:
            self._seen += 1
            due = self._seen % self._nth == 0
            behaviour = self._random.choice(self._faults) if due else self._otherwise
        exchange.answered_by(behaviour)
        behaviour(exchange)

    def __repr__(self) -> str:
        return f"Every({self._nth})"
