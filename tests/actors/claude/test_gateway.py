"""The gateway: one line, one end for each question, whatever its program does."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal

import pytest

from actors.claude.sessions import Cleared, Fault, Heard, Opened
from actors.kernel.testing import Probe
from messages.claude import Answered, Cause
from messages.values import CorrelationId
from storage.home import Home
from tests.actors.claude.gateways import (
    NEVER,
    OTHER,
    PROSE,
    RICH,
    End,
    Gateways,
    answered,
    end,
    failed,
    fault,
    refused,
    text,
)
from tests.sessions import Answer, said


@pytest.fixture
def gateway(home: Home) -> Iterator[Gateways]:
    started = Gateways(home).start()
    yield started
    started.stop()


def test_a_question_is_asked_and_answered(gateway: Gateways) -> None:
    probe = gateway.ask("Why?")
    gateway.advance(1.39)
    before = list(probe.received)
    gateway.advance(0.02)

    assert before == []
    assert end(probe) == Answered("q1", "q1", "You said: Why?", None, Decimal("0.01"), 1, anew=False)
    row = gateway.rows()["q1"]
    assert (row.outcome, row.cost) == ("answered", Decimal("0.01"))
    assert row.seconds == pytest.approx(1.0)


# The line


def test_first_in_first_out_and_one_at_a_time(gateway: Gateways) -> None:
    probes = [gateway.ask(str(n), talk="a" if n % 2 else None) for n in range(6)]
    most = 0
    while any(not probe.received for probe in probes):
        gateway.advance(0.05)
        most = max(most, sum(session.busy and bool(session.talk) for session in gateway.living))

    assert gateway.prompts == list("012345")
    assert most == 1
    assert all(isinstance(end(probe), Answered) for probe in probes)


def test_named_talks_run_side_by_side_as_many_as_may(home: Home) -> None:
    gateway = Gateways(home, replace(RICH, side_by_side=2)).start()
    probes = [gateway.ask(name, talk=name) for name in "abc"]

    gateway.advance(0.5)
    under_way = list(gateway.prompts)
    gateway.advance(1.5)

    assert under_way == ["a", "b"]
    assert gateway.prompts == ["a", "b", "c"]
    assert [len(probe.received) for probe in probes] == [1, 1, 0]


def test_side_by_side_one_conversation_is_still_first_in_first_out(home: Home) -> None:
    gateway = Gateways(home, replace(RICH, side_by_side=3)).start()
    for n in range(4):
        gateway.ask(f"a{n}", talk="a")
        gateway.ask(f"s{n}")
    gateway.advance(20)

    assert [prompt for prompt in gateway.prompts if prompt[0] == "a"] == ["a0", "a1", "a2", "a3"]
    assert [prompt for prompt in gateway.prompts if prompt[0] == "s"] == ["s0", "s1", "s2", "s3"]
    assert set(gateway.prompts[:2]) == {"a0", "s0"}


# Cancelling


def test_a_question_cancelled_while_it_waits_is_never_asked_and_costs_nothing(gateway: Gateways) -> None:
    gateway.ask("first")
    probe = gateway.ask("second")
    gateway.advance(1)
    gateway.cancel("q2")
    gateway.advance(10)

    assert (failed(probe).cause, failed(probe).cost) == (Cause.CANCELLED, Decimal(0))
    assert gateway.prompts == ["first"]
    assert gateway.rows()["q2"].cost == 0


def test_a_question_cancelled_while_its_program_starts_is_never_asked_and_the_next_one_has_it(
    gateway: Gateways,
) -> None:
    probe = gateway.ask("first")
    second = gateway.ask("second")
    gateway.advance(0.1)
    gateway.cancel("q1")
    gateway.advance(2)

    assert failed(probe).cost == 0
    assert answered(second).text == "You said: second"
    assert len(gateway.sessions.made) == 1


def test_a_question_cancelled_while_it_streams_is_killed_at_once_and_charged_by_estimate(gateway: Gateways) -> None:
    gateway.script["first"] = Answer(None, heard=((0.1, text("so far", 1_000)),))
    probe = gateway.ask("first")
    gateway.advance(0.6)
    reserved = gateway.rows()["q1"].reserved
    [program] = gateway.living
    gateway.cancel("q1")

    assert not program.alive
    assert failed(probe).cause is Cause.CANCELLED
    assert 0 < failed(probe).cost <= reserved
    assert gateway.rows()["q1"].cost == failed(probe).cost


def test_nothing_of_a_cancelled_answer_reaches_the_next_question(gateway: Gateways) -> None:
    gateway.sessions.haunting = True
    gateway.script["first"] = Answer(said("of the first"), 1.0, ((0.1, text("so far")), (0.9, text("and further"))))
    first = gateway.ask("first")
    second = gateway.ask("second")
    gateway.advance(0.6)
    gateway.cancel("q1")
    gateway.advance(10)

    assert failed(first).cause is Cause.CANCELLED
    assert answered(second).text == "You said: second"
    assert gateway.sessions.asked[-1] == ("q2", ("second",))


def test_a_whole_round_is_cancelled_without_beginning_any_more_of_it(home: Home) -> None:
    gateway = Gateways(home, replace(RICH, standby=True)).start()
    gateway.ask("warm up", round_=CorrelationId("d" * 32))
    gateway.advance(5)
    probes = [gateway.ask(f"p{n}") for n in range(3)]
    gateway.advance(0.5)
    gateway.cancel("c" * 32)
    gateway.advance(5)

    assert [failed(probe).cause for probe in probes] == [Cause.CANCELLED] * 3
    assert gateway.prompts == ["warm up", "p0"]
    assert [failed(probe).cost > 0 for probe in probes] == [True, False, False]


def test_cancelling_what_has_ended_or_never_was_changes_nothing(gateway: Gateways) -> None:
    probe = gateway.ask()
    gateway.advance(3)
    gateway.cancel("q1")
    gateway.cancel("nobody")

    assert answered(probe).question == "q1"


# Time


def test_a_deadline_that_has_passed_is_said_at_once(gateway: Gateways) -> None:
    probes = [gateway.ask(within=within) for within in (-5.0, 0.0)]

    assert [failed(probe).cause for probe in probes] == [Cause.DEADLINE] * 2
    assert gateway.sessions.made == []
    assert all((row.outcome, row.reserved) == ("deadline", Decimal(0)) for row in gateway.rows().values())
    assert gateway.spent() == 0


def test_a_deadline_may_pass_in_the_line(gateway: Gateways) -> None:
    gateway.script["first"] = Answer(said(), 20.0)
    gateway.ask("first")
    probe = gateway.ask("second", within=5)
    gateway.advance(4.9)
    assert probe.received == []
    gateway.advance(0.2)

    assert (failed(probe).cause, failed(probe).cost) == (Cause.DEADLINE, Decimal(0))
    gateway.advance(30)
    assert gateway.prompts == ["first"]


def test_a_deadline_may_pass_while_the_program_starts(gateway: Gateways) -> None:
    gateway.sessions.opens = lambda: None
    probe = gateway.ask(within=5)
    gateway.advance(5.1)

    assert (failed(probe).cause, failed(probe).cost) == (Cause.DEADLINE, Decimal(0))


def test_a_deadline_may_pass_while_it_streams(gateway: Gateways) -> None:
    gateway.script["Why?"] = Answer(None, heard=tuple((float(n), text("x" * n, n)) for n in range(1, 100)))
    probe = gateway.ask(within=50)
    gateway.advance(49.9)
    assert probe.received == []
    gateway.advance(0.2)

    assert failed(probe).cause is Cause.DEADLINE
    assert failed(probe).cost > 0
    assert gateway.living == []


def test_an_answer_that_does_not_begin_is_given_up(gateway: Gateways) -> None:
    gateway.script["Why?"] = NEVER
    probe = gateway.ask()
    gateway.advance(60.3)
    assert probe.received == []
    gateway.advance(0.2)

    assert failed(probe).cause is Cause.TIMEOUT
    assert "has not begun to answer for 60 s" in failed(probe).sentence
    assert gateway.living == []


@pytest.mark.parametrize("last", [1.0, 20.0, 55.0])
def test_silence_counts_from_the_last_thing_that_was_heard(gateway: Gateways, last: float) -> None:
    steps = [1.0 + n * 10 for n in range(20) if 1.0 + n * 10 < last]
    gateway.script["Why?"] = Answer(None, heard=tuple((at, text("x" * n, n)) for n, at in enumerate([*steps, last], 1)))
    probe = gateway.ask()
    gateway.advance(0.4 + last + 29.9)
    assert probe.received == []
    gateway.advance(0.2)

    assert failed(probe).cause is Cause.TIMEOUT
    assert "has said nothing more for 30 s" in failed(probe).sentence


def test_a_program_that_does_not_start_is_given_up_and_the_next_question_unharmed(gateway: Gateways) -> None:
    gateway.sessions.opens = lambda: None
    first = gateway.ask("first")
    second = gateway.ask("second")
    gateway.advance(29.9)
    assert first.received == []
    gateway.sessions.opens = lambda: Opened(None, "a test")
    gateway.advance(5)

    assert (failed(first).cause, failed(first).cost) == (Cause.TIMEOUT, Decimal(0))
    assert answered(second).text == "You said: second"
    assert len(gateway.living) == 1


@pytest.mark.parametrize("how", [None, Fault(None, Cause.CRASH, "it has gone")])
def test_a_question_whose_program_was_not_cleared_takes_another(gateway: Gateways, how: Fault | None) -> None:
    gateway.sessions.clears = lambda: how
    gateway.ask("first")
    second = gateway.ask("second")
    gateway.advance(15)

    assert answered(second).text == "You said: second"
    assert [talk for _, talk in gateway.sessions.asked] == [("first",), ("second",)]
    assert len(gateway.sessions.made) == 2
    assert not gateway.sessions.made[0].alive


# Faults


@pytest.mark.parametrize("cause", list(Cause))
def test_a_fault_is_told_as_exactly_that_and_the_next_question_is_unharmed(gateway: Gateways, cause: Cause) -> None:
    gateway.script["first"] = fault(cause, "0.02")
    first = gateway.ask("first", talk="a")
    gateway.advance(1.5)
    second = gateway.ask("second", talk="a")
    gateway.advance(5)

    assert (failed(first).cause, failed(first).cost) == (cause, Decimal("0.02"))
    assert gateway.rows()["q1"].outcome == cause
    assert not gateway.sessions.made[0].alive
    if cause in {Cause.RATE_LIMITED, Cause.AUTHENTICATION, Cause.BILLING, Cause.MODEL}:
        assert failed(second).cause is Cause.CIRCUIT_OPEN
        gateway.reset()
        second = gateway.ask("second", talk="a")
        gateway.advance(5)
    assert (answered(second).text, answered(second).anew) == ("You said: second", True)


@pytest.mark.parametrize(("retry_in", "waits"), [(None, None), (0.0, 0), (7.0, 7_000_000)])
def test_a_429_says_when_to_come_again_if_that_is_known(
    gateway: Gateways, retry_in: float | None, waits: int | None
) -> None:
    gateway.script["Why?"] = fault(Cause.RATE_LIMITED, retry_in=retry_in)
    probe = gateway.ask()
    gateway.advance(2)

    ended_at = gateway.rows()["q1"].ended_at
    assert ended_at is not None
    assert failed(probe).retry_at == (None if waits is None else ended_at + waits)


def test_a_fault_that_does_not_say_what_it_cost_is_charged_by_estimate(gateway: Gateways) -> None:
    gateway.script["Why?"] = fault(Cause.CRASH)
    probe = gateway.ask()
    gateway.advance(2)

    assert 0 < failed(probe).cost <= gateway.rows()["q1"].reserved


def test_nobody_signed_in_is_said_and_the_program_ended(gateway: Gateways) -> None:
    gateway.sessions.opens = lambda: Opened(None, None)
    first = gateway.ask("first")
    second = gateway.ask("second")
    gateway.advance(1)

    assert failed(first).cause is Cause.AUTHENTICATION
    assert "sign in with `claude`" in failed(first).sentence
    assert failed(second).cause is Cause.CIRCUIT_OPEN
    assert gateway.living == []
    assert gateway.prompts == []
    assert gateway.spent() == 0


@pytest.mark.parametrize(
    ("prompt", "cause"),
    [
        ("", Cause.REFUSED),
        (" \n\t", Cause.REFUSED),
        ("a\0b", Cause.REFUSED),
        ("half \ud83d a smile", Cause.REFUSED),
        ("x" * 1_000_001, Cause.TOO_LONG),
    ],
)
def test_a_prompt_that_cannot_be_asked_is_not(gateway: Gateways, prompt: str, cause: Cause) -> None:
    bad = gateway.ask(prompt)
    good = gateway.ask("/etc/passwd @/etc/passwd")
    gateway.advance(3)

    assert (failed(bad).cause, failed(bad).cost) == (cause, Decimal(0))
    assert answered(good).text == "You said: /etc/passwd @/etc/passwd"
    assert (gateway.rows()["q1"].outcome, gateway.rows()["q1"].cost) == (cause, Decimal(0))


def test_halves_of_characters_in_what_a_program_says_harm_nobody(gateway: Gateways) -> None:
    gateway.script["one"] = Answer(said("half \ud83d"))
    gateway.script["two"] = Answer(Fault(None, Cause.SERVER, "half \ud83d", Decimal(0)))
    one, two = gateway.ask("one"), gateway.ask("two")
    gateway.advance(5)

    assert answered(one).text == "half ?"
    assert failed(two).sentence == "half ?"
    assert not gateway.system.failed.done()


def test_what_a_program_says_late_or_twice_is_not_heard(home: Home) -> None:
    for seed in range(20):
        gateway = Gateways(home, seed=seed, at=seed * 1_000.0).start()
        gateway.sessions.haunting = True
        gateway.script["slow"] = Answer(said("too late"), 8.0, ((7.0, text("nearly")),))
        probes = [gateway.ask(prompt, id_=f"{seed} {prompt}", within=5) for prompt in ("one", "slow")]
        gateway.advance(20)
        last = gateway.ask("last", id_=f"{seed} last")
        gateway.advance(20)

        assert (answered(probes[0]).text, failed(probes[1]).cause) == ("You said: one", Cause.DEADLINE), seed
        assert answered(last).text == "You said: last", seed
        assert not gateway.system.recorder.crashes, seed
        gateway.stop()


# Crashes


def test_a_question_that_comes_twice_is_a_bug_and_crashes(gateway: Gateways) -> None:
    first = gateway.ask(id_="same")
    second = gateway.ask(id_="same")

    assert (refused(first).code, refused(second).code) == ("crashed", "crashed")
    assert "question same came twice" in str(gateway.system.recorder.crashes[0][1])


def test_a_question_that_comes_again_after_its_end_crashes_and_is_not_paid_for_twice(gateway: Gateways) -> None:
    gateway.ask(id_="same")
    gateway.advance(3)
    again = gateway.ask(id_="same")
    gateway.advance(3)

    assert refused(again).code == "crashed"
    assert gateway.rows()["same"].cost == Decimal("0.01")
    assert len(gateway.sessions.asked) == 1


@pytest.mark.parametrize("message", [Opened("x", None), Cleared("x"), Fault("x", Cause.CRASH, "")])
def test_an_answer_about_nothing_is_a_bug_and_crashes(gateway: Gateways, message: Opened | Cleared | Fault) -> None:
    gateway.claude.tell(message)
    gateway.system.settle()

    assert "which was never asked" in str(gateway.system.recorder.crashes[0][1])


def test_after_a_crash_no_program_is_left_and_what_was_asked_is_charged_by_estimate(gateway: Gateways) -> None:
    gateway.script["first"] = NEVER
    first, second = gateway.ask("first"), gateway.ask("second")
    gateway.advance(1)
    gateway.crash()

    assert gateway.living == []
    assert (refused(first).code, refused(second).code) == ("crashed", "crashed")
    gateway.advance(1)
    rows = gateway.rows()
    assert 0 < (rows["q1"].cost or 0) < rows["q1"].reserved
    assert rows["q2"].cost == 0
    third = gateway.ask("third")
    gateway.advance(3)
    assert answered(third).text == "You said: third"


@pytest.mark.parametrize("after", range(12))
def test_wherever_it_crashes_each_question_ends_once_and_is_settled(home: Home, after: int) -> None:
    for seed in range(4):
        gateway = Gateways(home, seed=seed, at=seed * 1_000.0).start()
        gateway.crash(after)
        probes = [gateway.ask(prompt, id_=f"{seed} {prompt}") for prompt in ("one", "two")]
        gateway.advance(10)

        assert gateway.system.recorder.crashes
        assert all(len(probe.received) == 1 for probe in probes), seed
        assert all(row.outcome for row in gateway.rows().values()), seed
        assert [session for session in gateway.living if session.busy] == []
        gateway.stop()


def test_stopped_it_leaves_no_program_and_refuses_whoever_waits(home: Home) -> None:
    gateway = Gateways(home).start()
    gateway.script["first"] = NEVER
    probes = [gateway.ask("first"), gateway.ask("second")]
    gateway.advance(1)
    gateway.stop()

    assert [refused(probe).code for probe in probes] == ["down", "down"]
    assert gateway.living == []
    assert gateway.rows()["q1"].outcome == "cancelled"
    assert gateway.rows()["q2"].cost == 0


# Every end, once


@pytest.mark.parametrize("seed", range(5))
def test_every_question_of_many_ends_exactly_once(home: Home, seed: int) -> None:
    gateway = Gateways(home, replace(RICH, side_by_side=2, max_clients=3), seed).start()
    causes = list(Cause)
    for n in range(60):
        gateway.script[f"p{n}"] = [
            Answer(said(f"a{n}")), fault(causes[n % len(causes)], retry_in=0.5), NEVER,
            Answer(None, heard=((0.2, Heard("", "so", "", "", 0, 2)),)),
        ][(n * 7 + seed) % 4]  # fmt: skip
    probes = list[Probe[End]]()
    asks: list[Callable[[int], Probe[End]]] = [
        lambda n: gateway.ask(f"p{n}"),
        lambda n: gateway.ask(f"p{n}", talk="a"),
        lambda n: gateway.ask(f"p{n}", profile=OTHER, within=40),
        lambda n: gateway.ask(f"p{n}", talk="b", profile=PROSE, within=5),
    ]
    for n in range(60):
        probes.append(asks[(n + seed) % 4](n))
        gateway.advance(0.3)
        if n % 9 == 0:
            gateway.cancel(f"q{n}")
        if n % 20 == 19:
            gateway.reset()
    gateway.advance(4_000)

    assert all(len(probe.received) == 1 for probe in probes)
    assert gateway.programs().questions == 0
    assert gateway.living == []
    assert all(row.outcome for row in gateway.rows().values())
    gateway.stop()
