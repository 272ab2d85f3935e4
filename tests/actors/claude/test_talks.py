"""Conversations and their programs: whose is whose, what is kept, and who has to go."""

import gc
import weakref
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

import pytest

from actors.claude.sessions import Fault, Opened
from actors.kernel.testing import Probe
from messages import database
from messages.claude import Cause, Failed, Prepared, Profile, Program
from messages.database import Committed
from storage.home import Home
from tests.actors.claude.gateways import NEVER, OTHER, PROSE, RICH, Gateways, answered, end, failed, fault
from tests.sessions import Answer, said


@pytest.fixture
def gateway(home: Home) -> Iterator[Gateways]:
    started = Gateways(home).start()
    yield started
    started.stop()


def test_the_shared_conversation_is_cleared_before_each_question(gateway: Gateways) -> None:
    for n in range(3):
        gateway.ask(f"p{n}")
    gateway.advance(10)

    assert [talk for _, talk in gateway.sessions.asked] == [("p0",), ("p1",), ("p2",)]
    assert len(gateway.sessions.made) == 1


def test_a_conversation_that_has_ended_is_not_kept_in_memory_until_it_would_have_been_idle(gateway: Gateways) -> None:
    gateway.script["p1"] = fault(Cause.CRASH)
    for n in range(2):
        gateway.ask(f"p{n}", talk="a")
    gateway.advance(RICH.idle / 2)  # by now all that was waited for has had its time
    programs = [weakref.ref(session) for session in gateway.sessions.made]
    gateway.sessions.made.clear()
    gc.collect()

    assert [program() for program in programs] == [None]


def test_a_named_conversation_keeps_its_talk_beside_the_shared_one(gateway: Gateways) -> None:
    for n in range(2):
        gateway.ask(f"a{n}", talk="a")
        gateway.ask(f"s{n}")
    gateway.advance(20)

    assert [talk for _, talk in gateway.sessions.asked] == [("a0",), ("s0",), ("a0", "a1"), ("s1",)]


@pytest.mark.parametrize(
    "other",
    [
        replace(PROSE, system="Be long."),
        replace(PROSE, schema="{}"),
        replace(PROSE, tools=("bars",)),
        replace(PROSE, thinking=0),
        replace(PROSE, output=10),
        replace(PROSE, turns=2),
        replace(PROSE, usd=RICH.max_usd_per_day),
    ],
)
def test_other_options_are_another_program(home: Home, other: Profile) -> None:
    gateway = Gateways(home, replace(RICH, max_clients=9)).start()
    for profile in (PROSE, other, PROSE):
        gateway.ask(profile=profile, talk="a")
        gateway.ask(profile=profile)
    gateway.advance(30)

    asked = [(session.profile, len(session.asked)) for session in gateway.sessions.made]
    assert asked == [(PROSE, 2), (PROSE, 2), (other, 1), (other, 1)]


def test_a_named_conversation_cannot_be_the_shared_or_the_spare_one(home: Home) -> None:
    gateway = Gateways(home, replace(RICH, standby=True, max_clients=9)).start()
    for name in (None, "", "*", "+", "shared", "spare"):
        gateway.ask(f"to {name}", talk=name)
        gateway.ask(f"again {name}", talk=name)
    gateway.advance(60)

    asked = [session.asked for session in gateway.sessions.made if session.asked]
    assert len(asked) == 6
    assert [talk for _, talk in asked[0]] == [("to None",), ("again None",)]
    assert all([len(talk) for _, talk in each] == [1, 2] for each in asked[1:])


# Losing a talk


def test_a_talk_goes_on_without_a_word(gateway: Gateways) -> None:
    first = gateway.ask(talk="a")
    gateway.advance(5)
    second = gateway.ask(talk="a")
    gateway.advance(5)

    assert answered(first).anew
    assert not answered(second).anew


def test_the_shared_conversation_has_no_talk_to_lose(gateway: Gateways) -> None:
    probe = gateway.ask()
    gateway.advance(5)

    assert not answered(probe).anew


def lose_by_eviction(gateway: Gateways) -> None:
    for name in "bcd":
        gateway.ask(talk=name)
        gateway.advance(5)


def lose_by_time(gateway: Gateways) -> None:
    gateway.advance(601)


def lose_by_failure(gateway: Gateways) -> None:
    gateway.script["bad"] = fault(Cause.SERVER)
    gateway.ask("bad", talk="a")
    gateway.advance(5)


def lose_by_cancelling(gateway: Gateways) -> None:
    gateway.script["long"] = NEVER
    probe = gateway.ask("long", talk="a")
    gateway.advance(5)
    gateway.cancel(str(probe.about))


def lose_by_a_crash(gateway: Gateways) -> None:
    gateway.crash()
    gateway.advance(1)


