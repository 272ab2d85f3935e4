"""The API without a socket: which status an error has, and that every answer is JSON."""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from actors.console.access import DeskFailed, DeskRefused
from actors.console.encoding import encoded
from actors.console.server import LARGEST, application
from actors.console.trace import trace
from messages.addresses import Refused
from storage.home import Home
from tests.desks import StagedDesk

Call = Callable[..., tuple[int, Any]]


@pytest.fixture
def call(desk: StagedDesk, home: Home) -> Call:
    """Sends one request to the API of the desk; the status and the JSON of the answer."""
    app = application(desk.access, home)

    def send(method: str, target: str, body: bytes = b"", errors: list[Exception] | None = None) -> tuple[int, Any]:
        return asyncio.run(_exchange(app, method, target, body, [] if errors is None else errors))

    return send


async def _exchange(app: Any, method: str, target: str, body: bytes, errors: list[Exception]) -> tuple[int, Any]:
    path, _, query = target.partition("?")
    scope: dict[str, object] = {
        "type": "http", "http_version": "1.1", "method": method, "path": path, "raw_path": path.encode(),
        "query_string": query.encode(), "headers": [], "scheme": "http", "server": ("desk", 80), "root_path": "",
    }  # fmt: skip
    sent = list[dict[str, Any]]()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    try:
        await app(scope, receive, send)
    except Exception as error:  # for the log, after the answer
        errors.append(error)
    start, *parts = sent
    assert (b"content-type", b"application/json") in start["headers"]
    return start["status"], msgspec.json.decode(b"".join(part["body"] for part in parts))


def test_whether_it_is_alive_and_ready_is_said_with_the_reasons(call: Call, desk: StagedDesk) -> None:
    well = call("GET", "/healthz"), call("GET", "/readyz")
    desk.desk.operations.held = "the disk is full"
    held = call("GET", "/healthz")[0], call("GET", "/readyz")
    status = call("GET", "/status")[1]
    desk.desk.operations.held = None

    assert [code for code, _ in well] == [200, 200]
    assert held[0] == 200
    assert (held[1][0], held[1][1]["reasons"]) == (503, ["nothing is committed: the disk is full"])
    assert status["held"] == "the disk is full"
    assert status["health"]["ready"] is False


@pytest.mark.parametrize(
    ("method", "target", "status", "sentence"),
    [
        ("GET", "/", 404, "GET /: Not Found"),
        ("GET", "/why", 404, "GET /why: Not Found"),
        ("GET", "/rounds", 405, "GET /rounds: Method Not Allowed"),
        ("DELETE", "/tasks", 405, "DELETE /tasks: Method Not Allowed"),
        ("GET", "/trace", 404, "GET /trace: Not Found"),
        ("GET", "/why/zzzz", 422, "why zzzz: is not the id of a recommendation; `run.py once` prints their ids"),
    ],
)
def test_what_there_is_not_is_said_in_json(call: Call, method: str, target: str, status: int, sentence: str) -> None:
    assert call(method, target) == (status, {"error": sentence})


def test_claude_is_shown_with_its_programs_and_its_breaker_is_reset(call: Call) -> None:
    status, answer = call("GET", "/claude")

    assert status == 200
    assert list(answer) == ["model", "price", "consent", "breaker", "ceilings", "spent", "failures", "live"]
    assert answer["live"] == {"programs": [], "questions": 0}
    assert call("POST", "/claude/reset") == (200, {})
    assert call("GET", "/claude/reset")[0] == 405


@pytest.mark.parametrize("limit", ["0", "10001", "-1", "1e3", "", "x", "99999999999999999999", "%D9%A3", "1.0"])
def test_a_limit_that_is_none_is_refused(call: Call, limit: str) -> None:
    status, answer = call("GET", f"/tasks?limit={limit}")

    assert status == 422
    assert answer["error"].startswith("limit = ")
    assert answer["error"].endswith(": write a number from 1 to 10000")


