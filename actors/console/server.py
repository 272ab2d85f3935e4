"""The JSON API of a running desk. Handlers are edges: they run in threads of their own and may ask and wait."""

import os
import re
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any, Final

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from actors.console import (
    asking,
    backups,
    calendars,
    claude,
    queues,
    rounds,
    talking,
    trace,
    trading,
    views,
)
from actors.console.access import Access, DeskFailed, DeskRefused
from actors.console.asking import Mode
from actors.console.encoding import encoded
from actors.console.health import health
from actors.console.imports import import_holdings
from actors.console.rounds import Asked
from actors.console.talking import Wanted
from messages.errors import TroupeError
from messages.trading import TradingState
from storage import task_orders, tasks
from storage.home import Home

MOST: Final = 10_000
"""Tasks that are listed at once."""
LARGEST: Final = 4_000_000
"""Bytes a request may have; a file of holdings has a quarter of it at most."""
NOT_NOW: Final = frozenset({"full", "down", "late", "crashed", "halted"})
"""Refusals that say: try again later."""


class BadRequest(TroupeError):
    """What was sent cannot be meant."""


class _Begin(msgspec.Struct, forbid_unknown_fields=True):
    again: bool = False
    claude: Mode = "off"


class _Holdings(msgspec.Struct, forbid_unknown_fields=True):
    origin: str
    text: str


class _Reason(msgspec.Struct, forbid_unknown_fields=True):
    reason: str = ""


class _State(msgspec.Struct, forbid_unknown_fields=True):
    state: TradingState
    scope: str
    why: str
    flatten: bool | None = None


class _Given(msgspec.Struct, forbid_unknown_fields=True):
    mandate: trading.Wanted | None


