"""Ordered start, reversed stop, and the grace that nobody can use up for the writer."""

from collections.abc import Callable, Sequence

import pytest

from actors.kernel.supervision import State
from actors.kernel.system import STOP_DESK, StartFailed
from actors.kernel.testing import Probe, TestSystem
from messages.addresses import Ref, Refused
from tests.actors.kernel.counter import Add, Counter, CounterMessage, Crash, Divide, Hold, Total, trace


def company(*names: str) -> tuple[TestSystem, list[Ref[CounterMessage]], list[str]]:
    """Counters that note when they start and stop."""
    system, refs, log = TestSystem(), [Ref[CounterMessage](name) for name in names], list[str]()

    class Noted(Counter):
        def on_start(self) -> None:
            log.append(f"{self.me.name} started")

        def on_stop(self) -> None:
            log.append(f"{self.me.name} stopped")

    for ref in refs:
        system.add(ref, Noted)
    return system, refs, log


def test_actors_start_in_order_and_stop_in_reverse() -> None:
    system, _, log = company("a", "b", "c")

    system.start()
    late = system.stop(grace=1)

    assert late == []
    assert log == ["a started", "b started", "c started", "c stopped", "b stopped", "a stopped"]


def test_an_actor_starts_only_when_the_one_before_is_ready() -> None:
    system, log, tries = TestSystem(), list[str](), list[int]()

    class Slow(Counter):
        def on_start(self) -> None:
            tries.append(1)
            if len(tries) < 3:
                raise ConnectionError
            log.append("first ready")

    class Second(Counter):
        def on_start(self) -> None:
            log.append("second starts")

    system.add(Ref[CounterMessage]("first"), Slow)
    system.add(Ref[CounterMessage]("second"), Second)
    system.start()

    assert log == ["first ready", "second starts"]


def test_an_actor_starts_in_a_context_of_its_own() -> None:
    system, seen = TestSystem(), list[str]()

    class Marked(Counter):
        def on_start(self) -> None:
            seen.append(trace.get())
            trace.set("set while starting")

    trace.set("t-1")
    system.add(Ref[CounterMessage]("marked"), Marked)
    system.start()

    assert seen == ["none"]
    assert trace.get() == "t-1"


def test_an_actor_that_is_not_ready_in_time_is_named_with_its_cause_and_the_rest_stopped() -> None:
    system, _, log = company("a")

    class Broken(Counter):
        def on_start(self) -> None:
            raise ConnectionError("no route")

    system.add(Ref[CounterMessage]("b"), Broken)

    with pytest.raises(StartFailed, match=r"b is not ready: ConnectionError\('no route'\)"):
        system.start(within=10)
    assert log == ["a started", "a stopped"]


def test_a_writer_that_cannot_start_fails_the_start_at_once() -> None:
    system = TestSystem()

    class Broken(Counter):
        def on_start(self) -> None:
            raise OSError("disk")

    system.add(Ref[CounterMessage]("writer"), Broken, STOP_DESK)

    with pytest.raises(StartFailed, match="disk"):
        system.start(within=10)
    assert system.clock.monotonic() == 0


def test_what_was_told_before_the_stop_is_handled_and_what_comes_after_is_refused() -> None:
    system, [ref], _ = company("a")
    system.start()
    before, after = Probe[int | Refused]("before"), Probe[int | Refused]("after")

    ref.tell(Add(2))
    ref.tell(Total(before))
    system.stop(grace=1)
    ref.tell(Total(after))

    assert before.received == [2]
    assert [message.code for message in after.received if isinstance(message, Refused)] == ["down"]


def test_a_stop_comes_through_a_back_off_and_refuses_what_waits() -> None:
    system, [ref], _ = company("a")
    system.start()
    probe = Probe[int | Refused]()

    ref.tell(Crash())
    ref.tell(Total(probe))
    system.settle()
    late = system.stop(grace=1)

    assert late == []
    assert system.clock.monotonic() == 0
    assert [message.code for message in probe.received if isinstance(message, Refused)] == ["down"]


class Stuck(TestSystem):
    """Some actors never stop, however long one waits; notes who was given how long."""

    def __init__(self, *stuck: str) -> None:
        super().__init__()
        self.stuck, self.given = stuck, dict[str, float]()

    def stop_cell(self, cell: object, seconds: float) -> bool:
        name: str = getattr(cell, "name")  # noqa: B009
        self.given[name] = round(seconds, 3)
        if name in self.stuck:
            self.manual.manual.now += seconds
            return False
        return True


@pytest.mark.parametrize(("stuck", "writers"), [((), 12.0), (("c",), 10.0), (("a", "b", "c"), 6.0)])
def test_half_the_grace_is_the_writers_whatever_hangs(stuck: tuple[str, ...], writers: float) -> None:
    system = Stuck(*stuck)
    for name in ("writer", "a", "b", "c"):
        system.add(Ref[CounterMessage](name), Counter)
    system.start()

    assert system.stop(grace=12) == list(reversed(stuck))
    assert system.given["writer"] == writers


