"""The paper broker: an order is taken once, meets each bar once, and is what its rows say, whenever it was killed."""

import csv
import gzip
import json
import random
from collections.abc import Callable
from decimal import Decimal
from functools import cache, partial
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from actors.brokers.paper import BATCH, COMMIT_WITHIN, LONGEST_LINE
from actors.brokers.prices import LOOK_AGAIN
from actors.domain.costs import PRESETS
from actors.kernel.testing import Probe
from messages import database
from messages.addresses import Ref, Refused
from messages.broker import ClientId, Executed, Flatten, Found, InForce, Kind, Send, Side, Stage, Ticket
from messages.database import Statement, Write
from messages.market import Bars
from messages.values import Symbol
from storage import paper
from storage.home import Home
from tests.actors.brokers.driving import CASH, Desk, days, fills, flat, held, seen, stages
from tests.actors.domain.playing import ticket

BUY, SELL = Side.BUY, Side.SELL
SAMPLE = Path(__file__).parents[3] / "storage" / "sample" / "prices.csv.gz"


@cache
def sample(symbol: str) -> Bars:
    """The sample prices of a symbol in 2013."""
    with gzip.open(SAMPLE, "rt", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["symbol"] == symbol and row["date"] > "2013"]
    names = ("open", "high", "low", "close", "volume", "adj_close")
    sessions = np.array([row["date"] for row in rows], "datetime64[D]")
    return Bars(sessions, *(np.array([float(row[name]) for row in rows]) for name in names))


def until(whole: Bars, last: str) -> Bars:
    rows = whole.sessions <= np.datetime64(last)
    names = ("sessions", "open", "high", "low", "close", "volume", "adj_close")
    return Bars(*(getattr(whole, name)[rows] for name in names))


@pytest.fixture
def desk(home: Home) -> Desk:
    made = Desk(home)
    made.store("ACME", days("2013-02-28", flat(100)))
    return made


def test_an_order_is_filled_at_the_quote_and_trading_is_told(desk: Desk) -> None:
    order = desk.send(ticket(BUY, "5"))

    assert (order.stage, order.filled) == (Stage.FILLED, Decimal(5))
    [told] = desk.told.received
    assert isinstance(told, Executed)
    assert (told.order, fills([told])) == (order, [f"02-28 {order.client_id} 5 100.00"])
    assert desk.view().executions == (told.execution,)
    assert held(desk.view()) == {"ACME": Decimal("7.5"), "IBM": 40}
    assert desk.view().cash == CASH - 500


def test_nothing_is_said_before_it_is_on_disk(home: Home) -> None:
    writer = Probe[database.Message]("database")
    desk = Desk(home)
    desk.store("ACME", days("2013-02-28", flat(100)))
    desk = Desk(home, writer=writer.ref)

    answer = desk.ask(partial(Send, ticket(BUY, "5")))
    desk.system.settle()
    assert (answer.received, desk.told.received) == ([], [])
    [write] = writer.received
    assert isinstance(write, Write)
    desk.database.tell(write)
    desk.system.settle()

    assert seen(answer.received[0]).stage is Stage.FILLED
    assert len(desk.told.received) == 1


def test_the_same_id_is_the_same_order_however_it_has_ended(desk: Desk) -> None:
    first = [desk.ask(partial(Send, ticket(BUY, "5"))) for _ in range(3)]
    desk.system.settle()
    later = desk.send(ticket(SELL, "700"))

    assert {seen(probe.received[0]) for probe in first} == {later}
    assert len(desk.view().executions) == len(desk.told.received) == 1


def test_what_waits_together_is_one_commit(desk: Desk) -> None:
    before = desk.commits()

    probes = [desk.ask(partial(Send, ticket(BUY, "5", client_id=f"x{n}"))) for n in range(BATCH)]
    desk.system.settle()

    assert all(seen(probe.received[0]).stage is Stage.FILLED for probe in probes)
    assert desk.commits() == before + 1


