"""The task coordinator: who may run what, when, and how often."""

import random
from collections.abc import Iterator

import pytest

from actors.kernel.me import Me
from actors.kernel.supervision import CRASHES, State
from actors.kernel.testing import Probe
from actors.tasks.terms import SOON
from messages.addresses import Refused
from messages.database import Committed, Statement, Write
from messages.tasks import Drained, Finished, Lease, Run, Submit, Submitted
from messages.values import CorrelationId
from storage import tasks as stored
from storage.home import Home
from tests.actors.queues import EPOCH, ROUND, Hand, Queues, chain, effects, key, task

ATTEMPTS = 4
"""How often a task may be tried unless its terms say otherwise."""


@pytest.fixture
def queues(home: Home) -> Iterator[Queues]:
    started = Queues(home).start()
    yield started
    started.stop()


def test_a_task_is_kept_run_and_completed_with_its_effects(queues: Queues) -> None:
    answer = queues.submit(task("a"))
    while_it_runs = queues.row("a")
    [run] = queues.taken()
    queues.finish("a")

    assert answer == Submitted(ROUND)
    assert (while_it_runs.state, while_it_runs.attempts) == ("leased", 1)
    assert (run.lease, run.work, run.correlation_id) == (Lease(1, 1), task("a").work, ROUND)
    assert queues.states() == {"a": "done"}
    assert (queues.row("a").ended_at, queues.row("a").error) == (EPOCH, None)
    assert effects(queues.read) == ["a"]


def test_a_task_that_needs_another_runs_after_it(queues: Queues) -> None:
    queues.submit(*chain("a", "b", "c"))

    assert queues.states() == {"a": "leased", "b": "blocked", "c": "blocked"}
    queues.finish("a")
    assert queues.states() == {"a": "done", "b": "leased", "c": "blocked"}
    queues.finish("b")
    assert queues.running() == ["c"]


def test_a_task_that_needs_two_waits_for_both(queues: Queues) -> None:
    queues.submit(task("a"), task("b"), task("c", "a", "b"))

    queues.finish("b")
    between = queues.running()
    queues.finish("a")

    assert between == ["a"]
    assert queues.running() == ["c"]


def test_a_task_may_need_one_that_is_done_or_under_way_already(queues: Queues) -> None:
    queues.submit(task("done"), task("running"))
    queues.finish("done")

    queues.submit(task("a", "done"), task("b", "running"))

    assert queues.running() == ["running", "a"]
    assert queues.row("b").state == "blocked"


def test_what_needs_a_task_that_does_not_exist_is_refused_and_nothing_is_kept(queues: Queues) -> None:
    answer = queues.submit(task("a"), task("b", "nobody"))

    assert isinstance(answer, Refused)
    assert answer.code == "invalid"
    assert "these tasks cannot be kept" in answer.sentence
    assert queues.states() == {}
    queues.submit(*(task(name) for name in "abcd"))
    assert sorted(queues.running()) == ["a", "b", "c", "d"]


def test_the_same_key_twice_is_one_task(queues: Queues) -> None:
    queues.submit(task("a"), task("a"))
    queues.submit(task("a"), round_=CorrelationId("d" * 32))
    queues.finish("a")
    queues.submit(task("a"))

    assert queues.states() == {"a": "done"}
    assert queues.row("a").correlation_id == ROUND
    assert len(queues.runs.received) == 1


def test_the_more_urgent_and_then_the_older_comes_first(home: Home) -> None:
    queues = Queues(home, hands=(1, 1)).start()
    queues.submit(task("first"))
    queues.submit(task("low", priority=1), task("high", priority=9), task("plain"), task("high too", priority=9))

    order = list[str]()
    while queues.running():
        order += queues.running()
        queues.finish(order[-1])

    assert order == ["first", "high", "high too", "plain", "low"]


def test_of_several_that_are_claimed_at_once_the_most_urgent_is_sent_first(queues: Queues) -> None:
    queues.submit(task("low", priority=1), task("high", priority=9), task("plain"))

    assert queues.running() == ["high", "plain", "low"]


def test_no_more_run_than_there_are_hands_and_all_get_their_turn(home: Home) -> None:
    queues, most = Queues(home, hands=(3, 1)).start(), list[int]()
    queues.submit(*(task(f"t{n}") for n in range(20)))

    while queues.running():
        most.append(len(queues.running()))
        queues.finish(queues.running()[-1])

    assert max(most) == 3
    assert most.count(3) == 18
    assert set(queues.states().values()) == {"done"}
    assert len(effects(queues.read)) == 20


