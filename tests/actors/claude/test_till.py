"""The money: reserved and on disk before a question is asked, settled once, and never above a ceiling."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

import pytest

from actors.kernel.testing import Probe
from messages import database
from messages.addresses import Refused
from messages.claude import Answered, Cause
from messages.database import Committed
from messages.values import CorrelationId
from storage import consents, questions
from storage.home import Home
from tests.actors.claude.gateways import (
    NEVER,
    PROSE,
    RICH,
    Gateways,
    answered,
    end,
    failed,
    fault,
    refused,
    text,
)
from tests.sessions import Answer, said

DAY = 86_400.0
ROUNDS = tuple(CorrelationId(letter * 32) for letter in "abcdef")


@pytest.fixture
def gateway(home: Home) -> Iterator[Gateways]:
    started = Gateways(home).start()
    yield started
    started.stop()


def reservation(home: Home) -> Decimal:
    """What one question of these tests may cost at most."""
    gateway = Gateways(home).start()
    gateway.ask(id_="measure", round_=CorrelationId("f" * 32))
    gateway.advance(0.5)
    [row] = gateway.rows(CorrelationId("f" * 32)).values()
    gateway.advance(5)
    gateway.stop()
    return row.reserved


# Reserved first


def test_nothing_is_asked_before_its_reservation_is_on_disk(home: Home) -> None:
    Gateways(home).start().stop()  # so that there are tables
    writer = Probe[database.Message]("writer")
    gateway = Gateways(home, writer=writer.ref).start()
    gateway.ask()
    gateway.advance(10)
    assert gateway.talks() == {"shared": "busy"}
    assert gateway.prompts == []
    [write] = writer.received
    assert isinstance(write, database.Write)
    write.reply_to.tell(Committed(write.reply_to.about, ((("q1",),),)))
    gateway.system.settle()

    assert gateway.prompts == ["Why?"]


def test_an_answer_is_told_only_when_what_it_cost_is_on_disk(home: Home) -> None:
    Gateways(home).start().stop()
    writer = Probe[database.Message]("writer")
    gateway = Gateways(home, writer=writer.ref).start()
    probe = gateway.ask()
    gateway.advance(0.5)
    reserve = writer.received.pop()
    assert isinstance(reserve, database.Write)
    reserve.reply_to.tell(Committed(reserve.reply_to.about, ((("q1",),),)))
    gateway.advance(10)
    assert probe.received == []
    settle = writer.received.pop()
    assert isinstance(settle, database.Write)
    settle.reply_to.tell(Committed(settle.reply_to.about, ((("q1",),),)))
    gateway.system.settle()

    assert answered(probe).text == "You said: Why?"


@pytest.mark.parametrize("at", [0.5, 0.9])
def test_a_desk_that_is_killed_is_charged_what_was_reserved_and_once(home: Home, at: float) -> None:
    first = Gateways(home, script={"Why?": NEVER}).start()
    first.ask()
    first.advance(at)
    reserved = first.rows()["q1"].reserved
    assert first.rows()["q1"].cost is None

    second = first.died()
    row = second.rows()["q1"]
    assert (row.cost, row.outcome) == (reserved, "crash")
    second.crash()
    second.advance(1)
    third = second.died()

    assert third.rows()["q1"] == row
    assert third.spent() == reserved


def test_what_is_asked_while_the_last_desks_questions_are_settled_is_not_taken_for_one_of_them(home: Home) -> None:
    for seed in range(10):
        first = Gateways(home, seed=seed, at=seed * 1_000.0, script={"Why?": NEVER}).start()
        first.ask(id_=f"left {seed}")
        first.advance(0.6)
        now = first.system.clock.monotonic() + 1
        second = Gateways(home, seed=seed, at=now, capacity=1)
        second.system.start()
        second.prepare()  # so that the question has its program at once
        second.advance(0.5 * (seed % 2))
        for _ in range(3):
            second.database.tell(database.Write((), Probe[Committed | Refused]()))
        probe = second.ask(id_=f"new {seed}")
        second.advance(5)

        rows = second.rows()
        assert (rows[f"left {seed}"].outcome, rows[f"new {seed}"].outcome) == ("crash", "answered"), seed
        assert answered(probe).cost == rows[f"new {seed}"].cost
        second.stop()


# Settled once


def test_what_an_answer_says_it_has_cost_is_settled(gateway: Gateways) -> None:
    gateway.script["Why?"] = Answer(said(cost="0.123456789"))
    gateway.ask()
    gateway.advance(1)
    assert gateway.spent() == gateway.rows()["q1"].reserved
    gateway.advance(2)

    assert gateway.rows()["q1"].cost == gateway.spent() == Decimal("0.123456789")


@pytest.mark.parametrize("streamed", [0, 100, 10**9])
def test_a_killed_turn_is_charged_by_what_has_come_and_never_above_its_reservation(
    gateway: Gateways, streamed: int
) -> None:
    gateway.script["Why?"] = Answer(None, heard=((0.1, text("so", streamed, restarts=3)),))
    probe = gateway.ask()
    gateway.advance(1)
    gateway.cancel("q1")

    reserved = gateway.rows()["q1"].reserved
    assert failed(probe).cost == gateway.rows()["q1"].cost
    assert failed(probe).cost <= reserved
    assert (failed(probe).cost == reserved) == (streamed > 100)


def test_a_talk_that_goes_on_costs_more_than_one_that_begins(gateway: Gateways) -> None:
    for n in range(3):
        gateway.ask("x" * 10_000, talk="a")
        gateway.advance(5 * n)  # the second waits for the first, the third for neither
    gateway.advance(10)
    rows = gateway.rows()

    assert rows["q1"].reserved < rows["q2"].reserved < rows["q3"].reserved + Decimal("0.02")
    assert rows["q3"].reserved > rows["q1"].reserved


# Ceilings


def test_each_ceiling_is_named_by_the_sentence_that_refuses(home: Home) -> None:
    need, ceilings = reservation(home), ("question", "round", "day", "month")
    for number, name in enumerate(ceilings, 1):
        asking = replace(RICH, **{f"max_usd_per_{name}": need - Decimal("0.000001")})  # type: ignore[arg-type]
        gateway = Gateways(home, asking, at=number * 40 * DAY).start()
        before = gateway.spent()
        probe = gateway.ask(round_=ROUNDS[number])
        gateway.advance(5)

        assert failed(probe).cause is Cause.BUDGET, name
        assert f"$ for a {name} are spent" in failed(probe).sentence, name
        assert all(f"for a {other} are" not in failed(probe).sentence for other in ceilings if other != name)
        assert "desk.toml" in failed(probe).sentence
        assert gateway.prompts == []
        assert before == gateway.spent() == 0
        gateway.stop()


def test_a_budget_of_nothing_asks_nothing(home: Home) -> None:
    gateway = Gateways(home, replace(RICH, max_usd_per_day=Decimal(0))).start()
    prepared, probe = gateway.prepare(), gateway.ask()
    gateway.advance(5)

    answer = end(prepared)
    assert answer.cause is Cause.BUDGET
    assert failed(probe).cause is Cause.BUDGET
    assert gateway.prompts == []


def test_exactly_as_much_as_the_ceiling_may_be_spent(home: Home) -> None:
    need = reservation(home)
    gateway = Gateways(home, replace(RICH, max_usd_per_question=need, max_usd_per_round=need)).start()
    probe = gateway.ask()
    gateway.advance(5)

    assert answered(probe).question == "q1"


def test_what_waits_is_not_reserved_yet_so_that_it_may_be_paid_for_by_what_others_have_saved(home: Home) -> None:
    need = reservation(home)
    gateway = Gateways(home, replace(RICH, max_usd_per_round=need * Decimal("1.5"))).start()
    gateway.script["dear"] = Answer(said(cost=str(need)))
    probes = [gateway.ask("cheap"), gateway.ask("dear"), gateway.ask("too dear")]
    gateway.advance(10)

    assert [type(end(probe)) for probe in probes[:2]] == [Answered, Answered]
    assert failed(probes[2]).cause is Cause.BUDGET
    assert f"{need + Decimal('0.01'):.2f} $ of the" in failed(probes[2]).sentence
    assert gateway.prompts == ["cheap", "dear"]


@pytest.mark.parametrize(("name", "later"), [("day", DAY), ("month", 31 * DAY)])
def test_after_midnight_of_utc_the_ceiling_is_new(home: Home, name: str, later: float) -> None:
    need = reservation(home)
    asking = replace(RICH, **{f"max_usd_per_{name}": need * Decimal("1.5")})  # type: ignore[arg-type]
    gateway = Gateways(home, asking, at=later - 20).start()  # the tests' clock begins at midnight, on a first of March
    gateway.script["dear"] = Answer(said(cost=str(need)))
    gateway.ask("dear", round_=ROUNDS[0])
    gateway.advance(15)
    before = gateway.ask("one more", round_=ROUNDS[1])
    gateway.advance(4.99)
    after = gateway.ask("too early", round_=ROUNDS[2])
    gateway.advance(0.02)
    new = gateway.ask("new", round_=ROUNDS[3])
    gateway.advance(10)

    assert [failed(probe).cause for probe in (before, after)] == [Cause.BUDGET] * 2
    assert answered(new).text == "You said: new"


def test_a_round_has_its_ceiling_for_itself(home: Home) -> None:
    need = reservation(home)
    gateway = Gateways(home, replace(RICH, max_usd_per_round=need * Decimal("1.5"))).start()
    gateway.script["dear"] = Answer(said(cost=str(need)))
    for number in range(3):
        gateway.ask("dear", round_=ROUNDS[number])
        gateway.advance(3)
    again = gateway.ask("dear", round_=ROUNDS[0])
    gateway.advance(3)

    assert len(gateway.prompts) == 3
    assert failed(again).cause is Cause.BUDGET


def test_a_model_without_a_price_is_not_asked(gateway: Gateways) -> None:
    unknown = replace(PROSE, model="claude-nobody-9")
    prepared, probe = gateway.prepare(unknown), gateway.ask(profile=unknown)
    good = gateway.ask()
    gateway.advance(5)

    assert end(prepared).cause is Cause.BUDGET
    assert failed(probe).cause is Cause.BUDGET
    assert "claude-nobody-9: its price is not known" in failed(probe).sentence
    assert answered(good).question == "q2"
    assert gateway.sessions.made[0].profile == PROSE


def test_what_the_program_itself_is_held_to_is_all_that_is_reserved(gateway: Gateways) -> None:
    gateway.ask(profile=replace(PROSE, turns=8, usd=Decimal("0.02")))
    gateway.advance(1)

    assert gateway.rows()["q1"].reserved == Decimal("0.02")


# Consent


def test_a_consent_is_answered_when_it_is_on_disk(gateway: Gateways) -> None:
    gateway.consent("1.50")

    given = consents.latest(gateway.read)
    assert given is not None
    assert (given.model, given.usd_per_round) == (PROSE.model, Decimal("1.50"))


# The writer


@pytest.mark.parametrize("seed", range(10))
def test_no_cent_is_lost_when_the_writers_mailbox_is_full(home: Home, seed: int) -> None:
    gateway = Gateways(home, replace(RICH, side_by_side=2), seed, capacity=1).start()
    gateway.script["cancelled"] = Answer(None, heard=((0.1, text("so", 100)),))
    crowd = Probe[Committed | Refused]("crowd")
    probes = list[Probe[object]]()
    for n in range(12):
        gateway.later(n * 0.7, lambda: gateway.database.tell(database.Write((), crowd)))
        gateway.database.tell(database.Write((), crowd))
        probes.append(gateway.ask("cancelled" if n % 3 == 0 else "Why?", talk=str(n % 2), within=1_000))  # type: ignore[arg-type]
        if n % 4 == 0:
            gateway.database.tell(database.Write((), crowd))
            gateway.cancel(f"q{n + 1}")
    for n in range(12):
        gateway.advance(2)
        gateway.database.tell(database.Write((), crowd))
        gateway.cancel(f"q{n + 1}") if n % 3 == 0 else None
    gateway.advance(200)

    assert seed or gateway.system.dead_letters["database", "full"] > 0
    assert all(len(probe.received) == 1 for probe in probes)
    assert all(row.outcome for row in gateway.rows().values())
    told = sum((getattr(end(probe), "cost", Decimal(0)) for probe in probes), Decimal(0))
    assert gateway.spent() == told
    assert not gateway.system.failed.done()


def test_a_question_cancelled_before_its_reservation_found_room_leaves_none_behind(home: Home) -> None:
    for seed in range(20):
        gateway = Gateways(home, seed=seed, at=seed * 1_000.0, capacity=1).start()
        gateway.database.tell(database.Write((), Probe[Committed | Refused]()))
        probe = gateway.ask(id_=f"n{seed}")
        gateway.cancel(f"n{seed}")
        gateway.advance(5)

        assert failed(probe).cost == 0
        assert questions.left(gateway.read) == 0, seed
        gateway.stop()


def test_a_refused_write_crashes_it_and_the_next_one_reads_what_is_on_disk(home: Home) -> None:
    gateway = Gateways(home, replace(RICH, side_by_side=2)).start()
    gateway.ask(id_="same")
    gateway.advance(5)
    gateway.script["long"] = NEVER
    under_way = gateway.ask("long", id_="other", talk="a")
    gateway.advance(1)
    again = gateway.ask(id_="same")  # its reservation cannot be kept twice

    assert "WriteLost" in repr(gateway.system.recorder.crashes[0][1])
    assert (refused(under_way).code, refused(again).code) == ("crashed", "crashed")
    gateway.advance(5)
    rows = gateway.rows()
    assert rows["same"].cost == Decimal("0.01")
    assert rows["other"].outcome in ("cancelled", "crash")
    assert gateway.living == []


def test_a_fault_that_says_it_has_cost_nothing_costs_nothing(gateway: Gateways) -> None:
    gateway.script["Why?"] = fault(Cause.OVERLOADED, "0")
    probe = gateway.ask()
    gateway.advance(3)

    assert failed(probe).cost == gateway.spent() == 0