@pytest.mark.parametrize("lose", [lose_by_eviction, lose_by_time, lose_by_failure, lose_by_cancelling, lose_by_a_crash])
@pytest.mark.parametrize("in_vain", [False, True])
def test_that_a_talk_is_lost_is_told_with_the_next_answer(gateway: Gateways, lose: object, in_vain: bool) -> None:
    gateway.ask("first", talk="a")
    gateway.advance(5)
    assert callable(lose)
    lose(gateway)
    if in_vain:  # one that never comes so far as to be asked has told nobody
        probe = gateway.ask("in vain", talk="a")
        gateway.advance(0.1)
        gateway.cancel(str(probe.about))
        gateway.advance(1)

    probe = gateway.ask("last", talk="a")
    gateway.advance(5)

    assert answered(probe).anew
    assert gateway.sessions.asked[-1][1] == ("last",)


# Room


def test_the_least_recently_used_has_to_go(gateway: Gateways) -> None:
    for name in ("a", "b", "c", "a"):
        gateway.ask(talk=name)
        gateway.advance(5)
    gateway.ask(talk="d")
    gateway.advance(5)

    assert set(gateway.talks()) == {"a", "c", "d"}
    assert len(gateway.living) == 3


def test_one_that_is_busy_never_has_to_go(home: Home) -> None:
    gateway = Gateways(home, replace(RICH, side_by_side=3, max_clients=2)).start()
    for name in "ab":
        gateway.script[name] = Answer(said(name), 20.0)
        gateway.ask(name, talk=name)
    third = gateway.ask("c", talk="c")
    gateway.advance(10)
    assert gateway.talks() == {"a": "busy", "b": "busy"}
    gateway.advance(20)

    assert answered(third).text == "You said: c"
    assert len(gateway.living) == 2


def test_an_unused_program_is_ended_after_a_while(gateway: Gateways) -> None:
    gateway.ask(talk="a")
    gateway.advance(300)
    gateway.ask(talk="a")
    gateway.advance(600)
    assert gateway.talks() == {"a": "ready"}
    gateway.advance(2)

    assert gateway.living == []


@pytest.mark.parametrize("when", [0.1, 0.41, 5.0])
def test_so_is_one_whose_question_was_cancelled_before_it_was_asked(home: Home, when: float) -> None:
    gateway = Gateways(home, replace(RICH, idle=100, max_usd_per_round=Decimal(0))).start()
    gateway.ask("too dear", talk="a")  # has its program, and then no money
    if when < 1:
        gateway.advance(when)
        gateway.cancel("q1")
    gateway.advance(99)
    gateway.advance(10)

    assert gateway.prompts == []
    assert gateway.living == []


def test_so_is_one_that_was_ready_before_there_was_no_money_for_its_question(home: Home) -> None:
    Gateways(home).start().stop()  # so that there are tables
    writer = Probe[database.Message]("writer")
    gateway = Gateways(home, replace(RICH, idle=30), writer=writer.ref).start()
    gateway.ask()
    gateway.advance(1)
    assert gateway.talks() == {"shared": "busy"}
    [reserve] = writer.received
    assert isinstance(reserve, database.Write)
    reserve.reply_to.tell(Committed(reserve.reply_to.about, ((),)))  # a ceiling was in the way
    gateway.advance(28)
    assert gateway.talks() == {"shared": "ready"}
    gateway.advance(3)

    assert gateway.living == []


# Standing by


def test_a_spare_becomes_whichever_conversation_is_wanted_next_and_another_is_started(home: Home) -> None:
    gateway = Gateways(home, replace(RICH, standby=True)).start()
    gateway.ask("first", talk="a")
    gateway.advance(2)
    assert gateway.talks() == {"a": "ready", "spare": "ready"}
    spare = gateway.living[-1]
    probe = gateway.ask("second", talk="b")
    gateway.advance(1.01)

    assert (answered(probe).text, answered(probe).anew) == ("You said: second", True)
    assert spare.asked == [("q2", ("second",))]
    assert gateway.talks() == {"a": "ready", "b": "ready", "spare": "opening"}


def test_a_spare_is_of_one_profile_alone(home: Home) -> None:
    gateway = Gateways(home, replace(RICH, standby=True)).start()
    gateway.ask("first", talk="a")
    gateway.advance(2)
    gateway.ask("second", talk="a", profile=OTHER)
    gateway.advance(2)

    assert [session.profile for session in gateway.sessions.made if session.asked] == [PROSE, OTHER]


def test_a_spare_is_taken_while_it_still_starts(home: Home) -> None:
    gateway = Gateways(home, replace(RICH, standby=True)).start()
    gateway.ask("first", talk="a")
    gateway.advance(1.5)
    probe = gateway.ask("second", talk="b")
    gateway.advance(1.35)

    assert answered(probe).text == "You said: second"
    assert len(gateway.sessions.made) == 3  # the last one the next spare


