"""The API over the socket of a desk that serves, spoken to as any program may."""

import json
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from signal import SIGTERM
from threading import Event
from typing import Any

import pytest

from actors.console.sockets import connected
from tests.end_to_end.places import Place

TINY = "symbol,quantity,cost\nIBM,0.00000001,100\nCASH:USD,0.00000001,1\n"


class Connection(HTTPConnection):
    """A connection to this socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("desk", timeout=30)
        self._path = path

    def connect(self) -> None:
        self.sock = connected(self._path, 30)


def ask(place: Place, method: str, target: str, body: bytes | None = None) -> tuple[int, Any]:
    """Status and JSON of the answer. Raises OSError or HTTPException where there is none."""
    connection = Connection(place.home / "control.sock")
    try:
        connection.request(method, target, body)
        response = connection.getresponse()
        content = response.read()
        assert response.headers["content-type"] == "application/json", content
        return response.status, json.loads(content)
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [("GET", "/nowhere", 404), ("GET", "/rounds", 405), ("GET", "/tasks?limit=0", 422), ("POST", "/rounds", 422)],
)
def test_what_is_refused_is_json_with_one_sentence(sample: Place, method: str, target: str, status: int) -> None:
    sample.serve()

    found, answer = ask(sample, method, target)

    assert (found, list(answer)) == (status, ["error"])
    assert ask(sample, "GET", "/tasks?limit=1")[0] == 200


def test_a_body_of_more_than_four_megabytes_is_refused(sample: Place) -> None:
    sample.serve()

    assert ask(sample, "POST", "/holdings", b" " * 4_000_001) == (422, {"error": "the body has more than 4 MB"})
    assert ask(sample, "GET", "/status")[0] == 200


@pytest.mark.long
def test_amounts_have_no_exponent_beside_it_and_without_it(place: Place) -> None:
    program = place.serve()
    body = json.dumps({"origin": "mine.csv", "text": TINY}).encode()

    assert ask(place, "POST", "/holdings", body) == (200, {"holdings": 1, "cash": "0.00000001"})
    beside = place.once()
    program.send(SIGTERM)
    program.wait()
    (place.path / "mine.csv").write_text(TINY)

    assert place.run("import", "mine.csv", "--json").json == {"holdings": 1, "cash": "0.00000001"}
    assert place.run("import", "mine.csv").out.splitlines()[-1] == (
        "Imported 1 holding and 0.00000001 of cash; `run.py once` values them."
    )
    assert place.once() == beside
    assert (beside["cash"], beside["positions"][0]["quantity"]) == ("0.00000001", "0.00000001")
    assert "-0.00" not in place.run("once").out


@pytest.mark.parametrize("after", [0.0, 0.02, 0.1])
def test_whoever_asks_while_the_desk_stops_gets_an_answer_or_a_closed_connection(sample: Place, after: float) -> None:
    sample.settings("[desk]\ngrace = 60\n")  # each actor has a share of it, and this machine may be busy
    program = sample.serve()

    def begin(_: int) -> int | None:
        try:
            status, answer = ask(sample, "POST", "/rounds", b'{"again": true}')
        except (OSError, HTTPException):
            return None
        assert list(answer) == (["correlation_id"] if status == 200 else ["error"])
        return status

    with ThreadPoolExecutor(20) as people:
        answers = people.map(begin, range(20))
        Event().wait(after)
        program.send(SIGTERM)
        statuses = set(answers)

    ended = program.wait()
    assert statuses <= {200, 503, None}
    assert (ended.code, ended.err) == (0, "")
    assert not (sample.home / "control.sock").exists()
    assert sample.rows("SELECT count(*) FROM tasks WHERE state NOT IN ('done', 'queued', 'blocked')") == [(0,)]
