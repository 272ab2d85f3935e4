"""Where Prometheus scrapes: GET /metrics on loopback; and where anyone asks how the desk is: /healthz and /readyz."""

import logging
import socketserver
from collections.abc import Callable, Mapping
from functools import partial
from http.server import BaseHTTPRequestHandler
from threading import Lock, Thread
from typing import Any, Final

from prometheus_client import (
    CONTENT_TYPE_PLAIN_0_0_4,
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
)

from messages.errors import TroupeError
from telemetry.exposition import text
from telemetry.reader import provider
from telemetry.sources import Sources

HOST: Final = "127.0.0.1"
POLL: Final = 0.1
"""How many seconds it may take until the server notices that it is to end."""
PATIENCE: Final = 10.0
"""How many seconds a client may be silent."""
HANGS: Final = 5.0
"""How many seconds a scrape waits for the one before it; then that one hangs."""
JSON: Final = "application/json"
_log = logging.getLogger("troupe.telemetry")

Page = Callable[[], tuple[int, str, bytes]]
"""Status, type of content, content."""


class PortTaken(TroupeError):
    """The port for metrics cannot be had."""


class Exporter:
    """Shows the sources to whoever scrapes, until closed; a close waits for no client.

    `resource` says whose metrics these are, the same after a restart; `pages` are what else is answered, by path.
    """

    def __init__(
        self,
        sources: Sources,
        resource: Mapping[str, str] | None = None,
        pages: Mapping[str, Page] | None = None,
        hangs: float = HANGS,
    ) -> None:
        self._registry, self._reading, self._hangs = CollectorRegistry(), "", hangs
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self._registry)
        self._provider, self._scraping = provider(sources, self._registry, resource or {}, self._note), Lock()
        self._pages: dict[str, Page] = {"/metrics": self._scrape, **(pages or {})}
        self._server: _Server | None = None

    def serve(self, port: int) -> None:
        """Listen on this port of 127.0.0.1, on threads of its own; 0 is any free one. Raises PortTaken."""
        try:
            self._server = _Server((HOST, port), partial(_Handler, self.page))
        except OSError as error:
            raise PortTaken(
                f"127.0.0.1:{port}: metrics cannot be served there ({error.strerror}); set [metrics] port in "
                "desk.toml, 0 turns them off, or required = false to start without them"
            ) from error
        Thread(target=self._server.serve_forever, args=(POLL,), name="metrics", daemon=True).start()

    @property
    def port(self) -> int:
        """The port that it listens on, once it does."""
        assert self._server is not None
        return self._server.server_address[1]

    def page(self, path: str) -> tuple[int, str, bytes] | None:
        """What is answered at this path; None where there is nothing."""
        page = self._pages.get(path)
        return None if page is None else page()

    def close(self) -> None:
        """Give the port back."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
        self._provider.shutdown()

    def _note(self, reading: str) -> None:
        self._reading = reading

    def _scrape(self) -> tuple[int, str, bytes]:
        # Two at a time would mix up what the reader has collected.
        if not self._scraping.acquire(timeout=self._hangs):
            why = f"the scrape before this one hangs, in {self._reading}"
            _log.error("%s", why)
            return 503, "text/plain", f"{why}\n".encode()
        try:
            return 200, CONTENT_TYPE_PLAIN_0_0_4, text(self._registry)
        finally:
            self._scraping.release()


class _Server(socketserver.ThreadingTCPServer):
    """A thread for each client. Not http.server's, which asks the resolver for the host's name before it listens."""

    allow_reuse_address = True
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Called where a handler raised: a client that went away, or a scrape that failed."""
        _log.warning("a scrape failed", exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    timeout = PATIENCE

    def __init__(self, answer: Callable[[str], tuple[int, str, bytes] | None], *request: Any) -> None:
        self._answer = answer
        super().__init__(*request)  # handles the request

    def do_GET(self) -> None:
        answer = self._answer(self.path.partition("?")[0])
        if answer is None:
            self.send_error(404)
            return
        status, kind, body = answer
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002, the base class calls it so
        _log.debug(format, *args)
