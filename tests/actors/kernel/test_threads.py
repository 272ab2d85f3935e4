"""What single-threaded seeds cannot see: real threads, the wall clock, races."""

import threading
import time
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from actors.kernel.edges import Promise, WouldBlock
from actors.kernel.hooks import Hooks
from actors.kernel.system import STOP_DESK, StartFailed, System
from actors.kernel.testing import Recorder
from messages.addresses import Ref, Refused
from tests.actors.kernel.counter import (
    Add,
    Committed,
    Counter,
    CounterMessage,
    Crash,
    Do,
    Gate,
    Hold,
    Tick,
    Total,
    Write,
    Writer,
    WriterMessage,
    trace,
)


class Live:
    """A counter on its own thread."""

    def __init__(self, hooks: Hooks | None = None) -> None:
        self.recorder = Recorder()
        self.system = System(hooks=hooks or self.recorder, patience=0.2)
        self.counter, self.log = Ref[CounterMessage]("counter"), list[object]()
        self.system.add(self.counter, lambda me: Counter(me, self.log))


@pytest.fixture
def live() -> Iterator[Live]:
    live = Live()
    live.system.start()
    yield live
    assert live.system.stop(grace=4) == []


def eventually(true: Callable[[], bool]) -> None:
    until = time.monotonic() + 5
    while not true():
        assert time.monotonic() < until
        threading.Event().wait(0.005)


def later(system: System, seconds: float) -> None:
    """Wait until the system itself finds that so much time has passed."""
    passed = Promise()
    system.scheduler.later(seconds, partial(passed.tell, None))
    passed.future.result(seconds + 5)


def test_an_edge_asks_across_threads_and_the_thread_bears_the_actors_name(live: Live) -> None:
    live.counter.tell(Add(3))

    assert live.system.ask(live.counter, Total, within=2) == 3
    assert "counter" in [thread.name for thread in threading.enumerate()]


def test_asking_from_an_actors_and_from_the_schedulers_thread_is_refused(live: Live) -> None:
    caught = list[str]()

    def ask() -> None:
        try:
            live.system.ask(live.counter, Total, within=1)
        except WouldBlock as error:
            caught.append(str(error).partition(" must")[0])

    live.counter.tell(Do(lambda _: ask()))
    live.system.scheduler.later(0.01, ask)
    eventually(lambda: len(caught) == 2)

    assert caught == ["counter", "the scheduler"]


@pytest.mark.parametrize("error", [ValueError, SystemExit, KeyboardInterrupt])
def test_a_crash_on_a_real_thread_is_rebuilt_on_the_same_thread(live: Live, error: type[BaseException]) -> None:
    threads = set[int]()
    live.counter.tell(Do(lambda _: threads.add(threading.get_ident())))
    live.counter.tell(Crash(error=error))
    live.counter.tell(Do(lambda _: threads.add(threading.get_ident())))

    assert live.system.ask(live.counter, Total, within=2) == 0
    assert len(threads) == 1


def test_timers_fire_in_order_whether_sooner_or_later_than_a_tick(live: Live) -> None:
    def action(counter: Counter) -> None:
        for seconds in (0.25, 0.05, 0.15, 0.0):
            counter.me.after(seconds, Tick(str(seconds)))

    live.counter.tell(Do(action))
    eventually(lambda: len(live.log) == 5)

    assert live.log == ["start", Tick("0.0"), Tick("0.05"), Tick("0.15"), Tick("0.25")]


def test_the_watchdog_names_the_actor_and_the_message_that_hangs_once(live: Live) -> None:
    gate = Gate()

    live.counter.tell(hanging := Do(gate))
    eventually(lambda: bool(live.recorder.hanging))
    later(live.system, 0.3)
    gate.opened.set()

    assert live.recorder.hanging == [("counter", hanging)]


