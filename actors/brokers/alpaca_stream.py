"""What Alpaca tells by itself: a websocket in a thread of its own, which tells the actor and decides nothing.

Not alpaca-py's TradingStream: it cannot be stopped while it connects, has no time-out on its first words, and logs
what it meets. The package `websockets` comes with it.
"""

import json
import logging
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from threading import Event, Thread
from typing import Any, Final, Protocol

from actors.brokers.alpaca_account import Account, Keys
from actors.brokers.alpaca_replies import Rubbish, record

OPEN_WITHIN: Final = 10.0
"""Seconds for the connection, and for each of the first words."""
CLOSE_WITHIN: Final = 1.0
LOOK: Final = 0.2
"""Seconds between two looks whether it is over."""
MOST: Final = 4 * 1024 * 1024
"""Bytes one message may have."""
STEADY: Final = 60.0
"""Seconds after which a connection counts as one, so that the next pause is the first again."""
PAUSES: Final = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""Seconds before it is tried again, the last for good."""

_log: Final = logging.getLogger("troupe.brokers")
_quiet: Final = logging.getLogger("troupe.brokers.websocket")
_quiet.setLevel(logging.WARNING)  # below that, websockets writes down what is sent, the keys among it


@dataclass(frozen=True, slots=True)
class Connected:
    """From now on updates are told; what happened before, while nobody listened, was not. `lost` is why, if known."""

    lost: str | None


@dataclass(frozen=True, slots=True)
class Update:
    """What came, as JSON, numbers with a point as Decimal; None where it was none."""

    said: Any


@dataclass(frozen=True, slots=True)
class Broken:
    """A fault of ours has ended the thread: nothing more will come."""

    why: str


Heard = Connected | Update | Broken


class Updates(Protocol):
    """Where updates come from; `start` may be called again after `stop`."""

    def start(self, tell: Callable[[Heard], bool]) -> None:
        """Tell what comes, from a thread of its own; `tell` says whether there was room for it."""
        ...

    def stop(self) -> None:
        """Tell nothing more. The thread ends by itself, at once unless it is about to connect."""
        ...


class Stream:
    """The real one."""

    def __init__(self, account: Account, keys: Keys, pauses: tuple[float, ...] = PAUSES) -> None:
        self._account, self._keys, self._pauses = account, keys, pauses
        self._over = Event()
        self._thread: Thread | None = None

    def start(self, tell: Callable[[Heard], bool]) -> None:
        """See Updates."""
        self._over = over = Event()  # of its own, so that a thread that was abandoned stays told
        self._thread = Thread(target=self._run, args=(tell, over), name="alpaca-updates", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """See Updates."""
        self._over.set()
        if self._thread is not None:
            self._thread.join(CLOSE_WITHIN + 5 * LOOK)
            self._thread = None

    def _run(self, tell: Callable[[Heard], bool], over: Event) -> None:
        from websockets.exceptions import WebSocketException

        tries, lost = 0, None
        while not over.is_set():
            began = time.monotonic()
            try:
                for heard in self._connection(lost, over):
                    if not over.is_set() and not tell(heard):
                        raise _Unheard("the desk had no room for an update")
            except (OSError, EOFError, TimeoutError, WebSocketException, _Unheard) as error:
                lost = (
                    str(error) if isinstance(error, _Unheard) else f"the connection was lost ({type(error).__name__})"
                )
                _log.warning("alpaca updates at %s: %s", self._account.host, lost)
            except Exception as error:
                _log.exception("alpaca updates at %s", self._account.host)
                tell(Broken(repr(error)))
                return
            tries = 0 if time.monotonic() > began + STEADY else tries
            over.wait(self._pauses[min(tries, len(self._pauses) - 1)])
            tries += 1

    def _connection(self, lost: str | None, over: Event) -> Any:
        from websockets.sync.client import connect

        keys = {"key_id": self._keys.key, "secret_key": self._keys.secret}
        proxy: Any = None if self._account.stream.startswith("ws://") else True
        with connect(
            self._account.stream,
            open_timeout=OPEN_WITHIN,
            close_timeout=CLOSE_WITHIN,
            max_size=MOST,
            proxy=proxy,
            logger=_quiet,
        ) as there:
            there.send(json.dumps({"action": "authenticate", "data": keys}))
            if _data(there.recv(OPEN_WITHIN), "authorization").get("status") != "authorized":
                raise _Unheard("the keys are not accepted")
            there.send(json.dumps({"action": "listen", "data": {"streams": ["trade_updates"]}}))
            if "trade_updates" not in _data(there.recv(OPEN_WITHIN), "listening").get("streams", ()):
                raise _Unheard("it does not tell trade updates")
            yield Connected(lost)
            while not over.is_set():
                with suppress(TimeoutError):
                    yield Update(_json(there.recv(LOOK)))


class _Unheard(Exception):
    """It was connected, and yet there is nothing to hear."""


def _data(said: str | bytes, stream: str) -> Mapping[str, Any]:
    try:
        message = record(_json(said))
        if message.get("stream") == stream:
            return record(message.get("data"))
    except Rubbish:
        pass  # said below, in words that fit here
    raise _Unheard(f"it does not answer as Alpaca does where '{stream}' should come")


def _json(said: str | bytes) -> Any:
    try:
        return json.loads(said, parse_float=Decimal, parse_constant=Decimal)
    except (ValueError, RecursionError):
        return None
