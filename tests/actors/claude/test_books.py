"""The breaker as the gateway keeps it: on disk, published after that, and with one probe at a time."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from actors.kernel.testing import Probe
from messages import database
from messages.addresses import Refused
from messages.claude import BreakerChanged, Cause
from messages.database import Committed
from storage import breaker
from storage.home import Home
from tests.actors.claude.gateways import NEVER, OTHER, RICH, Gateways, answered, end, failed, fault
from tests.sessions import Answer, said

COUNTED = [Cause.OVERLOADED, Cause.SERVER, Cause.NETWORK, Cause.TIMEOUT, Cause.CRASH]


@pytest.fixture
def gateway(home: Home) -> Iterator[Gateways]:
    started = Gateways(home, script={"bad": fault(Cause.SERVER, "0")}).start()
    yield started
    started.stop()


def fail(gateway: Gateways, times: int = 3) -> None:
    for _ in range(times):
        gateway.ask("bad")
    gateway.advance(10)


def states(gateway: Gateways) -> list[str]:
    return [change.state for change in gateway.changes.received if isinstance(change, BreakerChanged)]


def stored(gateway: Gateways) -> str:
    row = breaker.latest(gateway.read)
    return row.state if row else "closed"


@pytest.mark.parametrize("cause", COUNTED)
def test_three_failures_in_a_row_open_it_and_whoever_waits_is_told_when_to_come_again(
    gateway: Gateways, cause: Cause
) -> None:
    gateway.script["bad"] = fault(cause, "0")
    bad = [gateway.ask("bad") for _ in range(3)]
    waiting = [gateway.ask("good"), gateway.ask("good", talk="a")]
    gateway.advance(10)

    assert [failed(probe).cause for probe in bad] == [cause] * 3
    for probe in waiting:
        assert failed(probe).cause is Cause.CIRCUIT_OPEN
        assert failed(probe).retry_at == (gateway.rows()["q3"].ended_at or 0) + 30_000_000
        assert f"a test says {cause}" in failed(probe).sentence
    assert gateway.prompts == ["bad"] * 3
    assert (states(gateway), stored(gateway)) == (["open"], "open")


def test_an_answer_between_two_failures_begins_the_count_anew(gateway: Gateways) -> None:
    for prompt in ("bad", "bad", "good", "bad", "bad"):
        gateway.ask(prompt)
    gateway.advance(20)

    assert states(gateway) == []
    assert stored(gateway) == "closed"


@pytest.mark.parametrize(
    "cause", [cause for cause in Cause if cause not in {*COUNTED, Cause.RATE_LIMITED, Cause.AUTHENTICATION,
                                                       Cause.BILLING, Cause.MODEL}]
)  # fmt: skip
def test_what_says_nothing_about_claude_never_opens_it(gateway: Gateways, cause: Cause) -> None:
    gateway.script["bad"] = fault(cause, "0")
    fail(gateway, 5)

    assert states(gateway) == []
    assert len(gateway.prompts) == 5


@pytest.mark.parametrize(
    ("cause", "what"),
    [(Cause.AUTHENTICATION, "sign in"), (Cause.BILLING, "no credit"), (Cause.MODEL, "no such model")],
)
def test_what_only_a_person_can_mend_opens_it_at_once_and_says_what_to_do(
    gateway: Gateways, cause: Cause, what: str
) -> None:
    gateway.script["bad"] = fault(cause, "0")
    fail(gateway, 1)
    probe = gateway.ask("good")

    assert what in failed(probe).sentence
    assert gateway.prompts == ["bad"]
    gateway.reset()
    gateway.ask("good")
    gateway.advance(3)
    assert gateway.prompts == ["bad", "good"]


def test_half_open_lets_exactly_one_through_and_its_answer_closes_it(home: Home) -> None:
    gateway = Gateways(home, replace(RICH, side_by_side=3), script={"bad": fault(Cause.SERVER, "0")}).start()
    fail(gateway)
    gateway.advance(30)
    probe = gateway.ask("probe")
    others = [gateway.ask("other", profile=OTHER), gateway.ask("other", talk="a")]
    gateway.advance(0.5)

    assert [failed(other).cause for other in others] == [Cause.CIRCUIT_OPEN] * 2
    assert stored(gateway) == "half_open"
    gateway.advance(5)
    assert answered(probe).text == "You said: probe"
    assert (states(gateway), stored(gateway)) == (["open", "half_open", "closed"], "closed")
    assert gateway.prompts == ["bad"] * 3 + ["probe"]


def test_a_probe_that_fails_opens_it_for_twice_as_long(gateway: Gateways) -> None:
    fail(gateway)
    gateway.advance(30)
    gateway.ask("bad")
    gateway.advance(2)
    refused = gateway.ask("good")
    row = breaker.latest(gateway.read)

    assert row is not None
    assert row.retry_at is not None
    assert (row.state, row.retry_at - row.at) == ("open", 60_000_000)
    assert failed(refused).retry_at == row.retry_at


def test_a_probe_that_is_cancelled_makes_room_for_another(gateway: Gateways) -> None:
    fail(gateway)
    gateway.advance(30)
    gateway.script["slow"] = NEVER
    gateway.ask("slow", id_="slow")
    gateway.advance(1)
    gateway.cancel("slow")
    probe = gateway.ask("good")
    gateway.advance(5)

    assert answered(probe).text == "You said: good"
    assert states(gateway) == ["open", "half_open", "open", "half_open", "closed"]


def test_one_let_through_before_it_opened_has_no_say_in_a_later_probes_affair(home: Home) -> None:
    script = {"bad": fault(Cause.SERVER, "0"), "slow": Answer(said(), 100.0, ()), "old": NEVER}
    asking = replace(RICH, side_by_side=4, max_clients=9, first_token_within=1_000)
    gateway = Gateways(home, asking, script=script).start()
    fail(gateway)
    gateway.advance(30)
    gateway.ask("old", id_="old", within=1_000, talk="old")  # the first probe
    gateway.advance(1)
    gateway.reset()
    fail(gateway)
    gateway.advance(30)
    gateway.ask("slow", id_="slow", within=1_000, talk="slow")  # the second one
    gateway.advance(1)
    gateway.cancel("old")
    third = gateway.ask("good")

    assert failed(third).cause is Cause.CIRCUIT_OPEN
    assert stored(gateway) == "half_open"


def test_a_probe_whose_program_was_not_cleared_takes_another_and_is_still_the_probe(home: Home) -> None:
    script = {"limited": fault(Cause.RATE_LIMITED, "0", retry_in=1.0)}
    gateway = Gateways(home, replace(RICH, side_by_side=2), script=script).start()
    gateway.sessions.clears = lambda: None
    gateway.ask("limited", talk="a")
    gateway.ask("first")
    gateway.advance(1.45)  # the shared one is being cleared, for ten seconds
    gateway.ask("limited", talk="b")
    gateway.advance(1.5)
    gateway.advance(1.5)
    probe = gateway.ask("probe")
    gateway.advance(20)

    assert answered(probe).text == "You said: probe"


def test_a_429_keeps_everybody_waiting_until_its_time(gateway: Gateways) -> None:
    gateway.script["limited"] = fault(Cause.RATE_LIMITED, "0", retry_in=7.0)
    gateway.ask("limited")
    gateway.advance(2)
    early = gateway.ask("early")
    gateway.advance(6.5)
    late = gateway.ask("late")
    gateway.advance(3)

    assert failed(early).cause is Cause.CIRCUIT_OPEN
    assert answered(late).text == "You said: late"


@pytest.mark.parametrize("how", ["crash", "restart"])
def test_it_stays_open_through_a_crash_and_a_restart(gateway: Gateways, how: str) -> None:
    fail(gateway)
    if how == "crash":
        gateway.crash()
        gateway.advance(1)
        after = gateway
    else:
        after = gateway.died()
    early = after.ask("good", id_="early")
    after.advance(30)
    late = after.ask("good", id_="late")
    after.advance(5)

    assert failed(early).cause is Cause.CIRCUIT_OPEN
    assert answered(late).text == "You said: good"


@pytest.mark.parametrize("how", ["crash", "restart"])
def test_a_probe_that_was_lost_with_its_gateway_does_not_block_the_next(gateway: Gateways, how: str) -> None:
    fail(gateway)
    gateway.advance(30)
    gateway.script["slow"] = NEVER
    gateway.ask("slow")
    gateway.advance(1)
    assert stored(gateway) == "half_open"
    if how == "crash":
        gateway.crash()
        gateway.advance(1)
        after = gateway
    else:
        after = gateway.died()
    probe = after.ask("good", id_="next")
    after.advance(5)

    assert answered(probe).text == "You said: good"
    assert stored(after) == "closed"


def test_a_person_closes_it(gateway: Gateways) -> None:
    fail(gateway)
    gateway.reset()
    probe = gateway.ask("good")
    gateway.advance(5)

    assert answered(probe).text == "You said: good"
    assert states(gateway) == ["open", "closed"]


def test_while_it_is_open_nothing_is_prepared(gateway: Gateways) -> None:
    fail(gateway)

    assert end(gateway.prepare()).cause is Cause.CIRCUIT_OPEN


def test_a_change_is_published_only_when_it_is_on_disk(home: Home) -> None:
    Gateways(home).start().stop()
    writer = Probe[database.Message]("writer")
    gateway = Gateways(home, writer=writer.ref, script={"bad": fault(Cause.MODEL, "0")}).start()
    gateway.ask("bad")
    gateway.advance(0.5)
    reserve = writer.received.pop()
    assert isinstance(reserve, database.Write)
    reserve.reply_to.tell(Committed(reserve.reply_to.about, ((("q1",),),)))
    gateway.advance(5)
    assert states(gateway) == []
    settle = writer.received.pop()
    assert isinstance(settle, database.Write)
    settle.reply_to.tell(Committed(settle.reply_to.about, ((("q1",),), ())))
    gateway.system.settle()

    assert states(gateway) == ["open"]


@pytest.mark.parametrize("seed", range(10))
def test_its_states_are_kept_in_their_order_though_the_writer_has_no_room(home: Home, seed: int) -> None:
    script = {"bad": fault(Cause.SERVER, "0"), "model": fault(Cause.MODEL, "0")}
    gateway = Gateways(home, seed=seed, capacity=1, script=script).start()
    crowd = Probe[Committed | Refused]("crowd")
    gateway.sessions.before = lambda: gateway.database.tell(database.Write((), crowd))
    for _ in range(12):
        probe = gateway.ask("model")
        while not probe.received:
            gateway.advance(0.01)
            if len(states(gateway)) % 2 == 0 and any(not session.alive for session in gateway.sessions.made[-1:]):
                break  # it has failed, and that is on its way to the disk
        gateway.reset()
        gateway.advance(0.5)

    history = gateway.read.rows(tuple[str], "SELECT state FROM claude_breaker ORDER BY number")
    assert [state for (state,) in history] == states(gateway) == ["open", "closed"] * 12
    assert gateway.system.dead_letters["database", "full"] > 0
