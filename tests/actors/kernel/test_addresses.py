"""Laws 2 to 5: no waiting, typed messages, one return address, bounded mailboxes."""

import asyncio
from contextvars import Context
from functools import partial

import pytest

from actors.kernel.edges import WouldBlock
from actors.kernel.me import Me
from actors.kernel.supervision import Policy
from actors.kernel.testing import Probe, TestSystem
from messages.addresses import Ref, Refused
from tests.actors.kernel.counter import Add, Counter, CounterMessage, Crash, Do, Hold, Release, Tick, Total, trace


class Two:
    """A counter and someone who asks it."""

    def __init__(self, seed: int = 0, *, capacity: int = 1_000) -> None:
        self.system = TestSystem(seed)
        self.counter, self.asker = Ref[CounterMessage]("counter"), Ref[CounterMessage]("asker")
        self.log, self.heard = list[object](), list[object]()
        self.system.add(self.counter, lambda me: Counter(me, self.log), capacity=capacity)
        self.system.add(self.asker, lambda me: Counter(me, self.heard))
        self.system.start()
        self.log.clear()
        self.heard.clear()

    def ask(self, kind: type[Total] | type[Hold] | type[Crash], about: object = "total", within: float = 5) -> None:
        """Have the asker ask the counter."""

        def action(asker: Counter) -> None:
            self.counter.tell(kind(asker.me.reply_to(about, of=self.counter, within=within)))

        self.asker.tell(Do(action))
        self.system.settle()

    def codes(self) -> list[str]:
        """The refusals the asker has heard."""
        return [message.code for message in self.heard if isinstance(message, Refused)]


def test_asking_from_an_actor_is_refused() -> None:
    two, caught = Two(), list[str]()

    def action(_: Counter) -> None:
        with pytest.raises(WouldBlock) as error:
            two.system.ask(two.asker, Total, within=1)
        caught.append(str(error.value))

    two.counter.tell(Do(action))
    two.system.settle()

    assert caught == ["counter must not wait for asker; send a reply_to"]


def test_asking_from_a_coroutine_is_refused() -> None:
    two = Two()

    async def main() -> None:
        two.system.ask(two.counter, Total, within=1)

    with pytest.raises(WouldBlock, match="a coroutine"):
        asyncio.run(main())


def test_an_edge_asks_and_gets_the_answer() -> None:
    two = Two()
    two.counter.tell(Add(3))

    assert two.system.ask(two.counter, Total, within=1) == 3


def test_an_edge_that_waits_too_long_is_told_so() -> None:
    two = Two()

    answer = two.system.ask(two.counter, Hold, within=1)

    assert answer == Refused(None, "late", "counter has not answered within 1 s")


def test_an_answer_comes_back_as_a_message() -> None:
    two = Two()
    two.counter.tell(Add(3))

    two.ask(Total)
    two.system.advance(60)

    assert two.heard == [3]


def test_a_request_that_crashed_its_target_is_refused() -> None:
    two = Two()

    two.ask(Crash)
    two.system.advance(60)

    assert two.codes() == ["crashed"]
    assert two.heard[0] == Refused("total", "crashed", "counter crashed on it or while it held it: ValueError('none')")


def test_a_request_held_by_an_actor_that_crashes_is_refused() -> None:
    two = Two()

    two.ask(Hold)
    two.counter.tell(Crash())
    two.system.advance(60)

    assert two.codes() == ["crashed"]


def test_a_request_to_a_full_mailbox_is_refused() -> None:
    two = Two(capacity=2)

    def action(asker: Counter) -> None:
        for n in range(3):
            two.counter.tell(Total(asker.me.reply_to(n, of=two.counter, within=5)))

    two.asker.tell(Do(action))
    two.system.advance(60)

    assert [message.about for message in two.heard if isinstance(message, Refused)] == [2]
    assert two.codes() == ["full"]
    assert two.heard.count(0) == 2


def test_a_request_that_is_not_answered_in_time_is_refused_and_the_late_answer_counted() -> None:
    two = Two()

    two.ask(Hold, within=5)
    two.system.advance(4.9)
    before = two.codes()
    two.system.advance(0.2)
    two.counter.tell(Release())
    two.system.advance(60)

    assert before == []
    assert two.heard == [Refused("total", "late", "counter has not answered within 5 s")]
    assert two.system.dead_letters["asker", "void"] == 1


def test_a_request_to_a_stopped_actor_is_refused_as_down() -> None:
    two, probe = Two(), Probe[int | Refused]()
    two.system.stop(grace=1)

    two.counter.tell(Total(probe))

    assert probe.received == [Refused("probe", "down", "counter is down")]


def test_an_answer_is_void_once_its_owner_was_rebuilt() -> None:
    two = Two()
    two.ask(Hold)

    two.system.crash(two.asker)
    two.counter.tell(Release())
    two.system.advance(60)

    assert two.heard == ["stop", "start"]


def test_an_answer_given_twice_comes_once() -> None:
    two = Two()
    two.ask(Hold)

    def answer_twice(counter: Counter) -> None:
        counter.held[0].tell(1)
        counter.held[0].tell(2)

    two.counter.tell(Do(answer_twice))
    two.system.advance(60)

    assert two.heard == [1]


@pytest.mark.parametrize("seed", range(40))
def test_whatever_happens_in_whatever_order_exactly_one_message_comes_back(seed: int) -> None:
    two = Two(seed, capacity=4)
    two.system.crash(two.counter, after=seed % 11)

    for n in range(8):
        two.ask(Hold if n % 2 else Total, about=n, within=2)
        if n % 3 == 0:
            two.counter.tell(Release())
    two.system.advance(60)

    assert len(two.heard) == 8


