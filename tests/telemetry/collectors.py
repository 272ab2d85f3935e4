"""Collectors of traces that do not take any, as addresses on loopback."""

import socket
import threading
from collections.abc import Generator
from contextlib import ExitStack, contextmanager


def address(server: socket.socket) -> str:
    """Where spans are sent to reach this."""
    return f"http://127.0.0.1:{server.getsockname()[1]}/v1/traces"


@contextmanager
def silent() -> Generator[str]:
    """Accepts, and never answers."""
    with ExitStack() as open_:
        server = open_.enter_context(socket.create_server(("127.0.0.1", 0)))

        def accept() -> None:
            while True:
                try:
                    open_.enter_context(server.accept()[0])
                except OSError:
                    return

        threading.Thread(target=accept, daemon=True).start()
        yield address(server)
        server.shutdown(socket.SHUT_RDWR)


@contextmanager
def refusing() -> Generator[str]:
    """Nobody listens there."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        gone = address(server)
    yield gone