@pytest.mark.parametrize("seed", range(5))
def test_a_task_is_run_though_the_last_hand_was_held_out_for_nothing_when_it_came(home: Home, seed: int) -> None:
    queues = Queues(home, seed=seed, hands=(1, 1)).start()
    queues.submit(task("old"))
    queues.finish("old")

    for name in ("old", "new"):
        queues.tasks.tell(Submit((task(name),), ROUND, Probe[Submitted | Refused]()))
    queues.system.settle()

    assert queues.running() == ["new"]


def test_at_most_two_tasks_that_need_claude_are_leased_while_others_of_the_queue_run_beside_them(home: Home) -> None:
    queues = Queues(home, hands=(8, 2)).start()
    queues.submit(*(task(f"ask {n}", claude=True, priority=9) for n in range(5)))
    queues.submit(*(task(f"rule {n}", work=task(f"rule {n}", claude=True).work) for n in range(5)))

    assert sorted(queues.running()) == ["ask 0", "ask 1", *(f"rule {n}" for n in range(5))]
    queues.finish("ask 1")
    assert [name for name in queues.running() if name.startswith("ask")] == ["ask 0", "ask 2"]
    queues.finish("rule 3")
    assert [name for name in queues.running() if name.startswith("ask")] == ["ask 0", "ask 2"]


@pytest.mark.parametrize(("chance", "waits"), [(0.0, [1, 2, 4]), (1.0, [2, 4, 8]), (0.25, [1.25, 2.5, 5])])
def test_a_task_that_failed_is_tried_again_later_and_later_and_is_dead_in_the_end(
    home: Home, chance: float, waits: list[float]
) -> None:
    queues = Queues(home, chance=lambda: chance).start()
    queues.submit(*chain("a", "b", "c"), task("other"))

    for wait in waits:
        queues.refuse("a")
        assert (queues.row("a").state, queues.row("a").error) == ("queued", "broken: it broke")
        queues.system.advance(wait - 0.001)
        assert queues.running() == ["other"]
        queues.system.advance(0.002)
        assert queues.running() == ["other", "a"]
    queues.refuse("a", sentence="for the last time")

    assert len(waits) + 1 == ATTEMPTS
    assert queues.states() == {"a": "dead", "b": "dead", "c": "dead", "other": "leased"}
    assert queues.errors() == {
        "a": "broken: for the last time",
        "b": "what it needs is dead",
        "c": "what it needs is dead",
        "other": None,
    }
    assert queues.row("a").attempts == ATTEMPTS
    assert queues.row("c").ended_at == queues.row("a").ended_at


def test_the_error_of_an_attempt_is_gone_when_a_later_one_succeeds(queues: Queues) -> None:
    queues.submit(task("a"))
    queues.refuse("a")
    queues.system.advance(2)
    queues.finish("a")

    assert (queues.row("a").state, queues.row("a").error, queues.row("a").attempts) == ("done", None, 2)


@pytest.mark.parametrize("code", ["invalid", "statement"])
def test_what_trying_again_cannot_mend_is_dead_at_once(queues: Queues, code: str) -> None:
    queues.submit(task("a"))
    queues.refuse("a", code, "there is no such thing")

    assert (queues.row("a").state, queues.row("a").error) == ("dead", f"{code}: there is no such thing")
    assert queues.row("a").attempts == 1


def test_a_gate_costs_no_attempt_however_often_it_closes(queues: Queues) -> None:
    queues.submit(task("a"))

    for n in range(1, 10):
        queues.refuse("a", "limited", "wait", retry_at=EPOCH + n * 60_000_000)
        gated = queues.row("a")
        assert (gated.state, gated.attempts, gated.run_after) == ("queued", 0, EPOCH + n * 60_000_000)
        queues.system.advance(59.9)
        assert queues.running() == []
        queues.system.advance(0.1)
        assert queues.running() == ["a"]
    queues.finish("a")

    assert (queues.row("a").state, queues.row("a").attempts) == ("done", 1)


def test_a_gate_whose_time_has_come_already_is_tried_again_soon_and_not_in_a_busy_loop(queues: Queues) -> None:
    queues.submit(task("a"))
    queues.system.advance(5)
    queues.refuse("a", "limited", "wait", retry_at=EPOCH)
    at_once = queues.running()
    queues.system.advance(SOON)

    assert (at_once, queues.running()) == ([], ["a"])
    assert queues.row("a").attempts == 1


