"""Law 6: what a crash does, to whom, and how the actor comes back."""

import pytest

from actors.kernel.cell import SETTLE_WITHIN
from actors.kernel.me import Me
from actors.kernel.supervision import State
from actors.kernel.system import STOP_DESK
from actors.kernel.testing import Probe, TestSystem
from messages.addresses import Down, Ref, Refused, ReplyTo
from tests.actors.kernel.counter import (
    Add,
    Checkpoint,
    Committed,
    Counter,
    CounterMessage,
    Crash,
    Do,
    Hold,
    Tick,
    Total,
    Write,
    Writer,
    WriterMessage,
)


class Desk:
    """A writer that stops the desk, and a counter that is rebuilt once its writes have settled."""

    def __init__(self, seed: int = 0, *, broken_start: bool = False) -> None:
        self.down = Probe[object]("notifier")
        self.database, self.counter = Ref[WriterMessage]("database"), Ref[CounterMessage]("counter")
        self.system = TestSystem(
            seed,
            publish=self.down.ref.tell,
            flush=lambda reply_to: self.database.tell(Write(None, reply_to)),
        )
        self.log, self.disk, self.commits, self.broken = list[object](), list[str](), list[int](), broken_start
        self.system.add(self.database, lambda me: Writer(me, self.disk, self.commits), STOP_DESK)
        self.system.add(self.counter, lambda me: _Fragile(me, self))
        self.answers = Probe[int | Refused]("answers")

    def state(self) -> State:
        return self.system.observe()[1].state

    def delays(self) -> list[float | None]:
        return [delay for actor, _, delay in self.system.recorder.crashes if actor == "counter"]


class _Fragile(Counter):
    def __init__(self, me: Me[CounterMessage], desk: Desk) -> None:
        super().__init__(me, desk.log)
        self.desk = desk

    def on_start(self) -> None:
        if self.desk.broken:
            raise LookupError("cannot read")
        self.log.append(("start", tuple(self.desk.disk)))


@pytest.fixture
def desk() -> Desk:
    desk = Desk()
    desk.system.start()
    return desk


def test_a_crashed_actor_is_rebuilt_after_a_while_and_its_mailbox_and_address_survive(desk: Desk) -> None:
    desk.counter.tell(Add(5))
    desk.counter.tell(Crash())
    desk.counter.tell(Add(2))
    desk.counter.tell(Total(desk.answers))
    desk.system.settle()
    before = (desk.state(), list(desk.answers.received))

    desk.system.advance(0.1)

    assert before == (State.REBUILDING, [])
    assert desk.state() is State.READY
    assert desk.answers.received == [2]


def test_the_crashing_message_is_answered_and_not_redelivered(desk: Desk) -> None:
    desk.counter.tell(Crash(desk.answers))

    desk.system.advance(120)

    assert [message.code for message in desk.answers.received if isinstance(message, Refused)] == ["crashed"]
    assert desk.delays() == [0.1]


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, GeneratorExit, RecursionError])
def test_whatever_is_raised_is_a_crash_of_that_actor_alone(desk: Desk, error: type[BaseException]) -> None:
    desk.counter.tell(Crash(error=error))
    desk.counter.tell(Total(desk.answers))

    desk.system.advance(1)

    assert desk.answers.received == [0]
    assert not desk.system.failed.done()


def test_back_off_doubles_and_the_fifth_crash_in_thirty_seconds_means_down(desk: Desk) -> None:
    for _ in range(5):
        desk.counter.tell(Crash())
    desk.system.advance(5)

    assert desk.delays() == [0.1, 0.2, 0.4, 0.8, 60.0]
    assert desk.state() is State.DOWN
    assert desk.down.received == [Down("counter", "ValueError('none')")]


def test_crashes_that_are_far_apart_do_not_add_up(desk: Desk) -> None:
    for _ in range(20):
        desk.counter.tell(Crash())
        desk.system.advance(10)

    assert desk.state() is State.READY


def test_an_actor_that_is_down_refuses_and_names_when_it_is_tried_again(desk: Desk) -> None:
    desk.broken = True
    desk.counter.tell(Crash())
    desk.counter.tell(Total(desk.answers))
    desk.system.advance(1.5)

    desk.counter.tell(Total(Probe[int | Refused]()))
    desk.counter.tell(Add(1))
    desk.system.settle()

    assert desk.answers.received == [Refused("answers", "down", "counter is down", 1_362_096_061_500_000)]
    assert desk.system.dead_letters["counter", "down"] == 3


def test_an_actor_that_is_down_is_tried_again_each_minute_until_it_starts(desk: Desk) -> None:
    desk.broken = True
    desk.counter.tell(Crash())
    desk.system.advance(1.5 + 60 + 60)
    tries, down = desk.delays(), desk.state()

    desk.broken = False
    desk.system.advance(60)

    assert tries == [0.1, 0.2, 0.4, 0.8, 60.0, 60.0, 60.0]
    assert down is State.DOWN
    assert desk.state() is State.READY
    assert desk.down.received == [Down("counter", "LookupError('cannot read')")]
    assert desk.system.ask(desk.counter, Total, within=1) == 0


def test_a_crash_of_an_actor_that_must_not_be_rebuilt_stops_the_desk_with_its_reason(desk: Desk) -> None:
    answers = Probe[Committed | Refused]()

    desk.database.tell(Write("poison", answers))
    desk.system.advance(120)

    assert desk.system.failed.result(0) == "database crashed: OSError('disk')"
    assert [message.code for message in answers.received if isinstance(message, Refused)] == ["crashed"]
    assert desk.system.observe()[0].state is State.DOWN
    assert desk.down.received == []  # it is not tried again, and the desk says why it stops


