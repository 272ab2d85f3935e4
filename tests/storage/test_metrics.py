"""What triggers count: the same as counting all rows, and small however many there are."""

import datetime as dt
import re
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import storage
from messages.addresses import Refused, ReplyTo
from messages.broker import ClientId, Side, Ticket
from messages.claude import Answered, Cause, Failed, Profile, Purpose, Question, Tokens
from messages.research import Action, Decision, Inquiry
from messages.trading import Order, OrderState, Position, Valuation
from messages.values import CorrelationId, Symbol
from storage import breaker, decisions, metrics, orders, questions, states, tasks, valuations
from storage.connections import Reader, fetch
from storage.home import Home
from storage.metrics import Asked, Took
from storage.migrations import known, open_for_writing
from storage.questions import Used
from storage.tally import Tally
from storage.writing import StatementFailed, WriteConnection
from tests.storage.conftest import FIXED

ABOUT, AAPL = CorrelationId("1" * 32), Symbol("AAPL")
PROFILE = Profile("claude-sonnet-5", "You are…", None, (), 4000, 4000, 2)
MADE = Decision(
    AAPL, dt.date(2013, 3, 1), "claude", Action.ABSTAIN, None, None, None, None, None, (), "timeout: slow", Decimal(0)
)  # fmt: skip


def question(id_: str, purpose: Purpose = "recommendation") -> Question:
    return Question(id_, PROFILE, "prompt", purpose, ABOUT, 60.0, ReplyTo[Answered | Failed | Refused]("x"), AAPL)


def write(connection: WriteConnection, *messages: Any) -> None:
    batch: list[tuple[Any, ...]] = [message if isinstance(message, tuple) else (message,) for message in messages]
    results = connection.commit(batch)
    assert not any(isinstance(result, StatementFailed) for result in results), results


def decision(number: int, **changes: Any) -> Any:
    made = replace(MADE, symbol=Symbol(f"S{number}"), **changes)
    return decisions.insert(made, ABOUT, 0)


def inquiry(*checks: str) -> Inquiry:
    return Inquiry("m", "s", ("p",) * len(checks), ("a",) * len(checks), checks, ("q",) * len(checks))


def test_questions_are_counted_by_kind_with_dollars_and_tokens_when_they_end(
    connection: WriteConnection, read: Reader
) -> None:
    used = Used(0.1, 0.4, Tokens(100, 20, 3, 4))
    write(
        connection,
        questions.settle(question("a"), Decimal("0.01"), "answered", 2.0, 7, used),
        questions.settle(question("b"), Decimal("0.02"), "answered", 2.5, 7, used),
        questions.settle(question("c", "chat"), Decimal("0.03"), Cause.SERVER, 301.0, 7),
        questions.settle(question("c", "chat"), Decimal(9), "answered", 1.0, 8),  # twice: nothing
        questions.settle(question("d"), Decimal(0), Cause.BUDGET, None, 7),
    )

    assert metrics.asked(read) == [
        Asked("chat", PROFILE.model, "server", 1, Decimal("0.03"), 0, 0, 0, 0),
        Asked("recommendation", PROFILE.model, "answered", 2, Decimal("0.03"), 200, 40, 6, 8),
        Asked("recommendation", PROFILE.model, "budget", 1, Decimal(0), 0, 0, 0, 0),
    ]
    assert metrics.took(read, "seconds") == [
        Took("chat", PROFILE.model, "server", 11, 1, 301.0),
        Took("recommendation", PROFILE.model, "answered", 3, 2, 4.5),
    ]
    assert metrics.took(read, "waited") == [Took("recommendation", PROFILE.model, "answered", 0, 2, 0.2)]
    assert metrics.took(read, "first_chunk") == [Took("recommendation", PROFILE.model, "answered", 1, 2, 0.8)]