def test_an_event_too_many_is_dropped_and_counted_and_leaves_room_for_requests() -> None:
    two, probe = Two(capacity=4), Probe[int | Refused]()

    for _ in range(5):
        two.counter.tell(Add(1))
    two.counter.tell(Total(probe))
    two.system.settle()

    assert probe.received == [2]
    assert two.system.dead_letters["counter", "full"] == 3


def test_replies_and_timers_are_taken_by_a_full_mailbox() -> None:
    two = Two(capacity=2)

    def action(counter: Counter) -> None:
        counter.me.after(0, Tick())
        two.asker.tell(Total(counter.me.reply_to("other", of=two.asker, within=5)))
        for _ in range(5):
            two.counter.tell(Add(1))

    two.counter.tell(Do(action))
    two.system.advance(1)

    assert two.system.dead_letters["counter", "full"] > 0
    assert sorted(map(str, two.log)) == ["0", "Tick(note='')"]


def test_time_outs_of_requests_that_were_answered_do_not_pile_up() -> None:
    two = Two()

    def ask_often(asker: Counter) -> None:
        for _ in range(100):
            two.counter.tell(Total(asker.me.reply_to("n", of=two.counter, within=60)))

    for _ in range(50):
        two.asker.tell(Do(ask_often))
        two.system.settle()

    assert len(two.heard) == 5_000
    assert len(two.system.manual.agenda.due) < 1_500


def test_telling_an_actor_that_is_down_never_raises_at_the_sender() -> None:
    two, probe = Two(), Probe[int | Refused]()
    for _ in range(5):
        two.counter.tell(Crash())
        two.system.advance(2)

    two.counter.tell(Add(1))
    two.counter.tell(Total(probe))
    two.system.settle()

    assert [message.code for message in probe.received if isinstance(message, Refused)] == ["down"]


def test_a_request_to_an_address_where_nobody_lives_is_refused_and_an_event_vanishes() -> None:
    nowhere, probe = Ref[CounterMessage]("nowhere"), Probe[int | Refused]()

    nowhere.tell(Add(1))
    nowhere.tell(Total(probe))

    assert [message.code for message in probe.received if isinstance(message, Refused)] == ["down"]


def test_the_senders_context_comes_with_the_message_and_with_the_answer() -> None:
    two, seen = Two(), list[str]()
    trace.set("t-1")

    def asked(asker: Counter) -> None:
        two.counter.tell(Hold(asker.me.reply_to("x", of=two.counter, within=5)))
        seen.append(trace.get())

    two.asker.tell(Do(asked))
    two.system.settle()
    trace.set("another")
    two.counter.tell(Release())
    two.asker.tell(Do(lambda _: seen.append(trace.get())))
    two.system.settle()

    assert seen == ["t-1", "another"]


def test_an_answer_is_handled_in_the_context_in_which_it_was_asked_for() -> None:
    seen = list[str]()

    class Asker(Counter):
        def on_receive(self, message: CounterMessage) -> None:
            seen.append(trace.get())
            super().on_receive(message)

    two, asker = Two(), Ref[CounterMessage]("traced")
    two.system.add(asker, Asker)
    two.system.run_runner(two.system.runners[-1])

    def hold(actor: Counter) -> None:
        two.counter.tell(Hold(actor.me.reply_to("x", of=two.counter, within=5)))

    def tell_as(name: str) -> None:
        trace.set(name)
        asker.tell(Do(hold))

    for name in ("t-1", "t-2"):
        Context().run(tell_as, name)
    two.system.settle()
    two.counter.tell(Release())
    two.system.settle()

    assert sorted(seen) == ["t-1", "t-1", "t-2", "t-2"]


def test_a_timer_has_a_fresh_context() -> None:
    two, seen = Two(), list[str]()
    trace.set("t-1")

    two.counter.tell(Do(lambda counter: counter.me.after(3, Do(lambda _: seen.append(trace.get())))))
    two.system.advance(3)

    assert seen == ["none"]


def test_a_timer_is_void_once_its_owner_was_rebuilt() -> None:
    two = Two()
    two.counter.tell(Do(lambda counter: counter.me.after(3, Tick())))
    two.system.settle()

    two.system.crash(two.counter)
    two.system.advance(60)

    assert two.log == ["stop", "start"]


def test_the_same_seed_gives_the_same_order_and_another_seed_another() -> None:
    def order(seed: int) -> list[str]:
        system, seen = TestSystem(seed), list[str]()
        refs = [Ref[CounterMessage](name) for name in "abc"]

        def note(name: str, _: Counter) -> None:
            seen.append(name)

        for ref in refs:
            system.add(ref, Counter, Policy.REBUILD)
        system.start()
        for ref in refs * 4:
            ref.tell(Do(partial(note, ref.name)))
        system.settle()
        return seen

    assert order(1) == order(1)
    assert order(1) != order(2)


def test_an_actor_knows_its_name_and_the_time() -> None:
    system, ref = TestSystem(), Ref[CounterMessage]("counter")
    known = list[Me[CounterMessage]]()

    def build(me: Me[CounterMessage]) -> Counter:
        known.append(me)
        return Counter(me)

    system.add(ref, build)
    system.start()

    assert known[0].name == "counter"
    assert known[0].clock.utc() == 1_362_096_000_000_000