def test_an_order_that_waits_meets_each_later_bar_once(desk: Desk) -> None:
    desk.send(ticket(BUY, "300", Kind.LIMIT, limit="99", client_id="x"))
    desk.store("ACME", days("2013-02-28", flat(100), (99.5, 100, 98, 99, 1000)))
    assert fills(desk.view()) == ["03-01 x 100 99.00"]
    assert fills(desk.view()) == ["03-01 x 100 99.00"]
    desk.store("ACME", days("2013-02-28", flat(100), (99.5, 100, 90, 91, 9000)))  # the same session, corrected
    assert fills(desk.view()) == ["03-01 x 100 99.00"]

    desk.store("ACME", days("2013-02-28", flat(100), (99.5, 100, 98, 99, 1000), flat(120), flat(95, 1500), flat(80)))

    assert fills(desk.view()) == ["03-01 x 100 99.00", "03-03 x 150 95.00", "03-04 x 50 80.00"]
    assert stages(desk.view()) == ["x filled 300"]
    assert fills([each for each in desk.told.received if isinstance(each, Executed)]) == fills(desk.view())


def test_a_new_order_comes_after_the_bars_that_others_have_met_and_shares_their_volume(desk: Desk) -> None:
    desk.send(ticket(BUY, "300", Kind.LIMIT, limit="99", client_id="x"))
    desk.store("ACME", days("2013-02-28", flat(100), flat(98, 3500)))

    order = desk.send(ticket(SELL, "200", client_id="y"))

    assert (order.stage, order.filled) == (Stage.WORKING, Decimal(50))
    assert fills(desk.view()) == ["03-01 x 300 98.00", "03-01 y 50 98.00"]
    again = desk.died()
    assert again.send(ticket(SELL, "1", client_id="z")).filled == 0  # the volume is used up after a restart, too


def test_a_day_order_expires_after_one_session_and_one_at_once_at_once(desk: Desk) -> None:
    day = ticket(BUY, "5", Kind.LIMIT, limit="90", in_force=InForce.DAY, client_id="day")
    assert desk.send(day).stage is Stage.WORKING
    once = desk.send(ticket(BUY, "5", Kind.LIMIT, limit="90", in_force=InForce.IOC, client_id="once"))
    assert (once.stage, once.why) == (Stage.EXPIRED, "the rest could not be filled at once")
    desk.store("ACME", days("2013-02-28", flat(100), flat(95), flat(80)))

    order = desk.look_up("day")
    assert order is not None  # a look-up says what is, without looking at bars
    assert order.stage is Stage.WORKING
    assert stages(desk.view()) == ["day expired 0", "once expired 0"]


def test_a_withdrawn_order_is_cancelled_unless_it_has_ended_or_is_unknown(desk: Desk) -> None:
    desk.send(ticket(BUY, "5", Kind.LIMIT, limit="90", client_id="x"))
    desk.send(ticket(BUY, "5", Kind.LIMIT, limit="95", client_id="y"))
    desk.send(ticket(BUY, "5", client_id="z"))

    first, twice, done = desk.withdraw("x"), desk.withdraw("x"), desk.withdraw("z")
    assert first is not None
    assert (first.stage, first.why) == (Stage.CANCELLED, "it was withdrawn")
    assert twice == first
    assert done is not None
    assert done.stage is Stage.FILLED
    assert desk.withdraw("nobody") is None
    desk.store("ACME", days("2013-02-28", flat(100), flat(94)))
    late = desk.withdraw("y")  # the bar came first
    assert late is not None
    assert (late.stage, late.filled) == (Stage.FILLED, Decimal(5))


