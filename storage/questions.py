"""Questions to Claude and what they cost: table `claude_questions`, reserved before they are asked, settled once.

As long as a question is not settled its reservation counts as spent. Day and month are those of UTC in which it was
asked.
"""

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal

from messages.claude import NO_TOKENS, Cause, Question, Tokens
from messages.database import Statement
from messages.performance import Spending
from messages.values import CorrelationId, from_units, to_units
from storage.connections import Reader

Outcome = Cause | Literal["answered"]
NO_ROUND: Final = CorrelationId("")
_SPENT: Final = "SELECT coalesce(sum(coalesce(cost, reserved)), 0) FROM claude_questions WHERE"
_COLUMNS: Final = (
    "id, correlation_id, purpose, symbol, model, reserved, cost, outcome, asked_at, ended_at, seconds "
    "FROM claude_questions"
)


@dataclass(frozen=True, slots=True)
class Caps:
    """Dollars that may be spent at most: for one question, in its round, in a day, in a month."""

    question: Decimal
    round: Decimal
    day: Decimal
    month: Decimal


@dataclass(frozen=True, slots=True)
class Spent:
    """Dollars that are spent or reserved."""

    round: Decimal
    day: Decimal
    month: Decimal


@dataclass(frozen=True, slots=True)
class QuestionRow:
    """A question as it was kept; `cost`, `outcome` and `ended_at` are None until it is settled."""

    id: str
    correlation_id: CorrelationId
    purpose: str
    symbol: str | None
    model: str
    reserved: Decimal
    cost: Decimal | None
    outcome: str | None
    asked_at: int
    ended_at: int | None
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Share:
    """What questions of one kind have cost together; `name` is None where they are about no symbol."""

    name: str | None
    cost: Decimal
    count: int


@dataclass(frozen=True, slots=True)
class Breakdown:
    """The same dollars, divided in three ways, the dearest first."""

    by_purpose: tuple[Share, ...]
    by_model: tuple[Share, ...]
    by_symbol: tuple[Share, ...]


@dataclass(frozen=True, slots=True)
class Used:
    """What a question took besides: seconds in the line and until the first word, where it came so far, and tokens."""

    waited: float | None = None
    first_chunk: float | None = None
    tokens: Tokens = NO_TOKENS


NOTHING: Final = Used()