@pytest.mark.parametrize("seconds", [0.0, 0.25, 0.26, 2.5, 300.0, 300.1])
def test_a_question_is_in_the_bucket_in_which_a_tally_would_have_it(
    connection: WriteConnection, read: Reader, seconds: float
) -> None:
    tally = Tally(metrics.BOUNDS)
    tally.add(seconds)

    write(connection, questions.settle(question("a"), Decimal(0), "answered", seconds, 7))

    (took,) = metrics.took(read, "seconds")
    assert tally.counts[took.bucket] == 1
    step = next((Path(storage.__file__).parent / "migrations").glob("*_telemetry.sql")).read_text("utf-8")
    assert re.search(r"json_each\('\[(0.25.*?)\]'\)", step)[1].split(", ") == [f"{each:g}" for each in metrics.BOUNDS]  # type: ignore[index]


def test_questions_left_open_by_a_desk_that_was_killed_are_counted_when_they_are_charged(
    connection: WriteConnection, read: Reader
) -> None:
    fetch(
        connection.raw,
        """INSERT INTO claude_questions (id, correlation_id, purpose, model, reserved, asked_at)
        VALUES ('a', 'c', 'chat', 'm', 5000000, 0), ('b', 'c', 'chat', 'm', 2000000, 0)""",
    )
    before = metrics.asked(read)

    write(connection, questions.settle_left(9))

    assert before == []
    assert metrics.asked(read) == [Asked("chat", "m", "crash", 2, Decimal("0.007"), 0, 0, 0, 0)]


def test_decisions_are_counted_by_why_there_is_no_view_and_by_what_could_not_stand(
    connection: WriteConnection, read: Reader
) -> None:
    write(
        connection,
        decision(1),
        decision(2, cause="unknown_fact: f99", inquiry=inquiry("thesis: it says f99; cited: f99", "cited: f98")),
        decision(3, action=Action.HOLD, cause=None, inquiry=inquiry("stop: too near", "")),
        decision(4, cause="cancelled: so", inquiry=inquiry("cancelled while it streamed; 0.1 $; thesis: odd")),
        decision(5, inquiry=inquiry("no such field: x")),
        decision(6, cause=None),
        decision(7, analyst="rules"),
    )

    assert metrics.decided(read, "made") == {"": 6}
    assert metrics.decided(read, "abstained") == {"timeout": 2, "unknown_fact": 1, "cancelled": 1, "other": 1}
    assert metrics.decided(read, "rejected") == {"thesis": 1, "cited": 1, "stop": 1, "mid_stream": 1, "answer": 1}
    views = decisions.views(read)
    assert views.made == 6
    assert sum(metrics.decided(read, "abstained").values()) - 1 == sum(views.abstained.values())  # one has no cause


def order(id_: str, state: OrderState, why: str = "sized") -> Order:
    ticket = Ticket(ClientId(id_), AAPL, Side.BUY, Decimal(5))
    return Order(ticket, "d", ABOUT, "paper", state, Decimal(0), Decimal(9), why, 0, 9)


def test_orders_are_counted_each_time_they_come_into_a_state_and_a_persons_words_are_not_kept(
    connection: WriteConnection, read: Reader
) -> None:
    write(
        connection,
        orders.insert(order("a", OrderState.STAGED)),
        orders.insert(order("b", OrderState.STAGED)),
        orders.insert(order("c", OrderState.DENIED, "cash: there is not enough")),
        orders.move(ClientId("a"), OrderState.APPROVED, "yes", 1),
        orders.move(ClientId("a"), OrderState.FILLED, "filled", 2),
        orders.move(ClientId("b"), OrderState.REJECTED, "secret: I do not like it", 2),
    )

    assert metrics.moved(read) == {
        ("buy", "staged", ""): 2,
        ("buy", "denied", "cash"): 1,
        ("buy", "approved", ""): 1,
        ("buy", "filled", ""): 1,
        ("buy", "rejected", ""): 1,
    }


