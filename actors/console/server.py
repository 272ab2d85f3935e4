"""The JSON API of a running desk. Handlers are edges: they run in threads of their own and may ask and wait."""

import os
from collections.abc import Callable
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from actors.console import rounds, views
from actors.console.access import Access
from actors.console.imports import import_holdings
from actors.console.rounds import Asked
from messages.errors import TroupeError
from storage import tasks
from storage.home import Home


class _Begin(msgspec.Struct, forbid_unknown_fields=True):
    again: bool = False


class _Holdings(msgspec.Struct, forbid_unknown_fields=True):
    origin: str
    text: str


def application(access: Access, home: Home) -> Starlette:
    """The API over this desk. Every answer is JSON; a refusal is {"error": sentence} with a status of 4xx or 503."""
    source = access.prices

    def status(request: Request, body: bytes) -> object:
        actors = tuple(
            views.ActorState(each.actor, each.state.value, each.waiting, each.cause) for each in access.system.observe()
        )
        return views.status(access.read, str(home.path), source, os.getpid(), actors)

    def list_tasks(request: Request, body: bytes) -> object:
        return tasks.newest(access.read, int(request.query_params.get("limit", "20")))

    def why(request: Request, body: bytes) -> object:
        return views.why(access.read, request.path_params["id"], source)

    def begin(request: Request, body: bytes) -> object:
        asked = msgspec.json.decode(body, type=_Begin)
        return {"correlation_id": rounds.begin(access, Asked(asked.again))}

    def holdings(request: Request, body: bytes) -> object:
        sent = msgspec.json.decode(body, type=_Holdings)
        file = import_holdings(access, sent.text, sent.origin)
        return {"holdings": len(file.lines), "cash": file.cash}

    return Starlette(
        routes=[
            Route("/status", _answering(status), methods=["GET"]),
            Route("/tasks", _answering(list_tasks), methods=["GET"]),
            Route("/why/{id}", _answering(why), methods=["GET"]),
            Route("/rounds", _answering(begin), methods=["POST"]),
            Route("/holdings", _answering(holdings), methods=["POST"]),
        ]
    )


def _answering(handler: Callable[[Request, bytes], object]) -> Callable[[Request], Any]:
    """Run the handler in a thread, and make JSON of what it returns or of why it will not."""

    async def endpoint(request: Request) -> Response:
        try:
            status, answer = 200, await run_in_threadpool(handler, request, await request.body())
        except (TroupeError, msgspec.DecodeError, ValueError) as error:
            status, answer = 422, {"error": str(error)}
        return Response(msgspec.json.encode(answer), status, media_type="application/json")

    return endpoint