@pytest.mark.parametrize("code", ["crashed", "late"])
def test_the_kernels_refusals_cost_an_attempt(queues: Queues, code: str) -> None:
    queues.submit(task("a"))
    queues.refuse("a", code)

    assert (queues.row("a").state, queues.row("a").attempts) == ("queued", 1)
    assert queues.row("a").run_after > EPOCH


@pytest.mark.parametrize("code", ["full", "down"])
def test_a_full_mailbox_and_a_worker_that_has_stopped_cost_no_attempt(queues: Queues, code: str) -> None:
    queues.submit(task("a"))
    for _ in range(10):
        queues.refuse("a", code)
        queues.system.advance(0.1)
    queues.finish("a")

    assert (queues.row("a").state, queues.row("a").attempts) == ("done", 1)


def test_a_worker_without_an_answer_is_late_and_what_it_says_then_is_not_kept(queues: Queues) -> None:
    queues.submit(task("a"))
    [late] = queues.taken()
    queues.system.advance(60.001)
    assert (queues.row("a").state, queues.row("a").error) == ("queued", "late: worker has not answered within 60.0 s")

    queues.system.advance(2)
    late.reply_to.tell(Finished(late.lease, (Statement("DELETE FROM tasks"),)))
    queues.system.settle()

    assert (queues.row("a").state, queues.row("a").attempts) == ("leased", 2)


class Clumsy(Hand):
    """Crashes on what is called poison."""

    def on_receive(self, run: Run) -> None:
        if key(run) == "poison":
            raise ZeroDivisionError
        super().on_receive(run)


@pytest.mark.parametrize("seed", range(5))
def test_a_poisoned_task_dies_before_the_actor_it_crashes_is_given_up(home: Home, seed: int) -> None:
    queues = Queues(home, seed=seed, worker=Clumsy, chance=lambda: 0.0).start()
    queues.submit(*(task(f"t{n}") for n in range(5)), task("poison"), task("after", "poison"))
    queues.system.advance(60)

    assert queues.row("poison").state == queues.row("after").state == "dead"
    assert queues.row("poison").error == "crashed: hand crashed on it or while it held it: ZeroDivisionError()"
    assert [queues.row(f"t{n}").state for n in range(5)] == ["done"] * 5
    assert [retry for _, _, retry in queues.system.recorder.crashes].count(60.0) == 0
    assert effects(queues.read) == [f"t{n}" for n in range(5)]


class Sick(Hand):
    """Crashes on everything until it is well."""

    well = False

    def on_receive(self, run: Run) -> None:
        if not self.well:
            raise ConnectionError("no route")
        super().on_receive(run)


def test_what_an_actor_that_is_down_refuses_waits_until_it_is_tried_again_and_loses_no_attempt(home: Home) -> None:
    class Patient(Sick):
        pass

    queues = Queues(home, worker=Patient, chance=lambda: 0.0).start()
    queues.submit(task("a"), task("b"))
    queues.system.advance(8)
    tried, actor = [queues.row(name).attempts for name in "ab"], queues.system.observe()[2]
    assert actor.state is State.DOWN

    Patient.well = True
    queues.system.advance(120)

    assert sum(tried) == CRASHES
    assert queues.states() == {"a": "done", "b": "done"}
    assert [queues.row(name).attempts for name in "ab"] == [attempts + 1 for attempts in tried]


class Moody(Hand):
    """Wants to be asked again later, some three times a task."""

    def __init__(self, me: Me[Run], moods: random.Random) -> None:
        super().__init__(me)
        self.moods = moods

    def on_receive(self, run: Run) -> None:
        if self.moods.random() < 0.7:
            later = self.me.clock.utc() + self.moods.randrange(20_000)
            run.reply_to.refuse("limited", "later", later)
        else:
            super().on_receive(run)


@pytest.mark.parametrize("seed", range(10))
def test_no_task_that_waits_for_its_time_is_forgotten(home: Home, seed: int) -> None:
    moods = random.Random(seed)
    queues = Queues(home, seed=seed, worker=lambda me: Moody(me, moods), capacity=2, hands=(3, 1)).start()
    queues.submit(*(task(f"t{n:02}") for n in range(20)))
    queues.system.advance(600)

    assert set(queues.states().values()) == {"done"}, f"seed {seed}"
    assert {row.attempts for row in stored.newest(queues.read, 100)} == {1}
    assert len(effects(queues.read)) == 20


