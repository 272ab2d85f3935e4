"""The stub's servers: HTTP and a websocket, both on loopback, which remember what was asked of them."""

import datetime as dt
import json
import sys
from collections import deque
from contextlib import suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Condition, Event, Thread
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import parse_qsl, urlsplit

from actors.brokers.alpaca_account import Account, Keys, on_loopback
from tests.stub_alpaca import shapes
from tests.stub_alpaca.exchange import Exchange
from tests.stub_alpaca.faults import Answer, Fault

LOOPBACK: Final = "127.0.0.1"
MOST: Final = 10_000
"""Requests it takes at all."""


class Stub:
    """Alpaca, for as long as its `with` block lasts. `exchange` is what it keeps, `asked` all that was asked of it."""

    def __init__(self) -> None:
        from websockets.sync.server import serve

        self.exchange = Exchange()
        self.keys = Keys("stub-key", "stub-secret")
        self.asked = list[tuple[str, str, shapes.Json]]()
        self.errors = list[BaseException]()
        self.over = Event()
        self.authorised = True
        self._faults, self._always = dict[str, deque[Fault]](), dict[str, Fault]()
        self._changed = Condition()
        self._listening = list[Any]()
        self._http = _Server((LOOPBACK, 0), partial(_Handler, self))
        self._http.on_error = self.errors.append
        self._websocket: Any = serve(self._hear, LOOPBACK, 0, close_timeout=1)
        port = self._websocket.socket.getsockname()[1]
        self.account: Account = on_loopback(
            f"http://{LOOPBACK}:{self._http.server_address[1]}", f"ws://{LOOPBACK}:{port}/stream"
        )
        serving = partial(self._http.serve_forever, poll_interval=0.02)
        self._threads = [Thread(target=serving), Thread(target=self._websocket.serve_forever)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.over.set()
        self._http.shutdown()
        self._http.server_close()
        self.cut()
        self._websocket.shutdown()
        for thread in self._threads:
            thread.join()
        if self.errors and error is None:
            raise self.errors[0]

    def will(self, *faults: Fault, on: str = "POST /orders") -> None:
        """Let these answer the next requests of this kind, in this order."""
        self._faults.setdefault(on, deque()).extend(faults)

    def always(self, fault: Fault | None, on: str) -> None:
        """Let this answer all requests of this kind that none of the others answers; None is over with it."""
        self._always.pop(on, None)
        if fault is not None:
            self._always[on] = fault

    def count(self, method: str) -> int:
        """How many requests of a method there were."""
        return sum(one == method for one, _, _ in self.asked)

    def announce(self, message: object) -> None:
        """Tell those who listen; in binary frames, as the paper account does."""
        from websockets.exceptions import ConnectionClosed

        content = message if isinstance(message, bytes) else json.dumps(message).encode()
        with self._changed:
            for one in list(self._listening):
                try:
                    one.send(content)
                except ConnectionClosed:  # a desk that has ended
                    self._listening.remove(one)

    def wait_for_listeners(self, number: int = 1, within: float = 10.0) -> bool:
        """Wait until so many listen."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self._listening) >= number, within)

    def cut(self) -> None:
        """End all streams."""
        with self._changed:
            listening, self._listening = self._listening, []
        for one in listening:
            one.close()

    def answer(self, method: str, path: str, told: shapes.Json, headers: Any) -> Answer:
        """Carry it out, unless a fault is due."""
        assert len(self.asked) < MOST, "the stub was asked too often"
        self.asked.append((method, path, told))
        if (headers["APCA-API-KEY-ID"], headers["APCA-API-SECRET-KEY"]) != (self.keys.key, self.keys.secret):
            return Answer(401, json.dumps(shapes.no(40110000, "request is not authorized")).encode())
        carry = partial(self.exchange.carry_out, method, path, told)
        kind = f"{method} {path}"
        if waiting := self._faults.get(kind):
            return waiting.popleft()(carry, self.over)
        return self._always[kind](carry, self.over) if kind in self._always else carry()

    def _hear(self, there: Any) -> None:
        from websockets.exceptions import ConnectionClosed

        with suppress(ConnectionClosed):
            first = json.loads(there.recv(5))
            allowed = self.authorised and first["data"] == {"key_id": self.keys.key, "secret_key": self.keys.secret}
            said = {"status": "authorized" if allowed else "unauthorized", "action": "authenticate"}
            there.send(json.dumps({"stream": "authorization", "data": said}).encode())
            streams = json.loads(there.recv(5))["data"]["streams"]
            there.send(json.dumps({"stream": "listening", "data": {"streams": streams}}).encode())
            with self._changed:
                self._listening.append(there)
                self._changed.notify_all()
            with suppress(TimeoutError):
                there.recv(60)  # until either side goes

    def fill(self, client_id: str, quantity: str, price: str, *, tell: bool = True, late: float = 0) -> shapes.Json:
        """Execute a part of an order, and say so; the activity, as it is listed."""
        activity, order = self.exchange.fill(client_id, quantity, price, dt.timedelta(seconds=-late))
        if tell:
            event = "fill" if activity["leaves_qty"] == "0" else "partial_fill"
            self.announce(shapes.update(event, order, self.exchange.now, price=price, qty=quantity, position_qty="1"))
        return activity


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # closing waits for them all
    on_error: Any

    def handle_error(self, request: Any, client_address: Any) -> None:
        error = sys.exception()
        if error is not None and not isinstance(error, ConnectionError):
            self.on_error(error)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 2  # seconds an idle connection is kept, so that closing does not wait for one

    def __init__(self, stub: Stub, *arguments: Any) -> None:
        self.stub = stub
        super().__init__(*arguments)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, the base class names it so
        """Nothing."""

    def do_GET(self) -> None:
        self._answer("GET")

    def do_POST(self) -> None:
        self._answer("POST")

    def do_PATCH(self) -> None:
        self._answer("PATCH")

    def do_DELETE(self) -> None:
        self._answer("DELETE")

    def _answer(self, method: str) -> None:
        parts = urlsplit(self.path)
        told: shapes.Json = dict(parse_qsl(parts.query))
        if length := int(self.headers.get("content-length", "0")):
            told = json.loads(self.rfile.read(length))
        answer = self.stub.answer(method, parts.path.removeprefix("/v2"), told, self.headers)
        if answer.cut or self.stub.over.is_set():
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(answer.body)))
        self.end_headers()
        if not answer.drip:
            self.wfile.write(answer.body)
            return
        self.close_connection = True
        for one in answer.body:
            self.wfile.write(bytes([one]))
            if self.stub.over.wait(answer.drip):
                return