def test_an_actor_that_hangs_does_not_use_up_the_writers_grace() -> None:
    system, gate = System(hooks=Recorder()), Gate()
    database, counter, backing_off = Ref[WriterMessage]("db"), Ref[CounterMessage]("c"), Ref[CounterMessage]("b")
    disk, told = list[str](), Promise()
    system.add(database, lambda me: Writer(me, disk), STOP_DESK)
    system.add(backing_off, Counter)
    system.add(counter, Counter)
    system.start()
    for _ in range(4):
        backing_off.tell(Crash())
    counter.tell(Do(gate))
    gate.entered.wait(2)
    database.tell(Write("row", told))

    began = time.monotonic()
    late = system.stop(grace=1)

    assert late == ["c"]
    assert time.monotonic() - began < 0.6
    assert told.future.result(0) == Committed(1)
    gate.opened.set()


def test_an_abandoned_actor_has_its_askers_refused_and_its_thread_ends_when_it_can() -> None:
    live, gate, held = Live(), Gate(), Promise()
    live.system.start()
    live.counter.tell(Hold(held))
    live.counter.tell(Do(gate))
    gate.entered.wait(2)

    late = live.system.stop(grace=0.1)
    gate.opened.set()
    eventually(lambda: "counter" not in [thread.name for thread in threading.enumerate()])

    assert late == ["counter"]
    assert held.future.result(0) == Refused(None, "down", "counter hangs and was abandoned")


def test_a_timer_sooner_than_the_next_tick_does_not_wait_for_it(live: Live) -> None:
    delays = list[float]()
    for _ in range(5):
        began, fired = time.monotonic(), Promise()
        live.system.scheduler.later(0.001, partial(fired.tell, 0))
        fired.future.result(2)
        delays.append(time.monotonic() - began)

    assert sorted(delays)[2] < 0.03


def test_an_actor_that_hangs_while_it_starts_is_named() -> None:
    gate, live = Gate(), Live()

    class Slow(Counter):
        def on_start(self) -> None:
            gate(self)

    live.system.add(Ref[CounterMessage]("slow"), Slow)

    with pytest.raises(StartFailed, match="slow is not ready: its on_start has not returned"):
        live.system.start(within=0.2)
    gate.opened.set()


def test_the_watchdog_names_an_actor_that_hangs_while_it_is_rebuilt(live: Live) -> None:
    gate, ref, started = Gate(), Ref[CounterMessage]("slow"), list[int]()
    system = System(hooks=live.recorder, patience=0.1)

    class SlowTheSecondTime(Counter):
        def on_start(self) -> None:
            started.append(1)
            if len(started) == 2:
                gate(self)

    system.add(ref, SlowTheSecondTime)
    system.start()
    ref.tell(Crash())
    eventually(lambda: bool(live.recorder.hanging))
    gate.opened.set()

    assert live.recorder.hanging[0][0] == "slow"
    assert system.stop(grace=2) == []


def test_an_error_in_a_hook_is_the_kernels_and_stops_the_desk() -> None:
    class Broken(Recorder):
        def crashed(self, actor: str, error: BaseException, retry_in: float | None, /) -> None:
            raise ZeroDivisionError

    live = Live(Broken())
    live.system.start()

    live.counter.tell(Crash())

    assert live.system.failed.result(2) == "kernel, in counter: ZeroDivisionError()"
    live.system.stop(grace=1)


def test_a_crew_works_side_by_side_in_the_context_of_whoever_sent() -> None:
    system, both, ref = System(hooks=Recorder()), threading.Barrier(2), Ref[Total]("crew")
    seen = list[str]()

    class Worker:
        def on_receive(self, message: Total) -> None:
            both.wait(2)
            seen.append(trace.get())
            message.reply_to.tell(1)

    system.add_crew(ref, lambda _: Worker(), 2)
    system.start()
    trace.set("t-1")
    promises = [Promise(), Promise()]
    for promise in promises:
        ref.tell(Total(promise))

    assert [promise.future.result(2) for promise in promises] == [1, 1]
    assert seen == ["t-1", "t-1"]
    assert system.stop(grace=1) == []
    assert not any(thread.name.startswith("crew") for thread in threading.enumerate())


