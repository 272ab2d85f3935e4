"""One request to the stub, and the ways in which a behaviour may answer it."""

import json
import select
import socket
import struct
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import Any, Final

from tests.stub.replies import Json, Reply, events, is_delta, whole

_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)


class Gone(Exception):
    """The client has hung up, or the stub is closing."""


@dataclass(slots=True)
class Request:
    """What came: the body, the headers, who answers, and when it began and ended on the monotonic clock."""

    body: Json
    headers: Mapping[str, str]
    behaviour: str
    begun: float
    ended: float | None = None


class Exchange:
    """A request that waits for its answer."""

    def __init__(self, handler: BaseHTTPRequestHandler, request: Request, closed: socket.socket) -> None:
        self.body = request.body
        self._request = request
        self._handler = handler
        self._connection: socket.socket = handler.connection
        self._closed = closed

    def fail(self, status: int, kind: str, sentence: str, headers: Mapping[str, str] | None = None) -> None:
        """Answer with an error of the API, such as 529 and `overloaded_error`."""
        error = {"type": "error", "error": {"type": kind, "message": sentence}, "request_id": "req_stub"}
        self._whole(status, error, headers or {})

    def send(self, reply: Reply) -> None:
        """Answer with this; a stream takes the reply's seconds, evenly."""
        if self.body.get("stream") is not True:
            self.wait(reply.seconds)
            self._whole(200, whole(self.body, reply), {})
            return
        self.begin(reply)
        self.end()

    def begin(self, reply: Reply, share: float = 1.0) -> None:
        """Stream this share of the reply's pieces, and leave the stream open."""
        begun = time.monotonic()
        planned = list(events(self.body, reply))
        pieces = sum(map(is_delta, planned))
        self._open_stream()
        sent = 0
        for event in planned:
            if is_delta(event):
                if sent >= share * pieces:
                    return
                self.wait(begun + reply.seconds * sent / pieces - time.monotonic())
                sent += 1
            elif event["type"] == "message_delta":
                self.wait(begun + reply.seconds - time.monotonic())
            self.event(event)

    def event(self, event: Mapping[str, Any]) -> None:
        """Send one event of a stream."""
        self._chunk(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())

    def end(self) -> None:
        """End the stream as it should be ended."""
        self._chunk(b"")

    def answered_by(self, behaviour: "Behaviour") -> None:
        """Write down that in truth this one answers."""
        self._request.behaviour = repr(behaviour)

    def wait(self, seconds: float | None) -> None:
        """Wait so long, or for ever; raises Gone as soon as the client hangs up or the stub closes."""
        if seconds is not None and seconds <= 0:
            return
        poll = select.poll()
        poll.register(self._connection, select.POLLIN)
        poll.register(self._closed, select.POLLIN)
        if poll.poll(None if seconds is None else seconds * 1000):
            raise Gone

    def reset(self) -> None:
        """Drop the connection with a reset, in the middle of whatever was sent."""
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        socket.close(self._connection.detach())
        self._handler.close_connection = True

    def _open_stream(self) -> None:
        self._head(200, {"content-type": "text/event-stream", "transfer-encoding": "chunked"})

    def _whole(self, status: int, content: Json, headers: Mapping[str, str]) -> None:
        packed = json.dumps(content).encode()
        self._head(status, {"content-type": "application/json", "content-length": str(len(packed)), **headers})
        self._handler.wfile.write(packed)

    def _head(self, status: int, headers: Mapping[str, str]) -> None:
        self._handler.send_response(status)
        for name, value in {"request-id": "req_stub", **headers}.items():
            self._handler.send_header(name, value)
        self._handler.end_headers()

    def _chunk(self, content: bytes) -> None:
        self._handler.wfile.write(b"%x\r\n%s\r\n" % (len(content), content))


Behaviour = Callable[[Exchange], None]
"""Answers one request. Its `repr` stands in the request's record."""