def test_a_bracket_lives_in_rows(desk: Desk) -> None:
    desk.send(ticket(BUY, "5", take_profit="110", stop_loss="95", client_id="x"))
    assert stages(desk.view()) == ["x filled 5", "x-sl working 0", "x-tp working 0"]
    desk = desk.died()
    desk.store("ACME", days("2013-02-28", flat(100), (101, 112, 94, 100, 1e6)))

    assert stages(desk.view()) == ["x filled 5", "x-sl filled 5", "x-tp cancelled 0"]
    assert fills(desk.view()) == ["02-28 x 5 100.00", "03-01 x-sl 5 95.00"]
    other = desk.look_up("x-tp")
    assert other is not None
    assert other.why == "the stop was reached"


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        (ticket(BUY, "0"), "quantity 0 must be above zero"),
        (ticket(BUY, "-1"), "quantity -1 must be above zero"),
        (ticket(BUY, "NaN"), "quantity NaN is not a number"),
        (ticket(BUY, "sNaN"), "quantity sNaN is not a number"),
        (ticket(BUY, "Infinity"), "quantity Infinity is not a number"),
        (ticket(BUY, "1e300"), "quantity 1E+300 is too large; amounts are below 9.2e9"),
        (ticket(BUY, "1e-300"), "quantity 1E-300 has more than nine decimals"),
        (ticket(BUY, "1.0000000001"), "quantity 1.0000000001 has more than nine decimals"),
        (ticket(BUY, "1", Kind.LIMIT, limit="0"), "limit 0 must be above zero"),
        (ticket(BUY, "1", Kind.LIMIT), "an order of kind limit needs limit"),
        (ticket(BUY, "1", Kind.STOP_LIMIT, limit="5"), "an order of kind stop_limit needs stop"),
        (ticket(BUY, "1", Kind.TRAILING_STOP, trail="-5"), "trail -5 must be above zero"),
        (ticket(BUY, "1", limit="5"), "an order of kind market has no limit"),
        (ticket(BUY, "1", take_profit="100"), "take_profit 100 must be above the entry at 100.0"),
        (ticket(SELL, "1", Kind.LIMIT, limit="9", stop_loss="8"), "stop_loss 8 must be above the entry at 9"),
        (ticket(BUY, "1", symbol="WHAT"), "there are no prices of WHAT"),
        (ticket(BUY, "1", symbol="OLD"),
         "the last price of OLD is of 2013-02-17, and it is 2013-02-28; refresh its bars"),
    ],
)  # fmt: skip
def test_what_cannot_be_an_order_is_rejected_with_a_sentence_and_stays_so(desk: Desk, wanted: Ticket, why: str) -> None:
    desk.store("OLD", days("2013-02-17", flat(5)))

    order = desk.send(wanted)

    assert (order.stage, order.filled, order.why) == (Stage.REJECTED, Decimal(0), why)
    assert desk.died().look_up(wanted.client_id) == desk.send(ticket(BUY, "1")) == order
    assert desk.view().executions == ()


@pytest.mark.parametrize("client_id", ["", "a b", "x-tp", "x-sl", "y" * 62, "ä"])
def test_an_id_that_a_leg_could_have_is_refused_and_not_kept(desk: Desk, client_id: str) -> None:
    assert desk.refused(ticket(BUY, "1", client_id=client_id)).code == "invalid"
    assert desk.look_up(client_id) is None


def test_a_symbol_grows_old_while_others_go_on(desk: Desk) -> None:
    desk.store("IBM", days("2013-02-28", flat(200)))
    assert desk.send(ticket(BUY, "1", client_id="x")).stage is Stage.FILLED
    desk.store("IBM", days("2013-02-28", *[flat(200)] * 12))
    desk.system.advance(LOOK_AGAIN)

    assert desk.send(ticket(BUY, "1", client_id="y")).stage is Stage.REJECTED
    assert desk.send(ticket(BUY, "1", client_id="z", symbol="IBM")).stage is Stage.FILLED


# HALT


def test_halted_it_refuses_new_orders_and_still_knows_and_cancels_old_ones(desk: Desk) -> None:
    desk.send(ticket(BUY, "5", Kind.LIMIT, limit="90", client_id="x"))
    desk.halt = lambda: "the file HALT is there"

    refused = desk.refused(ticket(BUY, "5", client_id="y"))

    assert (refused.code, refused.sentence) == ("halted", "the file HALT is there")
    assert desk.look_up("y") is None
    assert desk.send(ticket(BUY, "5", client_id="x")).stage is Stage.WORKING
    order = desk.withdraw("x")
    assert order is not None
    assert order.stage is Stage.CANCELLED


def test_what_was_decided_when_the_file_appears_is_not_sent(desk: Desk) -> None:
    """Looked at before anything is decided, and again when all is ready to be written."""
    looks = count()
    desk.halt = lambda: "HALT" if next(looks) else None

    probes = [desk.ask(partial(Send, ticket(BUY, "5", client_id=f"x{n}"))) for n in range(3)]
    desk.system.settle()

    assert [probe.received[0].code for probe in probes] == ["halted"] * 3
    assert (desk.view().orders, desk.view().executions, desk.told.received) == ((), (), [])
    assert held(desk.view()) == {"ACME": Decimal("2.5"), "IBM": 40}
    desk.halt = lambda: None
    assert desk.send(ticket(BUY, "5", client_id="x0")).stage is Stage.FILLED