def test_who_is_refused_by_a_crash_that_stops_the_desk_finds_it_stopping_for_that_crash(desk: Desk) -> None:
    reasons = list[str | None]()

    class Looking(Probe[Committed | Refused]):
        def send(self, answer: object, /) -> None:
            reasons.append(desk.system.failed.result() if desk.system.failed.done() else None)

    for row in ("poison", "behind it"):
        desk.database.tell(Write(row, Looking()))
    desk.system.settle()

    assert reasons == ["database crashed: OSError('disk')"] * 2


@pytest.mark.parametrize("seed", range(30))
def test_a_rebuilt_actor_reads_what_it_had_written(seed: int) -> None:
    desk = Desk(seed)
    desk.system.start()

    def write_and_crash(counter: Counter) -> None:
        desk.database.tell(Write("row", counter.me.reply_to("row", of=desk.database, within=5)))
        raise ValueError

    desk.counter.tell(Do(write_and_crash))
    desk.system.advance(1)

    assert desk.log == [("start", ()), "stop", ("start", ("row",))]


def test_a_rebuilt_actors_requests_wait_until_the_writer_has_settled() -> None:
    desk, held = Desk(), list[ReplyTo[Committed | Refused]]()
    desk.system.flush = held.append
    desk.system.start()
    desk.counter.tell(Crash())
    desk.counter.tell(Total(desk.answers))

    desk.system.advance(20)
    before = (desk.state(), list(desk.answers.received))
    held[0].tell(Committed(0))
    desk.system.settle()

    assert before == (State.REBUILDING, [])
    assert (desk.state(), desk.answers.received) == (State.READY, [0])


def test_a_refused_settling_is_tried_again() -> None:
    desk, held = Desk(), list[ReplyTo[Committed | Refused]]()
    desk.system.flush = held.append
    desk.system.start()
    desk.counter.tell(Crash())

    desk.system.advance(0.1)
    held[0].refuse("full", "no room")
    desk.system.advance(0.1)
    held[1].tell(Committed(0))
    desk.system.settle()

    assert desk.state() is State.READY


def test_a_settling_that_is_never_answered_is_tried_again_and_a_late_answer_to_it_says_nothing() -> None:
    desk, held = Desk(), list[ReplyTo[Committed | Refused]]()
    desk.system.flush = held.append
    desk.system.start()
    desk.counter.tell(Crash())

    desk.system.advance(SETTLE_WITHIN + 1)
    held[0].tell(Committed(0))
    desk.system.settle()
    late = desk.state()
    held[1].tell(Committed(0))
    desk.system.settle()

    assert (late, desk.state()) == (State.REBUILDING, State.READY)


def test_what_is_owned_is_released_at_the_end_of_each_incarnation(desk: Desk) -> None:
    desk.counter.tell(Crash())
    desk.system.advance(1)
    desk.system.stop(grace=1)

    assert desk.log == [("start", ()), "stop", ("start", ()), "stop"]


def test_the_writer_commits_what_waits_in_one_go_and_answers_after_it(desk: Desk) -> None:
    probes = [Probe[Committed | Refused](str(n)) for n in range(5)]
    for n, probe in enumerate(probes):
        desk.database.tell(Write(str(n), probe))
    desk.database.tell(Checkpoint())
    desk.database.tell(Write("last", probes[0]))
    desk.system.settle()

    assert desk.commits == [5, 0, 1]
    assert [probe.received for probe in probes[1:]] == [[Committed(5)]] * 4


def test_a_writer_that_crashes_fails_everything_that_it_holds(desk: Desk) -> None:
    probes = [Probe[Committed | Refused](str(n)) for n in range(5)]
    for n, probe in enumerate(probes):
        desk.database.tell(Write("poison" if n == 3 else str(n), probe))
    desk.system.settle()

    assert [[m.code for m in probe.received if isinstance(m, Refused)] for probe in probes] == [["crashed"]] * 5
    assert desk.disk == []


def test_a_stop_right_behind_a_batch_that_crashes_still_comes_through() -> None:
    system, database, disk = TestSystem(), Ref[WriterMessage]("database"), list[str]()
    system.add(database, lambda me: Writer(me, disk))
    system.start()
    probe = Probe[Committed | Refused]()
    database.tell(Write("poison", probe))

    late = system.stop(grace=0)

    assert late == []
    assert [message.code for message in probe.received if isinstance(message, Refused)] == ["crashed"]


@pytest.mark.parametrize("after", range(8))
def test_a_crash_between_any_two_messages_leaves_no_request_without_its_one_answer(after: int) -> None:
    desk = Desk()
    desk.system.start()
    desk.system.crash(desk.counter, after=after)
    probes = [Probe[int | Refused](str(n)) for n in range(6)]

    for n, probe in enumerate(probes):
        desk.counter.tell((Hold if n % 2 else Total)(probe))
    desk.system.advance(5)
    desk.system.stop(grace=1)

    assert [len(probe.received) for probe in probes] == [1] * 6


def test_handlers_are_measured_by_type_of_message(desk: Desk) -> None:
    desk.counter.tell(Add(1))
    desk.counter.tell(Add(1))
    desk.counter.tell(Tick())
    desk.system.settle()

    meters = desk.system.runners[1].meters
    assert {kind.__name__: sum(meter.ran) for kind, meter in meters.items()} == {"Add": 2, "Tick": 1}
    assert sum(meters[Add].waited) == 2
