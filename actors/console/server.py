"""The JSON API of a running desk. Handlers are edges: they run in threads of their own and may ask and wait."""

import os
import re
from collections.abc import Callable
from typing import Any, Final

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from actors.console import asking, rounds, views
from actors.console.access import Access, DeskFailed, DeskRefused
from actors.console.asking import Mode
from actors.console.encoding import encoded
from actors.console.imports import import_holdings
from actors.console.rounds import Asked
from messages.errors import TroupeError
from storage import tasks
from storage.home import Home

MOST: Final = 10_000
"""Tasks that are listed at once."""
LARGEST: Final = 4_000_000
"""Bytes a request may have; a file of holdings has a quarter of it at most."""
NOT_NOW: Final = frozenset({"full", "down", "late", "crashed"})
"""Refusals that say: try again later."""


class BadRequest(TroupeError):
    """What was sent cannot be meant."""


class _Begin(msgspec.Struct, forbid_unknown_fields=True):
    again: bool = False
    claude: Mode = "off"


class _Holdings(msgspec.Struct, forbid_unknown_fields=True):
    origin: str
    text: str


def application(access: Access, home: Home) -> Starlette:
    """The API over this desk: every answer is JSON, a refusal {"error": sentence}, 503 if trying again may help."""
    source = access.prices

    def status(request: Request, body: bytes) -> object:
        actors = tuple(
            views.ActorState(each.actor, each.state.value, each.waiting, each.cause) for each in access.system.observe()
        )
        return views.status(access.read, str(home.path), source, os.getpid(), actors)

    def list_tasks(request: Request, body: bytes) -> object:
        limit = request.query_params.get("limit", "20")
        if not re.fullmatch("[0-9]{1,5}", limit, re.ASCII) or not 1 <= int(limit) <= MOST:
            raise BadRequest(f"limit = {limit}: write a number from 1 to {MOST}")
        return tasks.newest(access.read, int(limit))

    def why(request: Request, body: bytes) -> object:
        return views.why(access.read, request.path_params["id"], source)

    def begin(request: Request, body: bytes) -> object:
        asked = msgspec.json.decode(body, type=_Begin)
        return {"correlation_id": rounds.begin(access, Asked(asked.again, asked.claude))}

    def terms(request: Request, body: bytes) -> object:
        return asking.terms(access, len(rounds.concerned(access)))

    def consent(request: Request, body: bytes) -> object:
        asking.agree(access)
        return {}

    def holdings(request: Request, body: bytes) -> object:
        sent = msgspec.json.decode(body, type=_Holdings)
        file = import_holdings(access, sent.text, sent.origin)
        return {"holdings": len(file.lines), "cash": file.cash}

    return Starlette(
        exception_handlers={HTTPException: _unknown, Exception: _bug},
        routes=[
            Route("/status", _answering(status), methods=["GET"]),
            Route("/tasks", _answering(list_tasks), methods=["GET"]),
            Route("/why/{id}", _answering(why), methods=["GET"]),
            Route("/rounds", _answering(begin), methods=["POST"]),
            Route("/terms", _answering(terms), methods=["GET"]),
            Route("/consent", _answering(consent), methods=["POST"]),
            Route("/holdings", _answering(holdings), methods=["POST"]),
        ],
    )


def _answering(handler: Callable[[Request, bytes], object]) -> Callable[[Request], Any]:
    """Run the handler in a thread, and make JSON of what it returns or of why it will not."""

    async def endpoint(request: Request) -> Response:
        try:
            return _json(200, await run_in_threadpool(handler, request, await _body(request)))
        except (DeskFailed, DeskRefused) as error:
            later = isinstance(error, DeskFailed) or error.code in NOT_NOW
            return _json(503 if later else 422, {"error": str(error)})
        except (TroupeError, msgspec.DecodeError) as error:
            return _json(422, {"error": str(error)})

    return endpoint


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > LARGEST:
            raise BadRequest(f"the body has more than {LARGEST / 1e6:g} MB")
    return bytes(body)


def _unknown(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _json(error.status_code, {"error": f"{request.method} {request.url.path}: {error.detail}"})


def _bug(request: Request, error: Exception) -> Response:
    return _json(500, {"error": f"{request.method} {request.url.path}: {error!r}; the stack is in desk.log"})


def _json(status: int, answer: object) -> Response:
    return Response(encoded(answer), status, media_type="application/json")