def test_a_worker_with_little_room_gets_everything_in_the_end(home: Home) -> None:
    queues = Queues(home, hands=(10, 1), worker=Hand, room=1).start()
    queues.submit(*(task(f"t{n:02}") for n in range(30)))
    queues.system.advance(60)

    assert queues.system.dead_letters["hand", "full"] > 0
    assert set(queues.states().values()) == {"done"}
    assert {queues.row(f"t{n:02}").attempts for n in range(30)} == {1}
    assert len(effects(queues.read)) == 30


@pytest.mark.parametrize(
    "bad", ["INSERT INTO home (name, value) VALUES ('a', NULL)", "bogus", "INSERT INTO nowhere VALUES (1)"]
)
def test_a_task_whose_effects_cannot_be_kept_is_dead_and_nothing_of_it_is_kept(queues: Queues, bad: str) -> None:
    queues.submit(*chain("a", "b"), task("other"))
    queues.finish("a", Statement(bad))
    queues.finish("other")

    assert queues.states() == {"a": "dead", "b": "dead", "other": "done"}
    assert str(queues.errors()["a"]).startswith("statement: its effects cannot be kept (")
    assert effects(queues.read) == ["other"]
    assert not queues.system.failed.done()
    queues.submit(*(task(f"t{n}") for n in range(4)))
    assert len(queues.running()) == 4


def test_a_payload_that_cannot_be_decoded_makes_its_task_dead_and_the_others_go_on(home: Home) -> None:
    first = Queues(home, hands=(1, 1)).start()
    first.submit(task("running"), task("rubbish"), task("unknown"), *chain("fine", "later"), task("after", "rubbish"))
    spoil = Statement("UPDATE tasks SET payload = '{' WHERE key = 'rubbish'")
    first.finish("running", spoil, Statement("UPDATE tasks SET type = 'dividends', version = 3 WHERE key = 'unknown'"))

    while first.running():
        first.finish(first.running()[0])

    assert first.states() == {
        "running": "done", "rubbish": "dead", "unknown": "dead", "fine": "done", "later": "done", "after": "dead"
    }  # fmt: skip
    assert str(first.errors()["rubbish"]).startswith("task type refresh_bars: its stored payload cannot be decoded")
    assert first.errors()["unknown"] == "task type dividends, version 3: is unknown to this release"


def test_a_task_that_could_not_be_decoded_gets_a_good_payload_when_it_is_submitted_again(home: Home) -> None:
    queues = Queues(home, hands=(1, 1)).start()
    queues.submit(task("first"), task("spoilt"))
    queues.finish("first", Statement("UPDATE tasks SET type = 'x', version = 9, payload = '{' WHERE key = 'spoilt'"))
    assert queues.row("spoilt").state == "dead"

    queues.submit(task("spoilt"))
    queues.finish("spoilt")

    assert (queues.row("spoilt").state, queues.row("spoilt").type) == ("done", "refresh_bars")


def test_a_dead_task_submitted_again_lives_again_with_its_attempts_anew(queues: Queues) -> None:
    queues.submit(*chain("a", "b", "c"))
    queues.refuse("a", "invalid")
    assert set(queues.states().values()) == {"dead"}

    queues.submit(*chain("a", "b", "c"))

    assert queues.states() == {"a": "leased", "b": "blocked", "c": "blocked"}
    assert queues.errors() == {"a": None, "b": None, "c": None}
    assert (queues.row("a").attempts, queues.row("b").ended_at) == (1, None)
    for name in "abc":
        queues.finish(name)
    assert set(queues.states().values()) == {"done"}


def test_a_dead_task_that_needs_a_dead_one_is_dead_again_if_it_is_submitted_alone(queues: Queues) -> None:
    queues.submit(*chain("a", "b"))
    queues.refuse("a", "invalid")

    queues.submit(chain("a", "b")[1])

    assert queues.states() == {"a": "dead", "b": "dead"}
    assert queues.errors()["b"] == "what it needs is dead"


