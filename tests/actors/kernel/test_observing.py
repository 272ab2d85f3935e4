"""What the kernel shows of its actors to telemetry."""

from actors.kernel.supervision import State
from actors.kernel.testing import Probe, TestSystem
from messages.addresses import Ref, Refused
from tests.actors.kernel.counter import Add, Counter, CounterMessage, Crash, Divide, Write, Writer, WriterMessage


def test_each_actor_shows_whether_it_runs_what_waits_and_its_meters() -> None:
    system, counter = TestSystem(), Ref[CounterMessage]("counter")
    system.add(counter, Counter)
    before = system.observe()
    system.start()
    counter.tell(Add(1))
    waiting = system.observe()
    system.settle()
    after = system.observe()

    assert [(seen.actor, seen.state) for seen in before] == [("counter", State.STARTING)]
    assert [(seen.actor, seen.state, seen.waiting) for seen in waiting] == [("counter", State.READY, 1)]
    assert [seen.waiting for seen in after] == [0]
    assert sum(after[0].threads["counter"].meters[Add].ran) == 1
    counter.tell(Crash())
    system.settle()
    assert [seen.state for seen in system.observe()] == [State.REBUILDING]
    system.stop(grace=1)


def test_of_messages_that_are_handled_together_each_has_waited_and_the_one_at_hand_tells_how_long_they_ran() -> None:
    system, ref, probe = TestSystem(), Ref[WriterMessage]("writer"), Probe[object]()
    system.add(ref, lambda me: Writer(me, []))
    system.start()
    for _ in range(3):
        ref.tell(Write("row", probe))
        system.manual.manual.now += 1

    system.settle()

    meter = system.observe()[0].threads["writer"].meters[Write]
    assert (sum(meter.waited), meter.waited_seconds, sum(meter.ran)) == (3, 3 + 2 + 1, 1)


def test_a_crew_is_one_whose_members_hooks_and_meters_go_by_the_same_names() -> None:
    class Worker:
        def on_receive(self, message: Divide) -> None:
            message.reply_to.tell(1 // message.by)

    system, crew = TestSystem(), Ref[Divide]("crew")
    system.add_crew(crew, lambda _: Worker(), 2)
    system.start()
    for _ in range(5):
        crew.tell(Divide(0, Probe[int | Refused]()))
    system.settle()

    seen = system.observe()
    system.stop(grace=1)

    assert [(one.actor, list(one.threads)) for one in seen] == [("crew", ["crew-1", "crew-2"])]
    assert sum(sum(each.crashed[Divide].ran) for each in seen[0].threads.values()) == 5
    assert sum(each.incarnations for each in seen[0].threads.values()) == 7
    assert {actor for actor, _, _ in system.recorder.crashes} <= set(seen[0].threads)


def test_the_oldest_message_of_an_actor_that_is_not_ready_is_what_is_kept_for_it() -> None:
    system, counter = TestSystem(), Ref[CounterMessage]("counter")
    system.add(counter, Counter)
    system.start()
    system.advance(5)
    counter.tell(Crash())
    system.settle()
    counter.tell(Add(1))
    system.settle()

    thread = system.observe()[0].threads["counter"]
    kept = thread.since
    system.advance(1)

    assert kept == 5
    assert (thread.since, thread.incarnations) == (float("inf"), 2)
    system.stop(grace=1)
