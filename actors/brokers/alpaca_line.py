"""One HTTP session with Alpaca: a request is one request, answered in time or not at all.

The one place that imports alpaca-py, and only where that broker is chosen: it brings pandas.
"""

import json
import time
from decimal import Decimal
from typing import Any, Final, Literal, Protocol

from actors.brokers.alpaca_account import Account, BadAccount, Keys
from actors.brokers.alpaca_replies import Raw, Rubbish
from messages.errors import TroupeError

MOST: Final = 32 * 1024 * 1024
"""Bytes an answer may have; 500 orders with their legs have 2 MB."""
GATE: Final = 60.0
"""Seconds to keep still after a 429 that does not say how long; the limit is one of requests a minute."""
LONGEST: Final = 300.0

Method = Literal["GET", "POST", "PATCH", "DELETE"]
Code = Literal["unknown", "limited", "authentication", "rubbish"]


class Unanswered(TroupeError):
    """There is no answer to go by. Whether the request was carried out is not known. `retry_in` is in seconds."""

    def __init__(self, code: Code, sentence: str, retry_in: float | None = None) -> None:
        super().__init__(sentence)
        self.code: Code = code
        self.retry_in = retry_in


class Declined(TroupeError):
    """Alpaca has understood the request and says no, with an HTTP status from 400 to 499."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class Line(Protocol):
    """The way to one account. Both raise Unanswered; `ask` also Declined."""

    def ask(self, method: Method, path: str, told: dict[str, object] | None = None) -> object:
        """One request, once; what was answered as JSON, numbers with a point as Decimal, None where there is none."""
        ...

    def checked(self, kind: Literal["Order", "Position", "TradeAccount", "TradeUpdate"], said: object) -> Raw:
        """The same, if it has the shape that Alpaca publishes for this."""
        ...

    def open(self) -> None:
        """Have ready what the next request needs, so that nothing comes between deciding on it and sending it."""
        ...

    def close(self) -> None:
        """Leave the session; `open` begins another."""
        ...


class HttpLine:
    """The real one. Waits `within` seconds at most to connect, for an answer to begin, and for all of it."""

    def __init__(self, account: Account, keys: Keys, within: float = 10.0) -> None:
        self._account, self._keys, self._within = account, keys, within
        self._client: Any = None

    def ask(self, method: Method, path: str, told: dict[str, object] | None = None) -> object:
        """See Line."""
        self.open()
        where = f"Alpaca at {self._account.host}, {method} {path}"
        status, headers, content = self._one(where, method.lower(), path, told)
        if status == 429:
            raise Unanswered("limited", f"{where}: too many requests (429)", _pause(headers))
        if status >= 500 or status == 408:
            raise Unanswered("unknown", f"{where}: failed there ({status})")
        try:
            said = json.loads(content, parse_float=Decimal, parse_constant=Decimal) if content else None
        except (ValueError, RecursionError):
            said = content
        if 200 <= status < 300 and not isinstance(said, bytes):
            return said
        code, sentence = (said.get("code"), said.get("message")) if isinstance(said, dict) else (None, None)  # pyright: ignore
        if status == 401 or (status == 403 and not isinstance(code, int)):
            raise Unanswered("authentication", f"{where}: the keys are not accepted ({status}); look at them")
        if 400 <= status < 500 and isinstance(code, int) and isinstance(sentence, str):
            raise Declined(status, f"Alpaca says: {' '.join(sentence.split())[:200]} ({status}, {code})")
        raise Unanswered("rubbish", f"{where}: the answer ({status}, {len(content)} bytes) is none of Alpaca's")

    def checked(self, kind: Literal["Order", "Position", "TradeAccount", "TradeUpdate"], said: object) -> Raw:
        """See Line. Its own classes are asked, so what they do not know is not taken."""
        from alpaca.trading import models
        from pydantic import ValidationError

        if not isinstance(said, dict):
            raise Rubbish(f"Alpaca: an {type(said).__name__} is where {kind} should be")
        raw: dict[str, Any] = said  # pyright: ignore[reportUnknownVariableType]
        try:
            getattr(models, kind)(**raw)
        except ValidationError as error:
            fault = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, fault["loc"]))
            raise Rubbish(f"Alpaca: {kind}.{where}: {fault['msg'][:200]}") from None
        except (TypeError, RecursionError) as error:
            raise Rubbish(f"Alpaca: {kind} cannot be read ({type(error).__name__})") from None
        return raw

    def open(self) -> None:
        """See Line. Raises BadAccount where the package is missing. The first in a process imports it: 2 s."""
        if self._client is None:
            self._client = _client(self._account, self._keys, self._within)

    def close(self) -> None:
        """See Line."""
        client, self._client = self._client, None
        if client is not None:
            client.end()

    def _one(self, where: str, verb: str, path: str, told: object) -> tuple[int, Any, bytes]:
        import requests
        import urllib3

        try:
            status, headers, content = getattr(self._client, verb)(path, told)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, _TooMuch) as error:
            self.close()  # so that nothing late is taken for the answer to what is asked next
            raise Unanswered(
                "unknown", f"{where}: no answer within {self._within:g} s ({type(error).__name__})"
            ) from None
        return status, headers, content


class _TooMuch(Exception):
    """An answer that is too long, or drips."""


def _client(account: Account, keys: Keys, within: float) -> Any:
    """alpaca-py's client, which knows addresses and headers, with the sending done here.

    Its own has no time-out, waits and sends again after 429 and 504, orders too, and reads numbers as floats.
    """
    try:
        from alpaca.trading.client import TradingClient
    except ImportError as error:
        raise BadAccount(
            "broker alpaca: the package `alpaca-py` is missing; run `.venv/bin/uv sync --extra alpaca`"
        ) from error

    class Client(TradingClient):
        def _one_request(self, method: str, url: str, opts: Any, retry: int) -> Any:
            until = time.monotonic() + within
            with self._session.request(method, url, timeout=within, stream=True, **opts) as response:
                content, raw = bytearray(), response.raw
                while piece := raw.read1(65536, decode_content=True):
                    content += piece
                    if len(content) > MOST or time.monotonic() > until:
                        raise _TooMuch
                return response.status_code, response.headers, bytes(content)

        def end(self) -> None:
            self._session.close()

        def plainly(self) -> None:
            self._session.trust_env = False

    client = Client(keys.key, keys.secret, url_override=account.url)
    if account.url.startswith("http://"):
        client.plainly()  # on loopback: no proxy is asked
    return client


def _pause(headers: Any) -> float:
    """Seconds to wait as the headers say: so many, or until a time."""
    said, now = str(headers.get("Retry-After", "")), time.time()
    if said.isdecimal():
        return min(max(float(said), 1.0), LONGEST)
    reset = str(headers.get("X-RateLimit-Reset", ""))
    return min(max(float(reset) - now, 1.0), LONGEST) if reset.isdecimal() else GATE
