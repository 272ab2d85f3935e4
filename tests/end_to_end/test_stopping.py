"""Halting and stopping by the real program: orders are cancelled, and positions sold, where somebody says so."""

import os
import pty
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from decimal import Decimal
from signal import SIGINT, SIGTERM

import pytest

from tests.end_to_end import test_alpaca
from tests.end_to_end.places import RUN, Place, until
from tests.stub_alpaca.server import Stub

LONG = pytest.mark.long
SELLS = "SELECT state, count(*) FROM trading_orders WHERE approved_by = 'halt' GROUP BY state"
ALL = [("filled", 5)]
"""The sample portfolio."""


def test_a_person_halts_and_flattens_and_sees_that_nothing_is_held_any_more(sample: Place) -> None:
    halted = sample.run("halt", "--flatten", "--why", "I am out")
    program = sample.serve()
    again = sample.run("halt", "--flatten")  # asked of the desk that serves
    program.kill()
    shown = sample.run("orders", "--json").json
    why = sample.run("why", shown["orders"][0]["ticket"]["client_id"])

    assert halted.code == 0, halted
    assert halted.out.rstrip().endswith("positions are being closed; held: nothing any more.")
    assert (again.code, sample.rows(SELLS)) == (0, ALL), again
    assert again.out == halted.out
    assert (shown["state"], {order["approved_by"] for order in shown["orders"]}) == ("HALTED", {"halt"})
    assert "approved by halt" in why.out


def test_the_file_halt_sells_what_is_held_where_that_is_set(sample: Place) -> None:
    sample.settings('[trading]\nwhen_halted = "flatten"\n')
    program = sample.serve()

    (sample.home / "HALT").touch()

    until(lambda: sample.rows(SELLS) == ALL, "the sales")
    program.kill()


def test_a_desk_that_is_set_to_flatten_sells_at_its_end_and_trades_again_when_it_starts(sample: Place) -> None:
    sample.settings('[trading]\non_stop = "flatten"\n')
    program = sample.serve()

    program.send(SIGTERM)

    ended = program.wait(15.0)
    assert (ended.code, ended.lines) == (0, [])
    assert "No order works at paper any more; held: nothing.\n" in ended.out
    assert sample.rows(SELLS) == ALL
    sample.serve()
    until(lambda: sample.run("orders", "--json").json["state"] == "ACTIVE", "the next start")


@pytest.mark.long
@pytest.mark.parametrize(("how", "status"), [("cancel", "canceled"), ("leave", "accepted")])
def test_a_desk_that_is_told_cancels_at_its_end_what_works_there(
    place: Place, stub: Stub, how: str, status: str
) -> None:
    test_alpaca.prepared(place, stub)
    before = len(stub.exchange.orders)
    program = place.start("serve", "--on-stop", how)
    until(lambda: "Ctrl-C stops it" in program.out, "serve")
    place.once()
    place.run("approve", place.run("orders", "--json").json["orders"][0]["ticket"]["client_id"])

    program.send(SIGTERM)

    ended = program.wait(15.0)
    assert (ended.code, ended.lines) == (0, [])
    assert [each["status"] for each in stub.exchange.orders[before:]] == [status]
    assert ("No order works at alpaca any more" in ended.out) is (how == "cancel")


@pytest.fixture
def stub() -> Iterator[Stub]:
    with Stub() as running:
        running.exchange.positions = {"AAPL": Decimal(25), "MSFT": Decimal(300)}
        running.exchange.cash = Decimal(10_000)
        yield running


@contextmanager
def at_a_terminal(place: Place) -> Generator[tuple["subprocess.Popen[bytes]", int]]:
    """A desk that serves, and the terminal it was started at."""
    ours, theirs = pty.openpty()
    program = subprocess.Popen(
        [sys.executable, str(RUN), "serve"], cwd=place.path, env=place.environment | {"TERM": "dumb"},
        stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    try:
        said(ours, "Ctrl-C stops it")
        yield program, ours
    finally:
        program.kill()
        program.wait(10)
        os.close(ours)


def said(terminal: int, until_this: str) -> str:
    """What stands at the terminal as soon as this does."""
    shown = ""
    while until_this not in shown:
        shown += os.read(terminal, 65_536).decode()
    return shown


def sell_one(place: Place) -> None:
    """Trade here: one of five positions is sold on a recommendation of the rules."""
    found = place.run("orders", "--json").json["orders"]
    order = next(each["ticket"]["client_id"] for each in found if each["state"] == "staged")
    assert place.run("approve", order).code == 0


@pytest.mark.timeout(120)
@pytest.mark.parametrize("answers", [True, pytest.param(False, marks=LONG)])
def test_at_a_terminal_it_asks_where_something_was_traded_and_a_second_interrupt_ends_it(
    sample: Place, answers: bool
) -> None:
    sample.settings('[trading]\nanalysts = ["rules"]\n')
    sample.once("--again")
    with at_a_terminal(sample) as (program, terminal):
        sell_one(sample)
        program.send_signal(SIGINT)
        asked = said(terminal, "[leave/cancel/flatten]")
        assert "0 orders work, 4 positions are held" in asked
        if answers:
            os.write(terminal, b"f\n")
            said(terminal, "held: nothing")
        else:
            program.send_signal(SIGINT)
        assert program.wait(15) == (0 if answers else 128 + SIGINT)
    assert sample.rows(SELLS) == ([("filled", 4)] if answers else [])


@pytest.mark.long
@pytest.mark.timeout(120)
def test_at_a_terminal_nobody_is_asked_where_nothing_was_traded(sample: Place) -> None:
    with at_a_terminal(sample) as (program, _):
        program.send_signal(SIGINT)

        assert program.wait(15) == 0
    assert sample.rows(SELLS) == []