def application(access: Access, home: Home) -> Starlette:
    """The API over this desk: every answer is JSON, a refusal {"error": sentence}, 503 if trying again may help."""
    source = access.prices

    def status(request: Request, body: bytes) -> object:
        actors = tuple(
            views.ActorState(each.actor, each.state.value, each.waiting, each.cause) for each in access.system.observe()
        )
        how = health(access)
        market = calendars.market(access.read, access.calendar, access.system.clock.utc())
        return views.status(
            access.read, str(home.path), source, os.getpid(), actors, how, market=market, real_money=access.real_money
        )

    def asking_after(what: str) -> Callable[[Request], Any]:
        def answer(request: Request, body: bytes) -> Response:
            found = health(access)
            return _json(200 if getattr(found, what) else 503, found)

        return _answering(answer)

    def list_tasks(request: Request, body: bytes) -> object:
        limit = request.query_params.get("limit", "20")
        if not re.fullmatch("[0-9]{1,5}", limit, re.ASCII) or not 1 <= int(limit) <= MOST:
            raise BadRequest(f"limit = {limit}: write a number from 1 to {MOST}")
        return tasks.newest(access.read, int(limit))

    def one_task(request: Request, body: bytes) -> object:
        return task_orders.whole(access.read, queues.number(request.path_params["id"]))

    def ordering(what: queues.What) -> Callable[[Request, bytes], object]:
        return lambda request, body: queues.order(access, what, request.path_params["of"])

    def why(request: Request, body: bytes) -> object:
        return views.why(access.read, request.path_params["id"], source)

    def one_trace(request: Request, body: bytes) -> object:
        return trace.trace(access.read, request.path_params["id"])

    def begin(request: Request, body: bytes) -> object:
        asked = msgspec.json.decode(body, type=_Begin)
        return {"correlation_id": rounds.begin(access, Asked(asked.again, asked.claude))}

    def terms(request: Request, body: bytes) -> object:
        return asking.terms(access, len(rounds.concerned(access)))

    def consent(request: Request, body: bytes) -> object:
        asking.agree(access)
        return {}

    def claude_state(request: Request, body: bytes) -> object:
        return claude.state(access.read, access.asking, access.system.clock.utc(), claude.look(access))

    def reset(request: Request, body: bytes) -> object:
        asking.reset(access)
        return {}

    def progress(request: Request, body: bytes) -> object:
        after = request.query_params.get("after", "0")
        if not re.fullmatch("[0-9]{1,18}", after, re.ASCII):
            raise BadRequest(f"after = {after}: write the number of the last progress")
        return talking.glance(access, request.path_params["of"], int(after))

    async def question(request: Request) -> Response:
        try:
            wanted = msgspec.json.decode(await _body(request), type=Wanted)
        except (BadRequest, msgspec.DecodeError) as error:
            return _json(422, {"error": str(error)})
        return _Told(talking.ask(access, wanted))

    def holdings(request: Request, body: bytes) -> object:
        sent = msgspec.json.decode(body, type=_Holdings)
        file = import_holdings(access, sent.text, sent.origin)
        return {"holdings": len(file.lines), "cash": file.cash}

    def back_up(request: Request, body: bytes) -> object:
        return backups.begin(access)

    def list_orders(request: Request, body: bytes) -> object:
        return trading.trading(access.read, access.broker, 100, access.halted(), access.real_money)

    def saying(what: trading.What) -> Callable[[Request, bytes], object]:
        return lambda request, body: trading.say(
            access, what, request.path_params["of"], msgspec.json.decode(body, type=_Reason).reason
        )

    def amend(request: Request, body: bytes) -> object:
        prices = msgspec.json.decode(body, type=trading.Prices)
        return trading.amend(access, request.path_params["of"], prices)

    def set_state(request: Request, body: bytes) -> object:
        wanted = msgspec.json.decode(body, type=_State)
        return trading.set_state(access, wanted.state, wanted.scope, wanted.why, flatten=wanted.flatten)

    def give(request: Request, body: bytes) -> object:
        wanted = msgspec.json.decode(body, type=_Given).mandate
        return trading.take_back(access) if wanted is None else trading.give(access, wanted)

    return Starlette(
        exception_handlers={HTTPException: _unknown, Exception: _bug},
        routes=[
            Route("/status", _answering(status), methods=["GET"]),
            Route("/healthz", asking_after("alive"), methods=["GET"]),
            Route("/readyz", asking_after("ready"), methods=["GET"]),
            Route("/tasks", _answering(list_tasks), methods=["GET"]),
            Route("/tasks/{id}", _answering(one_task), methods=["GET"]),
            Route("/tasks/{of}/cancel", _answering(ordering("cancel")), methods=["POST"]),
            Route("/tasks/{of}/requeue", _answering(ordering("requeue")), methods=["POST"]),
            Route("/queues/{of}/pause", _answering(ordering("pause")), methods=["POST"]),
            Route("/queues/{of}/resume", _answering(ordering("resume")), methods=["POST"]),
            Route("/orders", _answering(list_orders), methods=["GET"]),
            Route("/orders/{of}/approve", _answering(saying("approve")), methods=["POST"]),
            Route("/orders/{of}/reject", _answering(saying("reject")), methods=["POST"]),
            Route("/orders/{of}/cancel", _answering(saying("cancel")), methods=["POST"]),
            Route("/orders/{of}/amend", _answering(amend), methods=["POST"]),
            Route("/mandate", _answering(give), methods=["POST"]),
            Route("/trading", _answering(set_state), methods=["POST"]),
            Route("/why/{id}", _answering(why), methods=["GET"]),
            Route("/trace/{id}", _answering(one_trace), methods=["GET"]),
            Route("/rounds", _answering(begin), methods=["POST"]),
            Route("/terms", _answering(terms), methods=["GET"]),
            Route("/consent", _answering(consent), methods=["POST"]),
            Route("/claude", _answering(claude_state), methods=["GET"]),
            Route("/claude/reset", _answering(reset), methods=["POST"]),
            Route("/progress/{of}", _answering(progress), methods=["GET"]),
            Route("/questions", question, methods=["POST"]),
            Route("/backups", _answering(back_up), methods=["POST"]),
            Route("/holdings", _answering(holdings), methods=["POST"]),
        ],
    )


class _Told(StreamingResponse):
    """Lines of JSON as they come. Whoever hangs up has told no more, at once and not when the garbage is collected."""

    def __init__(self, told: Generator[object]) -> None:
        super().__init__(_lines(told), media_type="application/x-ndjson")
        self._told = told

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._told.close()


def _lines(told: Iterable[object]) -> Iterator[bytes]:
    """A line of JSON for each, an empty one for the same again, and one that says why if it breaks off."""
    last: object = None
    try:
        for each in told:
            yield b"\n" if each == last else encoded(each) + b"\n"
            last = each
    except TroupeError as error:
        yield encoded({"error": str(error)}) + b"\n"


def _answering(handler: Callable[[Request, bytes], object]) -> Callable[[Request], Any]:
    """Run the handler in a thread, and make JSON of what it returns or of why it will not."""

    async def endpoint(request: Request) -> Response:
        try:
            answer = await run_in_threadpool(handler, request, await _body(request))
            return answer if isinstance(answer, Response) else _json(200, answer)
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
