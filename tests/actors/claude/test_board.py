"""How far a question is: the latest, for whoever asks, whenever they ask."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from actors.claude.board import KEPT
from messages.addresses import Refused
from messages.claude import Cause, Progress
from messages.values import Symbol
from storage.home import Home
from tests.actors.claude.gateways import PROSE, RICH, ROUND, Gateways, end, fault, refused, text
from tests.sessions import Answer, said

STEPS = Answer(
    said("one two three"),
    4.0,
    ((1.0, text("one")), (2.0, text("one two", thinking="hm")), (3.0, text("one two three"))),
)


@pytest.fixture
def gateway(home: Home) -> Iterator[Gateways]:
    started = Gateways(home, script={"Why?": STEPS}).start()
    yield started
    started.stop()


def follow(gateway: Gateways, of: str, seconds: float) -> list[Progress]:
    """Everything that a watcher who is always there sees."""
    seen, after = list[Progress](), 0
    until = gateway.system.clock.monotonic() + seconds
    probe = gateway.watch(of)
    while gateway.system.clock.monotonic() < until:
        gateway.advance(0.1)
        if probe.received:
            progress = end(probe)
            assert isinstance(progress, Progress)
            assert progress.number > after
            seen, after = [*seen, progress], progress.number
            probe = gateway.watch(of, after)
    return seen


@pytest.mark.parametrize("of", ["q1", ROUND])
def test_a_watcher_sees_every_step_and_the_end(gateway: Gateways, of: str) -> None:
    gateway.ask(symbol=Symbol("ACME"))
    seen = follow(gateway, of, 10)

    assert [(step.text, step.thinking, step.ended) for step in seen] == [
        ("", "", False), ("one", "", False), ("one two", "hm", False), ("one two three", "", False),
        ("one two three", "", True),
    ]  # fmt: skip
    assert {(step.question, step.correlation_id, step.symbol) for step in seen} == {("q1", ROUND, "ACME")}


def test_a_watch_that_is_there_first_is_told_with_the_first_step(gateway: Gateways) -> None:
    probe = gateway.watch("q1")
    gateway.ask()
    assert probe.received == []
    gateway.advance(0.5)

    step = end(probe)
    assert isinstance(step, Progress)
    assert (step.about, step.text) == ("watch q1", "")


def test_who_is_slow_gets_the_newest(gateway: Gateways) -> None:
    gateway.ask()
    gateway.advance(3)

    assert end(gateway.watch("q1")).text == "one two"


def test_an_end_is_not_lost_on_who_comes_after_it(gateway: Gateways) -> None:
    gateway.ask()
    gateway.advance(10)

    for of in ("q1", ROUND):
        step = end(gateway.watch(of))
        assert isinstance(step, Progress)
        assert (step.text, step.ended) == ("one two three", True)


def test_of_several_questions_no_end_is_lost_on_who_is_slow(gateway: Gateways) -> None:
    for _ in range(3):
        gateway.ask()
    gateway.advance(60)

    seen, after = list[str](), 0
    for _ in range(3):
        step = end(gateway.watch(ROUND, after))
        assert isinstance(step, Progress)
        assert step.ended
        seen, after = [*seen, step.question], step.number
    assert seen == ["q1", "q2", "q3"]
    assert gateway.watch(ROUND, after).received == []


def test_what_is_not_new_is_not_told_again(gateway: Gateways) -> None:
    gateway.ask()
    gateway.advance(1.5)
    step = end(gateway.watch("q1"))
    assert isinstance(step, Progress)
    again = gateway.watch("q1", step.number)
    assert again.received == []
    gateway.advance(1)

    assert end(again).text == "one two"


def test_a_question_that_fails_or_is_cancelled_ends_its_watch(gateway: Gateways) -> None:
    gateway.script["bad"] = fault(Cause.SERVER)
    gateway.ask("bad")
    gateway.ask("Why?")
    watches = [gateway.watch("q2")]
    gateway.cancel("q2")
    gateway.advance(10)
    watches.append(gateway.watch("q1"))

    assert [end(watch).ended for watch in watches] == [True, True]


def test_only_values_that_are_complete_are_shown(home: Home) -> None:
    halves = ('{"action": "BUY", "target": 43', '{"action": "BUY", "target": 430.47, "thesis": "so')
    heard = tuple((float(n), text("", structured=half)) for n, half in enumerate(halves, 1))
    gateway = Gateways(home, script={"Why?": Answer(said(value="{}"), 5.0, heard)}).start()
    gateway.ask(profile=replace(PROSE, schema="{}"))
    gateway.ask(talk="prose")
    gateway.advance(1.5)
    first = end(gateway.watch("q1"))
    gateway.advance(1)
    second = end(gateway.watch("q1"))
    gateway.advance(6)
    prose = end(gateway.watch("q2"))

    assert first.values == (("action", '"BUY"'),)
    assert second.values == (("action", '"BUY"'), ("target", "430.47"))
    assert prose.values == ()


def test_numbers_go_on_growing_after_a_crash(gateway: Gateways) -> None:
    gateway.ask()
    gateway.advance(3)
    before = end(gateway.watch("q1")).number
    waits = gateway.watch("q1", before)
    gateway.crash()
    gateway.advance(0.2)
    gateway.ask(id_="later")
    gateway.advance(2)

    assert refused(waits).code == "crashed"
    assert end(gateway.watch("later")).number > before


def test_a_watch_that_was_given_up_is_forgotten(gateway: Gateways) -> None:
    late = gateway.watch("q1")
    late.refuse("late", "a test has waited enough")
    gateway.ask()
    gateway.advance(10)

    assert late.received == [Refused("watch q1", "late", "a test has waited enough")]


def test_the_progress_of_so_many_that_ended_is_kept(home: Home) -> None:
    gateway = Gateways(home, RICH).start()
    for n in range(KEPT + 1):
        gateway.ask(id_=f"n{n}")
        gateway.cancel(f"n{n}")

    assert gateway.watch("n0").received == []
    assert end(gateway.watch("n1")).ended