@pytest.mark.parametrize("turns", range(14))
def test_no_order_that_is_decided_on_after_the_file_is_there_is_taken(home: Home, turns: int) -> None:
    """Whichever step it comes before: what is taken had gone to the writer already, whole batches of it."""
    written, writer = list[object](), Ref[database.Message]("database")
    Desk(home).store("ACME", days("2013-02-28", flat(100)))
    desk = Desk(home, writer=writer)

    def pass_on(message: database.Message) -> bool:
        assert isinstance(message, Write)
        for each in message.statements:
            if isinstance(each, Statement) and "INTO paper_orders" in each.sql:
                written.extend(json.loads(str(each.values[0])))
        desk.database.tell(message)
        return True

    writer.bind(pass_on)
    probes = [desk.ask(partial(Send, ticket(BUY, "5", client_id=f"x{n}"))) for n in range(4)]
    for turn in range(turns):
        if turn == 3:
            probes += [desk.ask(partial(Send, ticket(BUY, "5", client_id=f"y{n}"))) for n in range(4)]
        desk.system.turn()
    decided = len(written)

    desk.halt = lambda: "HALT"
    desk.system.settle()

    assert len(desk.view().orders) == decided
    taken = [isinstance(answer, Found) for probe in probes for answer in probe.received]
    assert (sum(taken), len(taken)) == (decided, len(probes))


def flatten(desk: Desk, client_id: str = "f") -> object:
    return desk.asked(partial(Flatten, ClientId(client_id), Symbol("ACME"), SELL, Decimal("2.5")))


def test_what_closes_a_position_is_taken_though_the_file_is_there_where_that_means_it(home: Home) -> None:
    Desk(home).store("ACME", days("2013-02-28", flat(100)))
    desk = Desk(home, halt=lambda: "the file HALT is there", flattens=True)

    refused = desk.refused(ticket(SELL, "2.5"))
    closed = flatten(desk)

    assert refused.code == "halted"
    assert seen(closed).stage is Stage.FILLED
    assert held(desk.view()) == {"IBM": 40}
    assert flatten(desk) == closed  # the same again is the same order


def test_elsewhere_it_is_not_taken_either(home: Home) -> None:
    Desk(home).store("ACME", days("2013-02-28", flat(100)))
    desk = Desk(home, halt=lambda: "the file HALT is there")

    refused = flatten(desk)

    assert isinstance(refused, Refused)
    assert refused.code == "halted"
    assert desk.view().orders == ()


# The writer


def test_what_the_writer_has_no_room_for_is_decided_on_anew(home: Home) -> None:
    writer = Probe[database.Message]("database")
    Desk(home).store("ACME", days("2013-02-28", flat(100)))
    desk = Desk(home, writer=writer.ref)
    answer = desk.ask(partial(Send, ticket(BUY, "5")))
    desk.system.settle()
    write = writer.received.pop()
    assert isinstance(write, Write)
    write.reply_to.refuse("full", "the disk is full", desk.system.clock.utc() + 1_000_000)
    desk.store("ACME", days("2013-02-28", flat(100), flat(90)))
    assert (answer.received, writer.received) == ([], [])

    desk.system.advance(1.0)
    write = writer.received.pop()
    assert isinstance(write, Write)
    desk.database.tell(write)
    desk.system.settle()

    assert seen(answer.received[0]).stage is Stage.FILLED
    assert [each.price for each in paper.executions(desk.read, 0)] == [90]
    assert (held(desk.view())["ACME"], desk.view().cash) == (Decimal("7.5"), CASH - 450)


@pytest.mark.parametrize("code", ["statement", "crashed", "down"])
def test_where_the_writer_refuses_it_begins_anew_from_what_is_on_disk(home: Home, code: str) -> None:
    writer = Probe[database.Message]("database")
    Desk(home).store("ACME", days("2013-02-28", flat(100)))
    desk = Desk(home, writer=writer.ref)
    answer = desk.ask(partial(Send, ticket(BUY, "5")))
    desk.system.settle()
    write = writer.received.pop()
    assert isinstance(write, Write)

    write.reply_to.refuse(code, "no")
    desk.system.advance(1.0)

    assert [refused.code for refused in answer.received] == ["crashed"]
    assert desk.look_up(ticket(BUY, "5").client_id) is None


