"""The console: owns the HTTP server on the desk's socket."""

import threading
from typing import assert_never

import uvicorn

from actors.console.access import Access
from actors.console.server import application
from actors.console.sockets import listening
from actors.kernel.me import Me
from messages import console
from messages.console import ServerEnded
from storage.home import Home

PATIENCE = 0.25
"""Seconds for those who are being answered; a stop leaves each actor but a share of half the grace."""


class Console:
    """A server on a thread of its own; if that ends unasked, this crashes and is rebuilt with another."""

    def __init__(self, me: Me[console.Message], home: Home, access: Access) -> None:
        self._me, self._home, self._access = me, home, access
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    def on_start(self) -> None:
        """Listen; who connects from now on is served."""
        socket = listening(self._home.socket)
        config = uvicorn.Config(
            application(self._access, self._home),
            log_config=None,
            log_level="warning",
            access_log=False,
            lifespan="off",
            ws="none",  # nothing here speaks it; else uvicorn imports whatever another package has brought
        )
        self._server = server = uvicorn.Server(config)

        def serve() -> None:
            try:
                server.run(sockets=[socket])
                cause = "it was told to"
            except BaseException as error:
                cause = repr(error)
            self._me.after(0.0, ServerEnded(cause))

        self._thread = threading.Thread(target=serve, name="console-http", daemon=True)
        self._thread.start()

    def on_stop(self) -> None:
        """End the server; who waits for an answer has been told by then that the desk stops."""
        self._home.socket.unlink(missing_ok=True)
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join(timeout=PATIENCE)
            self._server.force_exit = True  # whoever has sent half a request is not waited for

    def on_receive(self, message: console.Message) -> None:
        """The whole protocol."""
        match message:
            case ServerEnded():
                raise RuntimeError(f"the HTTP server has ended: {message.cause}")
            case _:
                assert_never(message)