def test_drain_answers_when_nothing_is_in_flight_and_nothing_is_leased_any_more(queues: Queues) -> None:
    queues.submit(*chain("a", "b"), task("c"))
    drain = queues.drain()
    assert drain.received == []

    queues.finish("a")
    queues.submit(task("d"))
    assert drain.received == []
    queues.finish("c")

    assert drain.received[0] == Drained()
    assert queues.states() == {"a": "done", "b": "queued", "c": "done", "d": "queued"}
    queues.system.advance(3600)
    assert queues.running() == []


def test_drain_answers_at_once_where_there_is_nothing_to_do(queues: Queues) -> None:
    assert queues.drain().received == [Drained()]


def test_a_task_that_fails_while_the_desk_drains_is_settled_and_not_run_again(queues: Queues) -> None:
    queues.submit(task("a"))
    drain = queues.drain()
    queues.refuse("a")
    queues.system.advance(3600)

    assert drain.received[0] == Drained()
    assert queues.states() == {"a": "queued"}
    assert len(queues.runs.received) == 1


def test_a_quiet_desk_writes_nothing(queues: Queues) -> None:
    queues.submit(task("a"), task("b"))
    queues.finish("a")
    before = queues.writes()

    queues.system.advance(59)

    assert queues.writes() == before


def test_a_desk_in_which_everything_is_done_writes_nothing_for_a_day(queues: Queues) -> None:
    queues.submit(*(task(f"t{n}") for n in range(4)))
    for n in range(4):
        queues.refuse(f"t{n}")
    queues.system.advance(10)
    for n in range(4):
        queues.finish(f"t{n}")
    before = queues.writes()

    queues.system.advance(86_400)

    assert queues.writes() == before


def test_many_tasks_that_wait_for_their_time_wake_the_desk_once_each(home: Home) -> None:
    queues = Queues(home, hands=(100, 1)).start()
    queues.submit(*(task(f"t{n}") for n in range(50)))
    for n in range(50):
        queues.refuse(f"t{n}", "limited", retry_at=EPOCH + (n + 1) * 1_000_000)
    before = queues.writes()

    queues.system.advance(51)

    assert len(queues.running()) == 50
    assert queues.writes() - before <= 60


def test_completion_and_the_next_claim_are_one_write(home: Home) -> None:
    queues = Queues(home, hands=(1, 1)).start()
    queues.submit(*(task(f"t{n}") for n in range(10)))
    before = queues.writes()

    for n in range(10):
        queues.finish(f"t{n}")

    assert queues.writes() - before == 10


@pytest.mark.parametrize("seed", range(10))
def test_nothing_is_lost_when_the_writers_mailbox_is_full(home: Home, seed: int) -> None:
    queues = Queues(home, seed=seed, capacity=1, hands=(10, 2), worker=Hand).start()
    queues.submit(*(task(f"t{n:02}") for n in range(40)))
    for n in range(40, 60):
        queues.tasks.tell(Submit((task(f"t{n}"),), ROUND, Probe[Submitted | Refused]()))
        queues.database.tell(Write((), Probe[Committed | Refused]()))
        queues.system.turn()
    queues.system.advance(60)
    queues.submit(*(task(f"t{n:02}") for n in range(60)))
    queues.system.advance(60)

    assert queues.system.dead_letters["database", "full"] > 0
    assert set(queues.states().values()) == {"done"}
    assert len(effects(queues.read)) == 60
    assert not queues.system.failed.done()


def test_whoever_submits_while_the_writers_mailbox_is_full_is_told_so_at_once(home: Home) -> None:
    codes = set[str]()
    for seed in range(10):  # whether the writer or the coordinator comes first
        queues, probe = Queues(home, seed=seed, capacity=1).start(), Probe[Submitted | Refused]()
        queues.database.tell(Write((), Probe[Committed | Refused]()))
        queues.tasks.tell(Submit((task(f"t{seed}"),), ROUND, probe))
        queues.system.settle()
        queues.stop()

        [answer] = probe.received
        codes.add(answer.code if isinstance(answer, Refused) else "kept")
        assert (f"t{seed}" in queues.states()) == isinstance(answer, Submitted)
    assert codes == {"kept", "full"}


def test_counts_are_by_queue_and_state(queues: Queues) -> None:
    queues.submit(task("a"), task("b"), task("c", "a"), task("ask", claude=True))
    queues.finish("b")

    assert stored.counts(queues.read) == {
        ("analysis", "leased"): 1,
        ("data", "blocked"): 1,
        ("data", "done"): 1,
        ("data", "leased"): 1,
    }