def test_a_spare_is_the_first_to_go_and_nobody_goes_for_one(home: Home) -> None:
    gateway = Gateways(home, replace(RICH, standby=True, max_clients=2)).start()
    gateway.ask("first", talk="a")
    gateway.advance(5)
    gateway.ask("second", talk="b", profile=OTHER)
    gateway.advance(5)

    assert gateway.talks() == {"a": "ready", "b": "ready"}


def test_a_spare_that_cannot_start_harms_nobody(home: Home) -> None:
    gateway = Gateways(home, replace(RICH, standby=True)).start()
    gateway.ask("first")
    gateway.advance(1)
    gateway.sessions.opens = lambda: Fault(None, Cause.CRASH, "it cannot start")
    gateway.advance(5)
    second = gateway.ask("second")
    gateway.advance(5)

    assert answered(second).text == "You said: second"
    assert gateway.talks() == {"shared": "ready"}


def test_an_unused_spare_is_ended_too(home: Home) -> None:
    gateway = Gateways(home, replace(RICH, standby=True)).start()
    gateway.ask("first")
    gateway.advance(700)

    assert gateway.living == []


def test_so_is_a_spare_that_was_prepared_and_never_asked(home: Home) -> None:
    gateway = Gateways(home, replace(RICH, standby=True, idle=100)).start()
    gateway.ask(talk="a")
    gateway.advance(50)
    prepared = gateway.prepare()
    assert end(prepared) == Prepared("prepare", "a test")
    gateway.advance(99)
    assert gateway.talks() == {"shared": "ready"}
    gateway.advance(2)

    assert gateway.living == []


# Looking and preparing


def test_a_look_shows_what_is_alive(gateway: Gateways) -> None:
    gateway.script["long"] = Answer(said("at last"), 10)
    gateway.ask("first")
    gateway.advance(5)
    gateway.ask("long", talk="a")
    gateway.ask("waits", talk="a")
    gateway.advance(1)

    look = gateway.programs()
    first, second = look.programs
    assert first == Program("shared", PROSE.model, "ready", 1, first.unused)
    assert second == Program("a", PROSE.model, "busy", 1, second.unused)
    assert first.unused == pytest.approx(4.6)
    assert second.unused == pytest.approx(1.0)
    assert look.questions == 2


def test_a_program_is_prepared_and_says_who_is_signed_in(gateway: Gateways) -> None:
    probe = gateway.prepare()
    twice = gateway.prepare()
    gateway.advance(0.39)
    assert probe.received == []
    gateway.advance(0.02)

    assert end(probe) == end(twice) == Prepared("prepare", "a test")
    assert end(gateway.prepare()) == Prepared("prepare", "a test")
    question = gateway.ask()
    gateway.advance(1.01)
    assert answered(question).text == "You said: Why?"
    assert len(gateway.sessions.made) == 1


def test_preparing_tells_that_nobody_is_signed_in_and_leaves_no_program(gateway: Gateways) -> None:
    gateway.sessions.opens = lambda: Opened(None, None)
    probe = gateway.prepare()
    gateway.advance(1)

    refused = end(probe)
    assert isinstance(refused, Failed)
    assert refused.cause is Cause.AUTHENTICATION
    assert gateway.living == []


def test_preparing_tells_that_the_program_does_not_start(gateway: Gateways) -> None:
    gateway.sessions.opens = lambda: Fault(None, Cause.CRASH, "it cannot start")
    probe = gateway.prepare()
    gateway.advance(1)
    assert failed(probe).cause is Cause.CRASH  # type: ignore[arg-type]
    gateway.sessions.opens = lambda: None
    probe = gateway.prepare()
    gateway.advance(31)

    assert failed(probe).cause is Cause.TIMEOUT  # type: ignore[arg-type]
    assert gateway.living == []


def test_preparing_while_others_have_all_programs_waits_for_nobody(home: Home) -> None:
    gateway = Gateways(home, replace(RICH, max_clients=1)).start()
    gateway.script["Why?"] = NEVER
    gateway.ask(talk="a")
    gateway.advance(1)

    assert end(gateway.prepare()) == Prepared("prepare", "in use by others")


def test_one_that_is_being_prepared_never_has_to_go_before_it_was_told(home: Home) -> None:
    gateway = Gateways(home, replace(RICH, max_clients=1)).start()
    prepared, question = gateway.prepare(), gateway.ask(talk="a")
    gateway.advance(3)

    assert end(prepared) == Prepared("prepare", "a test")
    assert answered(question).text == "You said: Why?"


def test_a_prepared_program_that_a_question_takes_tells_both(gateway: Gateways) -> None:
    gateway.sessions.opens = lambda: Opened(None, None)
    prepared, question = gateway.prepare(), gateway.ask()
    gateway.advance(1)

    assert [failed(probe).cause for probe in (prepared, question)] == [Cause.AUTHENTICATION] * 2  # type: ignore[arg-type]
    assert gateway.living == []