@pytest.mark.parametrize("limit", ["1", "10000"])
def test_a_limit_from_one_to_ten_thousand_is_taken(call: Call, limit: str) -> None:
    assert call("GET", f"/tasks?limit={limit}") == (200, [])


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"again": 1}', b'{"agian": true}', b"\xff"])
def test_a_body_that_is_not_what_is_asked_for_is_refused(call: Call, body: bytes) -> None:
    status, answer = call("POST", "/rounds", body)

    assert status == 422
    assert list(answer) == ["error"]


def test_a_body_of_more_than_four_megabytes_is_refused(call: Call) -> None:
    largest = b'{"origin": "", "text": ""}'.ljust(LARGEST)

    assert call("POST", "/holdings", largest + b" ") == (422, {"error": "the body has more than 4 MB"})
    assert call("POST", "/holdings", largest)[1]["error"].startswith(" line 1: the header is ''")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (DeskFailed("the desk has stopped: it was told to"), 503),
        *((DeskRefused(Refused(None, code, "tasks is busy")), 503) for code in ("full", "down", "late", "crashed")),
        (DeskRefused(Refused(None, "invalid", "no such symbol")), 422),
    ],
)
def test_what_is_worth_another_try_is_told_from_what_is_not(
    call: Call, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int
) -> None:
    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr("actors.console.rounds.begin", refuse)

    assert call("POST", "/rounds", b"{}") == (status, {"error": str(error)})


def test_a_desk_that_has_stopped_is_worth_another_try(home: Home) -> None:
    desk = StagedDesk(home).start()
    desk.import_text("symbol,quantity,cost\nAAPL,1,1\n")
    desk.stop()

    assert asyncio.run(_exchange(application(desk.access, home), "POST", "/rounds", b"{}", [])) == (
        503, {"error": "tasks is down"}
    )  # fmt: skip


def test_a_bug_is_said_in_json_and_goes_to_the_log(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def stumble(*_: object) -> None:
        raise ZeroDivisionError("by none")

    monkeypatch.setattr("actors.console.rounds.begin", stumble)
    errors = list[Exception]()

    assert call("POST", "/rounds", b"{}", errors) == (
        500, {"error": "POST /rounds: ZeroDivisionError('by none'); the stack is in desk.log"}
    )  # fmt: skip
    assert [repr(error) for error in errors] == ["ZeroDivisionError('by none')"]


def test_a_trace_is_the_same_as_the_command_shows(call: Call, desk: StagedDesk) -> None:
    desk.import_text("symbol,quantity,cost\nAAPL,10,100\n")
    [(about,)] = desk.read.rows(tuple[str], "SELECT correlation_id FROM ledger_transactions")

    assert call("GET", f"/trace/{about}") == (200, msgspec.json.decode(encoded(trace(desk.read, about))))


def test_a_queue_is_paused_seen_so_and_resumed(call: Call) -> None:
    paused = call("POST", "/queues/data/pause")
    shown = call("GET", "/status")[1]["queues"]
    resumed = call("POST", "/queues/data/resume")

    assert paused == (200, {"sentence": "queue data is paused; what is leased of it goes on"})
    assert shown == [{"queue": "data", "tasks": {}, "paused": True}]
    assert resumed == (200, {"sentence": "queue data goes on"})
    assert call("GET", "/status")[1]["queues"] == []


@pytest.mark.parametrize(
    ("method", "target", "sentence"),
    [
        ("POST", "/queues/date/pause", "queue date: is none; there are portfolio, data, analysis"),
        ("POST", "/tasks/7/cancel", "task 7: there is none; `run.py tasks` lists the newest"),
        ("POST", "/tasks/7/requeue", "task 7: there is none; `run.py tasks` lists the newest"),
        ("GET", "/tasks/7", "task 7: there is none; `run.py tasks` lists the newest"),
        ("POST", "/tasks/x/cancel", "task x: write its number, which `run.py tasks` shows first"),
        ("GET", f"/tasks/{2**63}", f"task {2**63}: write its number, which `run.py tasks` shows first"),
    ],
)  # fmt: skip
def test_an_order_that_cannot_be_meant_is_refused(call: Call, method: str, target: str, sentence: str) -> None:
    assert call(method, target) == (422, {"error": sentence})