def test_the_newest_valuation_is_found_by_when_it_was_made(connection: WriteConnection, read: Reader) -> None:
    assert (metrics.valued_at(read), metrics.valuation(read), metrics.peak(read)) == (0, None, None)
    one = Valuation(dt.date(2013, 3, 1), "USD", Decimal(100), Decimal(10), ())
    position = Position(AAPL, Decimal(1), Decimal(90), Decimal(90), 0.9, Decimal(0))
    two = replace(one, value=Decimal(200), positions=(position,))
    write(connection, valuations.insert(two, CorrelationId("2"), 20), valuations.insert(one, CorrelationId("1"), 10))
    write(connection, states.note_day(dt.date(2013, 3, 1), Decimal(300)))

    assert (metrics.valued_at(read), metrics.valuation(read), metrics.peak(read)) == (20, two, Decimal(300))


def test_what_was_there_before_is_counted_when_a_home_is_migrated(home: Home) -> None:
    steps = known()
    before = next(number for number, step in enumerate(steps) if step.name.endswith("_telemetry"))
    old = open_for_writing(home, FIXED, 0, steps=steps[:before])
    fetch(
        old.raw,
        """INSERT INTO claude_questions (id, correlation_id, purpose, model, reserved, asked_at, cost, outcome,
            ended_at, seconds) VALUES ('a', 'c', 'chat', 'm', 9, 0, 7, 'answered', 1, 2.0),
            ('b', 'c', 'chat', 'm', 9, 0, NULL, NULL, NULL, NULL)""",
    )
    old.commit([[breaker.insert("open", 1, "", "", 0, 0)], [breaker.insert("open", 2, "", "", 0, 0)], [decision(1)]])
    old.commit([orders.insert(order("c", OrderState.DENIED, "cash: there is not enough"))])
    old.close()

    open_for_writing(home, FIXED, 0).close()
    read = Reader(home.database)

    assert metrics.asked(read) == [Asked("chat", "m", "answered", 1, Decimal("7e-9"), 0, 0, 0, 0)]
    assert metrics.took(read, "seconds") == [Took("chat", "m", "answered", 3, 1, 2.0)]
    assert metrics.entered(read) == {"closed": 0, "open": 1, "half_open": 0}
    assert metrics.decided(read, "abstained") == {"timeout": 1}
    assert metrics.moved(read) == {("buy", "denied", "cash"): 1}
    assert read.rows(tuple[int], "PRAGMA user_version") == [(len(steps),)]
    read.close()


def test_the_newest_failures_and_the_oldest_tasks_are_found_by_an_index(read: Reader) -> None:
    def plan(sql: str) -> str:
        return " ".join(row[3] for row in read.rows(tuple[int, int, int, str], f"EXPLAIN QUERY PLAN {sql}"))

    failed = """SELECT * FROM claude_questions WHERE outcome <> 'answered' AND outcome <> 'circuit_open'
        ORDER BY ended_at DESC, rowid DESC LIMIT 5"""
    newest_value = "SELECT version, payload FROM valuations ORDER BY at DESC LIMIT 1"

    assert "claude_questions_failed" in plan(failed)
    assert "valuations_by_time" in plan(newest_value)
    assert "valuations_by_time" in plan("SELECT coalesce(max(at), 0) FROM valuations")


def test_the_oldest_task_of_a_queue_is_one_that_could_run_now(connection: WriteConnection, read: Reader) -> None:
    rows = [("queued", 0, 9, 0, 300), ("queued", 5, 1, 0, 200), ("queued", 7, 5, 1, 100), ("queued", 0, 5, 1, 250),
            ("blocked", 0, 5, 0, 50), ("done", 0, 5, 0, 10), ("leased", 0, 5, 0, 20)]  # fmt: skip
    for number, row in enumerate(rows):
        fetch(
            connection.raw,
            """INSERT INTO tasks (key, queue, type, version, payload, correlation_id, state, run_after, priority,
                requires_claude, submitted_at) VALUES (?, 'data', 't', 1, '{}', 'c', ?, ?, ?, ?, ?)""",
            (str(number), *row),
        )

    assert tasks.oldest(read) == {"data": 250}
