"""Where Prometheus scrapes: GET /metrics on loopback."""

import logging
import socketserver
from collections.abc import Callable
from functools import partial
from http.server import BaseHTTPRequestHandler
from threading import Lock, Thread
from typing import Any, Final

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, CollectorRegistry, generate_latest

from messages.errors import TroupeError
from telemetry.reader import provider
from telemetry.sources import Sources

HOST: Final = "127.0.0.1"
POLL: Final = 0.1
"""How many seconds it may take until the server notices that it is to end."""
PATIENCE: Final = 10.0
"""How many seconds a client may be silent."""
_log = logging.getLogger("troupe.telemetry")


class PortTaken(TroupeError):
    """The port for metrics cannot be had."""


class Exporter:
    """Shows the sources to whoever scrapes, until closed; a close waits for no client."""

    def __init__(self, sources: Sources) -> None:
        self._registry = CollectorRegistry()
        self._provider, self._scraping = provider(sources, self._registry), Lock()
        self._server: _Server | None = None

    def serve(self, port: int) -> None:
        """Listen on this port of 127.0.0.1, on threads of its own; 0 is any free one. Raises PortTaken."""
        try:
            self._server = _Server((HOST, port), partial(_Handler, self._scrape))
        except OSError as error:
            raise PortTaken(
                f"127.0.0.1:{port}: metrics cannot be served there ({error.strerror}); "
                "set [metrics] port in desk.toml; 0 turns them off"
            ) from error
        Thread(target=self._server.serve_forever, args=(POLL,), name="metrics", daemon=True).start()

    @property
    def port(self) -> int:
        """The port that it listens on, once it does."""
        assert self._server is not None
        return self._server.server_address[1]

    def close(self) -> None:
        """Give the port back."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
        self._provider.shutdown()

    def _scrape(self) -> bytes:
        with self._scraping:  # two at a time would mix up what the reader has collected
            return generate_latest(self._registry)


class _Server(socketserver.ThreadingTCPServer):
    """A thread for each client. Not http.server's, which asks the resolver for the host's name before it listens."""

    allow_reuse_address = True
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Called where a handler raised: a client that went away, or a scrape that failed."""
        _log.warning("a scrape failed", exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    timeout = PATIENCE

    def __init__(self, scrape: Callable[[], bytes], *request: Any) -> None:
        self._scrape = scrape
        super().__init__(*request)  # handles the request

    def do_GET(self) -> None:
        if self.path.partition("?")[0] != "/metrics":
            self.send_error(404)
            return
        body = self._scrape()
        self.send_response(200)
        self.send_header("Content-Type", CONTENT_TYPE_PLAIN_0_0_4)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002, the base class calls it so
        _log.debug(format, *args)
