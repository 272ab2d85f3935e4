"""Speaking to a desk that runs in another process, over its socket."""

import http.client
import socket
from collections.abc import Generator
from pathlib import Path
from typing import Any

import msgspec

from actors.console.sockets import connected
from messages.errors import TroupeError

PATIENCE = 300.0
"""Seconds one call may take; a round's prices are refreshed within it."""


class NoAnswer(TroupeError):
    """Nobody answers at the socket."""


class DeskSays(TroupeError):
    """The running desk has refused, in its own words."""


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("desk", timeout=PATIENCE)
        self._path = path

    def connect(self) -> None:
        self.sock: socket.socket = connected(self._path, PATIENCE)


def answers(path: Path) -> bool:
    """Whether anyone listens there; what a killed desk has left behind does not."""
    try:
        connected(path, PATIENCE).close()
    except OSError:
        return False
    return True


def stream(path: Path, target: str, body: dict[str, Any]) -> Generator[Any]:
    """Send one request and yield each line of its JSON answer as it comes. Raises NoAnswer."""
    connection = _Connection(path)
    try:
        connection.request("POST", target, msgspec.json.encode(body))
        for line in connection.getresponse():
            if line.strip():
                yield msgspec.json.decode(line)
    except (OSError, http.client.HTTPException, msgspec.DecodeError) as error:
        raise NoAnswer(f"{path}: the desk does not answer ({error}); is it starting or stopping?") from error
    finally:
        connection.close()


def call(path: Path, method: str, target: str, body: dict[str, Any] | None = None) -> Any:
    """Send one request and return what its JSON answer says. Raises NoAnswer, DeskSays."""
    connection = _Connection(path)
    try:
        connection.request(method, target, msgspec.json.encode(body) if body is not None else None)
        response = connection.getresponse()
        answer = msgspec.json.decode(response.read())
    except (OSError, http.client.HTTPException, msgspec.DecodeError) as error:
        raise NoAnswer(f"{path}: the desk does not answer ({error}); is it starting or stopping?") from error
    finally:
        connection.close()
    if response.status >= 400:
        raise DeskSays(str(answer["error"]))
    return answer