def starts(now: int) -> tuple[int, int]:
    """When the day and the month of this moment began, all UTC in microseconds."""
    day = dt.datetime.fromtimestamp(now // 1_000_000, dt.UTC).replace(hour=0, minute=0, second=0)
    month = day.replace(day=1)
    return int(day.timestamp()) * 1_000_000, int(month.timestamp()) * 1_000_000


# What the gateway writes


def reserve(question: Question, dollars: Decimal, caps: Caps, now: int) -> Statement:
    """Keep the question and what it may cost; returns its id, or nothing.

    Nothing where a cap is in the way, or nobody has agreed to this model and as many dollars a round: tasks of an
    earlier round may be asked under other settings than those that a person has seen.
    """
    about, units, (day_start, month_start) = question.correlation_id, to_units(dollars), starts(now)
    return Statement(
        f"""INSERT INTO claude_questions (id, correlation_id, purpose, symbol, model, reserved, asked_at)
        SELECT ?, ?, ?, ?, ?, ?, ? WHERE ? <= ?
            AND ? + ({_SPENT} correlation_id = ?) <= ?
            AND ? + ({_SPENT} asked_at >= ?) <= ?
            AND ? + ({_SPENT} asked_at >= ?) <= ?
            AND (SELECT model = ? AND usd_per_round >= ? FROM claude_consents ORDER BY number DESC LIMIT 1)
        RETURNING id""",
        (question.id, about, question.purpose, question.symbol, question.profile.model, units, now,
         units, to_units(caps.question),
         units, about, to_units(caps.round),
         units, day_start, to_units(caps.day),
         units, month_start, to_units(caps.month),
         question.profile.model, to_units(caps.round)),
    )  # fmt: skip


def settle(
    question: Question, cost: Decimal, outcome: Outcome, seconds: float | None, now: int, used: Used = NOTHING
) -> Statement:
    """Say how it ended, what it cost and what it took; returns its id, or nothing where it was settled before.

    One that ended before anything was reserved for it is kept too.
    """
    tokens = used.tokens
    return Statement(
        """INSERT INTO claude_questions (id, correlation_id, purpose, symbol, model, reserved, asked_at, cost, outcome,
            seconds, ended_at, waited, first_chunk, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens)
        VALUES (?, ?, ?, ?, ?, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (id) DO UPDATE SET cost = excluded.cost, outcome = excluded.outcome, seconds = excluded.seconds,
            ended_at = excluded.ended_at, waited = excluded.waited, first_chunk = excluded.first_chunk,
            input_tokens = excluded.input_tokens, output_tokens = excluded.output_tokens,
            cache_read_tokens = excluded.cache_read_tokens, cache_write_tokens = excluded.cache_write_tokens
            WHERE outcome IS NULL RETURNING id""",
        (question.id, question.correlation_id, question.purpose, question.symbol, question.profile.model, now,
         to_units(cost), str(outcome), seconds, now, used.waited, used.first_chunk, tokens.input, tokens.output,
         tokens.cache_read, tokens.cache_write),
    )  # fmt: skip


def settle_left(now: int) -> Statement:
    """What a desk that was killed has left open is charged all that was reserved for it."""
    return Statement(
        "UPDATE claude_questions SET cost = reserved, outcome = 'crash', ended_at = ? WHERE outcome IS NULL", (now,)
    )


# What anyone reads


def spent(read: Reader, now: int, correlation_id: CorrelationId = NO_ROUND) -> Spent:
    """What is spent or reserved in this round, on the day and in the month of this moment, UTC in microseconds."""
    day_start, month_start = starts(now)
    ((round_, day, month),) = read.rows(
        tuple[int, int, int],
        f"SELECT ({_SPENT} correlation_id = ?), ({_SPENT} asked_at >= ?), ({_SPENT} asked_at >= ?)",
        correlation_id, day_start, month_start,
    )  # fmt: skip
    return Spent(from_units(round_), from_units(day), from_units(month))


def left(read: Reader) -> int:
    """How many are not settled."""
    return read.rows(tuple[int], "SELECT count(*) FROM claude_questions WHERE outcome IS NULL")[0][0]


def failures(read: Reader, limit: int) -> list[QuestionRow]:
    """The last so many that were asked and not answered, newest first; an open breaker lets none be asked."""
    which = "WHERE outcome <> 'answered' AND outcome <> 'circuit_open' ORDER BY ended_at DESC, rowid DESC LIMIT ?"
    return _questions(read, which, limit)


def of_round(read: Reader, correlation_id: CorrelationId) -> list[QuestionRow]:
    """All questions of a round or request, oldest first."""
    return _questions(read, "WHERE correlation_id = ? ORDER BY asked_at, rowid", correlation_id)


def starting_with(read: Reader, prefix: str) -> list[QuestionRow]:
    """The questions, two at most, whose id begins like this."""
    return _questions(read, "WHERE substr(id, 1, ?) = ? LIMIT 2", len(prefix), prefix)


def correlated(read: Reader, prefix: str) -> list[CorrelationId]:
    """The correlation ids, two at most, that begin like this."""
    sql = "SELECT DISTINCT correlation_id FROM claude_questions WHERE correlation_id BETWEEN ? AND ? LIMIT 2"
    return [CorrelationId(found) for (found,) in read.rows(tuple[str], sql, prefix, f"{prefix}~")]


def spending(read: Reader) -> list[Spending]:
    """What each question has cost or has reserved, in order of asking; those that were free are left out."""
    rows = read.rows(
        tuple[int, int],
        """SELECT asked_at, coalesce(cost, reserved) AS dollars FROM claude_questions WHERE dollars > 0
        ORDER BY asked_at""",
    )
    return [Spending(at, from_units(dollars)) for at, dollars in rows]


def breakdown(read: Reader, since: int) -> Breakdown:
    """What was spent or reserved from that moment on, and on what."""
    return Breakdown(_shares(read, "purpose", since), _shares(read, "model", since), _shares(read, "symbol", since))


def _shares(read: Reader, column: Literal["purpose", "model", "symbol"], since: int) -> tuple[Share, ...]:
    rows = read.rows(
        tuple[str | None, int, int],
        f"""SELECT {column}, sum(coalesce(cost, reserved)) AS dollars, count(*) FROM claude_questions
        WHERE asked_at >= ? GROUP BY {column} ORDER BY dollars DESC, {column}""",
        since,
    )
    return tuple(Share(name, from_units(dollars), count) for name, dollars, count in rows)


def _questions(read: Reader, which: str, *values: int | str) -> list[QuestionRow]:
    rows = read.rows(
        tuple[str, str, str, str | None, str, int, int | None, str | None, int, int | None, float | None],
        f"SELECT {_COLUMNS} {which}",
        *values,
    )
    return [
        QuestionRow(
            id_, CorrelationId(about), purpose, symbol, model, from_units(reserved),
            None if cost is None else from_units(cost), outcome, asked_at, ended_at, seconds,
        )
        for id_, about, purpose, symbol, model, reserved, cost, outcome, asked_at, ended_at, seconds in rows
    ]  # fmt: skip
