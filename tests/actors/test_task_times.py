"""How long tasks waited and ran, and what became of them, as the metrics have it."""

import pytest

from actors.tasks.terms import Terms, after_refusal
from actors.tasks.times import BOUNDS, Times
from messages.addresses import Ref, Refused
from messages.tasks import Lease, Run
from messages.values import CorrelationId
from storage.tasks import Claimed
from telemetry.instruments import TASKS

SECOND = 1_000_000


def claimed(attempt: int = 1) -> Claimed:
    return Claimed(Lease(7, attempt), "data", 5, "refresh_bars", 1, "{}", CorrelationId("c"), 10 * SECOND)


def test_a_task_waits_from_its_submission_to_its_first_attempt_and_each_attempt_takes_its_time() -> None:
    times = Times()

    times.leased(claimed(), 14 * SECOND)
    times.ended(Lease(7, 1), "retried", 15 * SECOND)
    times.leased(claimed(2), 20 * SECOND)
    times.ended(Lease(7, 2), "done", 50 * SECOND)

    kind = "data", "refresh_bars"
    assert times.waited[kind].total == 4.0
    assert sum(times.waited[kind].counts) == 1
    assert (times.ran[*kind, "retried"].total, times.ran[*kind, "done"].total) == (1.0, 30.0)
    assert times.retries == {kind: 1}


def test_a_clock_that_was_set_back_makes_no_time_less_than_nothing() -> None:
    times = Times()

    times.leased(claimed(), 0)
    times.ended(Lease(7, 1), "done", -SECOND)

    assert times.waited["data", "refresh_bars"].total == 0
    assert times.ran["data", "refresh_bars", "done"].total == 0


@pytest.mark.parametrize(
    ("refused", "attempt", "outcome"),
    [
        (Refused(None, "late", "x"), 1, "retried"),
        (Refused(None, "late", "x"), 4, "dead"),
        (Refused(None, "invalid", "x"), 1, "dead"),
        (Refused(None, "full", "x"), 4, "gated"),
        (Refused(None, "rate_limited", "x", 99), 4, "gated"),
    ],
)
def test_what_becomes_of_a_refused_attempt_is_named(refused: Refused, attempt: int, outcome: str) -> None:
    assert after_refusal(Terms(Ref[Run]("x"), 1.0), Lease(7, attempt), refused, 0, lambda: 0.0)[0] == outcome


def test_the_buckets_are_those_of_the_table() -> None:
    assert BOUNDS == TASKS