class Divider:
    """One of a crew; remembers nothing."""

    def on_receive(self, message: Divide) -> None:
        message.reply_to.tell(12 // message.by)


def crew(size: int, capacity: int = 1_000) -> tuple[TestSystem, Ref[Divide]]:
    """So many dividers behind one address, not started yet."""
    system, ref = TestSystem(), Ref[Divide]("dividers")
    system.add_crew(ref, lambda _: Divider(), size, capacity=capacity)
    return system, ref


def test_a_crew_answers_or_crashes_on_the_one_message_and_works_on() -> None:
    system, ref = crew(2)
    system.start()
    probes = [Probe[int | Refused](str(by)) for by in range(4)]

    for by, probe in enumerate(probes):
        ref.tell(Divide(by, probe))
    system.settle()

    assert [message.code for message in probes[0].received if isinstance(message, Refused)] == ["crashed"]
    assert [probe.received for probe in probes[1:]] == [[12], [6], [4]]
    assert system.recorder.crashes[0][0].startswith("dividers-")
    assert system.observe()[0].state is State.READY
    system.stop(grace=1)


class Together:
    """One of a crew that answers all it has taken at once: how many, and whose turn it is to crash on a 0."""

    def __init__(self, take: Callable[[int], list[Divide]], released: list[str]) -> None:
        self._take, self._released = take, released

    def on_receive(self, message: Divide) -> None:
        taken = [message, *self._take(16)]
        for each in taken:
            each.reply_to.tell(len(taken) // each.by)

    def on_stop(self) -> None:
        self._released.append("released")


def together(size: int, asks: Sequence[int]) -> tuple[TestSystem, list[Probe[int | Refused]], list[str]]:
    """So many members, and in their mailbox a request for each of these."""
    system, ref, released = TestSystem(), Ref[Divide]("together"), list[str]()
    system.add_crew(ref, lambda take: Together(take, released), size)
    system.start()
    probes = [Probe[int | Refused](str(number)) for number in range(len(asks))]
    for by, probe in zip(asks, probes, strict=True):
        ref.tell(Divide(by, probe))
    return system, probes, released


@pytest.mark.parametrize(("size", "waiting", "first"), [(1, 10, 10), (1, 40, 17), (2, 9, 5), (4, 9, 3), (4, 4, 1)])
def test_a_member_takes_its_share_of_what_waits_and_no_more_than_it_asked_for(
    size: int, waiting: int, first: int
) -> None:
    system, probes, _ = together(size, [1] * waiting)

    system.turn()

    assert [probe.received for probe in probes] == [[first]] * first + [[]] * (waiting - first)
    system.stop(grace=1)


def test_a_member_that_crashes_refuses_those_of_its_chunk_that_it_has_not_answered_and_releases_what_it_owns() -> None:
    system, probes, released = together(1, [1, 0, 1])

    system.settle()

    codes = [each.code if isinstance(each, Refused) else each for probe in probes for each in probe.received]
    assert codes == [3, "crashed", "crashed"]
    assert released == ["released"]
    system.stop(grace=1)


class Clinging(Divider):
    """One of a crew that cannot let go of what it owns."""

    def on_stop(self) -> None:
        raise OSError("it is held")


def test_a_member_that_cannot_release_what_it_owns_says_so_and_nobody_else_stops_for_it() -> None:
    system, ref = TestSystem(), Ref[Divide]("clinging")
    system.add_crew(ref, lambda _: Clinging(), 2)
    system.start()
    probes = [Probe[int | Refused](str(by)) for by in (0, 3)]

    for by, probe in zip((0, 3), probes, strict=True):
        ref.tell(Divide(by, probe))
    system.settle()
    after_a_crash = [(type(error), retry) for _, error, retry in system.recorder.crashes]
    late = system.stop(grace=1)

    assert [type(probe.received[0]) for probe in probes] == [Refused, int]
    assert after_a_crash == [(OSError, None), (ZeroDivisionError, 0.0)]
    assert sorted((name, type(error)) for name, error, _ in system.recorder.crashes[2:]) == [
        ("clinging-1", OSError),
        ("clinging-2", OSError),
    ]
    assert late == []
    assert not system.failed.done()


@pytest.mark.parametrize("size", [1, 2, 3, 8])
def test_a_stop_among_what_is_taken_reaches_its_member_and_each_of_them_releases_what_it_owns(size: int) -> None:
    system, probes, released = together(size, [1] * 20)

    assert system.stop(grace=1) == []

    assert all(len(probe.received) == 1 for probe in probes)
    assert released == ["released"] * size


def test_a_crew_handles_what_waits_when_it_is_stopped_and_refuses_what_comes_after() -> None:
    system, ref = crew(3)
    system.start()
    before, after = Probe[int | Refused]("before"), Probe[int | Refused]("after")

    ref.tell(Divide(3, before))
    late = system.stop(grace=1)
    ref.tell(Divide(3, after))

    assert late == []
    assert before.received == [4]
    assert after.received == [Refused("after", "down", "dividers is down")]


def test_a_full_crew_refuses() -> None:
    system, ref = crew(1, capacity=1)
    probes = [Probe[int | Refused](str(n)) for n in range(2)]

    for probe in probes:
        ref.tell(Divide(2, probe))
    system.stop(grace=1)

    codes = [[message.code for message in probe.received if isinstance(message, Refused)] for probe in probes]
    assert codes == [["down"], ["full"]]


def test_who_waits_at_an_edge_is_told_at_once_that_the_desk_is_stopping() -> None:
    system, [ref], _ = company("a")
    system.start()
    system.scheduler.later(1.0, lambda: system.fail("the disk is full"))

    answer: int | Refused = system.ask(ref, Hold, within=60)

    assert answer == Refused(None, "down", "the desk is stopping: the disk is full")
    assert system.clock.monotonic() == 1.0
    system.stop(grace=1)