def test_a_writer_that_does_not_answer_is_given_up_and_the_disk_is_read(home: Home) -> None:
    writer = Probe[database.Message]("database")
    Desk(home).store("ACME", days("2013-02-28", flat(100)))
    desk = Desk(home, writer=writer.ref)
    answer = desk.ask(partial(Send, ticket(BUY, "5")))

    desk.system.advance(COMMIT_WITHIN + 1)

    assert [refused.code for refused in answer.received] == ["crashed"]
    assert [crash[0] for crash in desk.system.recorder.crashes] == ["broker"]


def test_more_than_can_wait_are_refused(home: Home) -> None:
    Desk(home).store("ACME", days("2013-02-28", flat(100)))
    desk = Desk(home, writer=Probe[database.Message]("database").ref)

    probes = list[Probe[object]]()
    for n in range(LONGEST_LINE + 2):
        probes.append(desk.ask(partial(Send, ticket(BUY, "5", client_id=f"x{n}"))))
        desk.system.settle()

    full = [answer for probe in probes for answer in probe.received]
    assert [answer.code for answer in full if isinstance(answer, Refused)] == ["full"]


# Killed


def story(desk: Desk, rng: random.Random, strike: Callable[[Desk], Desk]) -> Desk:
    """Three orders a session on the sample prices of early 2013, some withdrawn, with a strike at each step.

    What was asked when it struck is asked again under its id, as trading does when it does not know.
    """
    whole, ids = {symbol: sample(symbol) for symbol in ("AAPL", "IBM")}, list[str]()
    for session in [str(each) for each in whole["IBM"].sessions if each >= np.datetime64("2013-02-08")]:
        for symbol, found in whole.items():
            desk.store(symbol, until(found, session))
        for _ in range(3):
            wanted = some_ticket(rng, f"o{len(ids)}", whole, session)
            ids.append(wanted.client_id)
            asked = desk.ask(partial(Send, wanted))
            desk = strike(desk)
            desk.system.settle()
            if not any(isinstance(answer, Found) for answer in asked.received):
                desk.send(wanted)
        if rng.random() < 0.3:
            desk.withdraw(rng.choice(ids))
        desk = strike(desk)
        desk.view()
    return desk


def some_ticket(rng: random.Random, client_id: str, whole: dict[str, Bars], session: str) -> Ticket:
    symbol, side, kind = rng.choice(list(whole)), rng.choice(list(Side)), rng.choice(list(Kind))
    close = until(whole[symbol], session).close[-1].item()
    near = [str(round(close * rng.uniform(0.97, 1.03), 2)) for _ in range(2)]
    wide = [str(round(close * factor, 2)) for factor in ((1.04, 0.96) if side is BUY else (0.96, 1.04))]
    plain = kind is Kind.MARKET
    return ticket(
        side, rng.choice(["100", "250000", "700000", "3.125"]), kind, symbol=symbol, client_id=client_id,
        in_force=rng.choice([InForce.DAY, InForce.GTC, InForce.GTC]),
        limit=near[0] if kind in (Kind.LIMIT, Kind.STOP_LIMIT) else None,
        stop=near[1] if kind in (Kind.STOP, Kind.STOP_LIMIT) else None,
        trail="4.5" if kind is Kind.TRAILING_STOP else None,
        take_profit=wide[0] if plain else None, stop_loss=wide[1] if plain else None,
    )  # fmt: skip


def at_any_moment(chance: random.Random) -> Callable[[Desk], Desk]:
    """Killed, or crashed and rebuilt, up to three messages from now."""

    def strike(desk: Desk) -> Desk:
        for _ in range(chance.randrange(4)):
            desk.system.turn()
        if chance.random() < 0.5:
            return desk.died()
        desk.crash()
        return desk

    return strike


def undisturbed(desk: Desk) -> Desk:
    """Nothing happens."""
    return desk


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(1, 6))])
def test_killed_or_crashed_at_any_moment_orders_cash_and_positions_are_those_of_an_undisturbed_run(
    tmp_path: Path, seed: int
) -> None:
    ends = list[object]()
    for name, strike in (("left", undisturbed), ("struck", at_any_moment(random.Random(seed + 1_000)))):
        home = Home(tmp_path / name)
        home.take()
        desk = story(Desk(home, PRESETS["us_per_share"], seed), random.Random(seed), strike)
        view = desk.view()
        ends.append((stages(view), fills(view), view.positions, view.cash, [each.fee for each in view.executions]))
        assert desk.died().view() == view
        home.release()

    assert ends[0] == ends[1]
    assert len(fills(view)) > 20
