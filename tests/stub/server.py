"""The server of the stub: it takes requests on loopback, remembers them, and lets a behaviour answer each."""

import json
import socket
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Condition, Thread
from types import TracebackType
from typing import Any, Final, Self

from tests.stub.analyst import Analyst
from tests.stub.exchange import Behaviour, Exchange, Gone, Request

LOOPBACK: Final = "127.0.0.1"
TITLING: Final = "You are naming a coding session"
"""The program asks this of itself beside each question, unless CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC is set."""


class Stub:
    """The Messages API at `address` for as long as its `with` block lasts.

    `default` answers the questions for which no other behaviour is queued. A request of the program's own, for a
    title, is answered in prose, counts nowhere and is kept in `asides`.
    """

    def __init__(self, default: Behaviour | None = None, *, port: int = 0) -> None:
        self.default: Behaviour = default or Analyst()
        self.requests: list[Request] = []
        self.asides: list[Request] = []
        self.errors: list[BaseException] = []
        self.in_flight = 0
        self.most_in_flight = 0
        self._queued: deque[Behaviour] = deque()
        self._changed = Condition()
        self._connections: set[socket.socket] = set()
        self._over = False
        self._closing, self._closed = socket.socketpair()
        self._server = _Server((LOOPBACK, port), partial(_Handler, self))
        self._server.on_error = self.errors.append
        self._thread = Thread(target=partial(self._server.serve_forever, poll_interval=0.02), name="stub")
        self.address = f"http://{LOOPBACK}:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()
        if self.errors and error is None:
            raise self.errors[0]

    def close(self) -> None:
        """End every answer and connection, and wait for their threads."""
        if self._over:
            return
        self._server.shutdown()
        self._thread.join()
        self._closing.close()
        with self._changed:
            self._over = True
            for connection in self._connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        self._server.server_close()
        self._closed.close()

    def will(self, *behaviours: Behaviour) -> None:
        """Let these answer the next questions, in this order; each answers one request."""
        with self._changed:
            self._queued.extend(behaviours)

    @property
    def queued(self) -> Sequence[Behaviour]:
        """What has not been needed yet."""
        with self._changed:
            return tuple(self._queued)

    def wait_until(self, holds: Callable[["Stub"], bool], within: float = 10.0) -> bool:
        """Wait until this is true of the stub; it is looked at whenever a request comes or ends."""
        with self._changed:
            return self._changed.wait_for(lambda: holds(self), within)

    def wait_for_request(self, number: int = 1, within: float = 10.0) -> Request:
        """Wait until so many requests have come, and return that one, the first being 1."""
        assert self.wait_until(lambda stub: len(stub.requests) >= number, within), f"no request {number}"
        return self.requests[number - 1]

    def met(self, connection: socket.socket) -> None:
        """A client has connected."""
        with self._changed:
            self._connections.add(connection)
            if self._over:
                connection.shutdown(socket.SHUT_RDWR)

    def parted(self, connection: socket.socket) -> None:
        """A client has gone."""
        with self._changed:
            self._connections.discard(connection)

    def _begin(self, body: dict[str, Any], headers: dict[str, str], *, aside: bool) -> tuple[Request, Behaviour]:
        with self._changed:
            if aside:
                behaviour: Behaviour = Analyst()
            else:
                behaviour = self._queued.popleft() if self._queued else self.default
                self.in_flight += 1
                self.most_in_flight = max(self.most_in_flight, self.in_flight)
            request = Request(body, headers, repr(behaviour), time.monotonic())
            (self.asides if aside else self.requests).append(request)
            self._changed.notify_all()
        return request, behaviour

    def _end(self, request: Request, *, aside: bool) -> None:
        with self._changed:
            request.ended = time.monotonic()
            self.in_flight -= not aside
            self._changed.notify_all()

    def answer(self, handler: "_Handler", body: dict[str, Any]) -> None:
        """Let the behaviour whose turn it is answer this question."""
        aside = TITLING in json.dumps(body.get("system"))
        request, behaviour = self._begin(body, dict(handler.headers.items()), aside=aside)
        try:
            behaviour(Exchange(handler, request, self._closed))
        except (Gone, ConnectionError):
            handler.close_connection = True
        finally:
            self._end(request, aside=aside)


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # closing waits for them all, so that none is left behind
    request_queue_size = 128
    on_error: Callable[[BaseException], None]

    def handle_error(self, request: Any, client_address: Any) -> None:
        error = sys.exception()
        if error is not None and not isinstance(error, ConnectionError):
            self.on_error(error)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def __init__(self, stub: Stub, *arguments: Any) -> None:
        self.stub = stub
        super().__init__(*arguments)

    def setup(self) -> None:
        super().setup()
        self.stub.met(self.connection)

    def finish(self) -> None:
        self.stub.parted(self.connection)
        super().finish()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, the base class names it so
        """Nothing: a test says what it wants to know."""

    def do_HEAD(self) -> None:
        self._plain(b"")

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("content-length", "0"))) or b"{}")
        match self.path.split("?", 1)[0]:
            case "/v1/messages":
                self.stub.answer(self, body)
            case "/v1/messages/count_tokens":
                self._plain(json.dumps({"input_tokens": len(json.dumps(body)) // 4}).encode())
            case _:
                self.send_error(404)

    def _plain(self, content: bytes) -> None:
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