def test_a_member_that_hangs_is_abandoned_and_its_asker_and_what_waits_are_refused() -> None:
    system, gate, ref = System(hooks=Recorder()), Gate(), Ref[Total]("crew")

    class Worker:
        def on_receive(self, message: Total) -> None:
            gate.entered.set()
            gate.opened.wait(5)

    system.add_crew(ref, lambda _: Worker(), 1)
    system.start()
    hanging, waiting = Promise(), Promise()
    ref.tell(Total(hanging))
    gate.entered.wait(2)
    ref.tell(Total(waiting))

    assert system.stop(grace=0.1) == ["crew"]
    assert hanging.future.result(0).code == "down"
    assert waiting.future.result(0).code == "down"
    gate.opened.set()
    eventually(lambda: "crew-1" not in [thread.name for thread in threading.enumerate()])


def test_no_request_of_a_crew_that_takes_chunks_hangs_whenever_it_is_stopped_and_every_member_ends() -> None:
    class Together:
        def __init__(self, take: Callable[[int], list[Total]]) -> None:
            self._take = take

        def on_receive(self, message: Total) -> None:
            for each in (message, *self._take(16)):
                each.reply_to.tell(1)

    for _ in range(50):
        system, ref, promises = System(hooks=Recorder()), Ref[Total]("crew"), list[Promise]()
        system.add_crew(ref, Together, 4)
        system.start()

        def hammer(ref: Ref[Total] = ref, promises: list[Promise] = promises) -> None:
            for _ in range(100):
                promise = Promise()
                promises.append(promise)
                ref.tell(Total(promise))

        threads = [threading.Thread(target=hammer) for _ in range(2)]
        for thread in threads:
            thread.start()
        assert system.stop(grace=4) == []
        for thread in threads:
            thread.join()
        for promise in promises:
            promise.future.result(2)


def test_no_request_hangs_whenever_the_system_is_stopped() -> None:
    for _ in range(200):
        live, promises = Live(), list[Promise]()
        live.system.start()

        def hammer(live: Live = live, promises: list[Promise] = promises) -> None:
            for _ in range(60):
                promise = Promise()
                promises.append(promise)
                live.counter.tell(Total(promise))

        threads = [threading.Thread(target=hammer) for _ in range(2)]
        for thread in threads:
            thread.start()
        live.system.stop(grace=2)
        for thread in threads:
            thread.join()
        for promise in promises:
            promise.future.result(2)


def test_no_request_hangs_and_none_is_answered_twice_while_the_actor_crashes_again_and_again(live: Live) -> None:
    answers = list[object]()

    def ask(asker: Counter) -> None:
        for n in range(300):
            live.counter.tell(Total(asker.me.reply_to(n, of=live.counter, within=5)))
            if n % 100 == 50:
                live.counter.tell(Crash(asker.me.reply_to(n, of=live.counter, within=5)))

    asker, system = Ref[CounterMessage]("asker"), System(hooks=Recorder())
    system.add(asker, lambda me: Counter(me, answers))
    system.start()
    asker.tell(Do(ask))
    eventually(lambda: len(answers) == 1 + 303)
    later(system, 0.1)

    assert len(answers) == 1 + 303
    assert sum(isinstance(answer, Refused) for answer in answers) == 3
    system.stop(grace=2)


def test_messages_of_many_threads_are_all_counted_and_each_senders_stay_in_order(live: Live) -> None:
    seen = list[tuple[int, int]]()

    def hammer(sender: int) -> None:
        for n in range(100):
            live.counter.tell(Do(lambda _, n=n: seen.append((sender, n))))  # type: ignore[misc]  # pyright: ignore[reportUnknownLambdaType]

    threads = [threading.Thread(target=hammer, args=(sender,)) for sender in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    live.system.ask(live.counter, Total, within=5)

    assert len(seen) == 400
    assert all([n for sender, n in seen if sender == each] == list(range(100)) for each in range(4))
