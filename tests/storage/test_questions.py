"""What questions cost: reserved within the caps or not at all, settled once, and summed."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages.addresses import Refused, ReplyTo
from messages.claude import Answered, Cause, Failed, Profile, Purpose, Question
from messages.database import Statement
from messages.performance import Spending
from messages.values import CorrelationId, Symbol
from storage import consents, questions
from storage.connections import Reader
from storage.home import Home
from storage.migrations import open_for_writing
from storage.questions import Breakdown, Caps, Outcome, Share, Spent
from storage.writing import StatementFailed, WriteConnection

ONE, OTHER = CorrelationId("1" * 32), CorrelationId("2" * 32)
AAPL, IBM = Symbol("AAPL"), Symbol("IBM")
PROFILE = Profile("claude-sonnet-5-5", "You are…", None, (), 4000, 4000, 2)
CAPS = Caps(Decimal("0.50"), Decimal("1.00"), Decimal("5.00"), Decimal("50.00"))
SECOND = 1_000_000
MARCH = 1_362_096_000 * SECOND
"""2013-03-01T00:00:00Z."""
DAY = 86_400 * SECOND
NOW = MARCH + 2 * DAY + 12 * 3600 * SECOND


def question(
    id_: str, about: CorrelationId = ONE, symbol: Symbol | None = AAPL, purpose: Purpose = "recommendation"
) -> Question:
    return Question(id_, PROFILE, "prompt", purpose, about, 60.0, ReplyTo[Answered | Failed | Refused]("x"), symbol)


@pytest.fixture(autouse=True)
def agreed(connection: WriteConnection) -> None:
    """Somebody has agreed to what is asked."""
    connection.commit([[consents.insert(PROFILE.model, Decimal(1_000), 0)]])


def reserve(asked: Question, dollars: str, caps: Caps = CAPS, now: int = NOW) -> Statement:
    return questions.reserve(asked, Decimal(dollars), caps, now)


def returned(connection: WriteConnection, *statements: Statement) -> list[object]:
    """For each statement, written one after the other, the id it returned or None."""
    results = connection.commit([[statement] for statement in statements])
    rows = [result[0] for result in results if not isinstance(result, StatementFailed)]
    assert len(rows) == len(statements), results
    return [row[0][0] if row else None for row in rows]


def settle(id_: str, cost: str, outcome: Outcome = "answered", seconds: float = 1.5, now: int = NOW) -> Statement:
    return questions.settle(question(id_), Decimal(cost), outcome, seconds, now)


def test_the_day_and_the_month_begin_at_midnight_utc() -> None:
    assert questions.starts(NOW) == (MARCH + 2 * DAY, MARCH)
    assert questions.starts(MARCH) == (MARCH, MARCH)
    assert questions.starts(MARCH - 1) == (MARCH - DAY, MARCH - 28 * DAY)


def test_a_reservation_counts_as_spent_until_the_cost_takes_its_place(
    connection: WriteConnection, read: Reader
) -> None:
    assert returned(connection, reserve(question("a"), "0.30")) == ["a"]
    reserved = questions.spent(read, NOW, ONE)

    assert returned(connection, settle("a", "0.012345678")) == ["a"]

    assert reserved == Spent(Decimal("0.3"), Decimal("0.3"), Decimal("0.3"))
    cost = Decimal("0.012345678")
    assert questions.spent(read, NOW, ONE) == Spent(cost, cost, cost)
    assert questions.spent(read, NOW, OTHER) == Spent(Decimal(0), cost, cost)
    assert questions.spent(read, NOW + DAY, ONE) == Spent(cost, Decimal(0), cost)
    assert questions.spent(read, NOW + 31 * DAY, ONE) == Spent(cost, Decimal(0), Decimal(0))


@pytest.mark.parametrize(
    ("caps", "fits"),
    [
        (CAPS, True),
        (replace(CAPS, question=Decimal("0.2")), True),
        (replace(CAPS, question=Decimal("0.199999999")), False),
        (replace(CAPS, round=Decimal("0.5")), True),
        (replace(CAPS, round=Decimal("0.499999999")), False),
        (replace(CAPS, day=Decimal("0.6")), True),
        (replace(CAPS, day=Decimal("0.599999999")), False),
        (replace(CAPS, month=Decimal("0.7")), True),
        (replace(CAPS, month=Decimal("0.699999999")), False),
    ],
)
def test_a_reservation_that_would_exceed_a_cap_is_not_kept(
    connection: WriteConnection, read: Reader, caps: Caps, fits: bool
) -> None:
    before = [
        reserve(question("round"), "0.3"),
        reserve(question("day", OTHER), "0.1"),
        reserve(question("month", OTHER), "0.1", now=MARCH),
        reserve(question("long ago", OTHER), "0.4", now=MARCH - 1),
    ]
    returned(connection, *before)

    assert returned(connection, reserve(question("new"), "0.2", caps)) == ["new" if fits else None]

    assert [row.id for row in questions.of_round(read, ONE)] == ["round", "new"][: 1 + fits]


def test_reservations_of_one_transaction_see_each_other(connection: WriteConnection, read: Reader) -> None:
    wanted = [reserve(question(f"q{n}"), "0.3") for n in range(5)]

    assert returned(connection, *wanted) == ["q0", "q1", "q2", None, None]
    assert questions.spent(read, NOW, ONE).round == Decimal("0.9")


def test_with_a_cap_of_nothing_only_what_is_free_is_asked(connection: WriteConnection) -> None:
    nothing = Caps(*[Decimal(0)] * 4)

    tried = [reserve(question("dear"), "0.000000001", nothing), reserve(question("free"), "0", nothing)]

    assert returned(connection, *tried) == [None, "free"]


def test_a_question_is_settled_once_and_the_first_settlement_stays(connection: WriteConnection, read: Reader) -> None:
    returned(connection, reserve(question("a"), "0.30"))

    assert returned(connection, settle("a", "0.1", Cause.TIMEOUT), settle("a", "0.2"), settle("b", "0.1")) == [
        "a", None, "b",
    ]  # fmt: skip

    row, never_reserved = questions.of_round(read, ONE)
    assert (never_reserved.reserved, never_reserved.cost) == (Decimal(0), Decimal("0.1"))
    assert (row.cost, row.outcome, row.seconds, row.ended_at) == (Decimal("0.1"), "timeout", 1.5, NOW)


def test_nothing_is_reserved_that_nobody_has_agreed_to(connection: WriteConnection) -> None:
    other = replace(question("a"), profile=replace(PROFILE, model="claude-opus-5"))
    dearer = replace(CAPS, round=Decimal(1_001), question=Decimal(1), day=Decimal(2_000), month=Decimal(2_000))

    refused = returned(connection, reserve(other, "0.1"), reserve(question("b"), "0.1", dearer))

    assert refused == [None, None]
    assert returned(connection, reserve(question("c"), "0.1")) == ["c"]


def test_what_a_killed_desk_left_open_is_charged_what_was_reserved(connection: WriteConnection, read: Reader) -> None:
    returned(connection, reserve(question("a"), "0.30"), reserve(question("b"), "0.4"), settle("a", "0.1"))

    connection.commit([[questions.settle_left(NOW + 5)], [questions.settle_left(NOW + 6)]])

    rows = [(row.id, row.cost, row.outcome, row.ended_at) for row in questions.of_round(read, ONE)]
    assert rows == [("a", Decimal("0.1"), "answered", NOW), ("b", Decimal("0.4"), "crash", NOW + 5)]


def test_the_cost_is_divided_by_purpose_model_and_symbol(connection: WriteConnection, read: Reader) -> None:
    chat = question("d", OTHER, None, "chat")
    returned(
        connection,
        reserve(question("old"), "0.4", now=MARCH),
        *(reserve(question(*about), "0.2") for about in (("a", ONE, AAPL), ("b", ONE, IBM), ("c", OTHER, AAPL))),
        settle("a", "0.05"),
    )
    connection.commit([[consents.insert("claude-opus-5", Decimal(1), 0)]])
    returned(connection, reserve(replace(chat, profile=replace(PROFILE, model="claude-opus-5")), "0.3"))

    assert questions.breakdown(read, MARCH + 1) == Breakdown(
        (Share("recommendation", Decimal("0.45"), 3), Share("chat", Decimal("0.3"), 1)),
        (Share("claude-sonnet-5-5", Decimal("0.45"), 3), Share("claude-opus-5", Decimal("0.3"), 1)),
        (Share(None, Decimal("0.3"), 1), Share("AAPL", Decimal("0.25"), 2), Share("IBM", Decimal("0.2"), 1)),
    )


@pytest.fixture(scope="module")
def old_home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home(tmp_path_factory.mktemp("questions"))


@pytest.mark.long
@given(
    st.lists(st.tuples(st.sampled_from([ONE, OTHER]), st.integers(0, 400), st.integers(0, 400)), max_size=12),
    st.tuples(*[st.integers(0, 1000)] * 4),
)
def test_whatever_is_asked_no_cap_is_exceeded_and_what_fits_is_kept(
    old_home: Home, asked: list[tuple[CorrelationId, int, int]], cents: tuple[int, int, int, int]
) -> None:
    old_home.database.unlink(missing_ok=True)
    connection = open_for_writing(old_home, {}, 0)
    connection.commit([[consents.insert(PROFILE.model, Decimal(1_000), 0)]])
    caps, kept = Caps(*(Decimal(cap) / 100 for cap in cents)), dict[CorrelationId, int]()
    try:
        for number, (about, reserved, cost) in enumerate(asked):
            fits = (
                reserved <= cents[0]
                and kept.get(about, 0) + reserved <= cents[1]
                and sum(kept.values()) + reserved <= min(cents[2:])
            )
            statement = reserve(question(str(number), about), str(Decimal(reserved) / 100), caps)
            assert returned(connection, statement) == [str(number) if fits else None]
            if fits:
                charged = min(cost, reserved)
                returned(connection, settle(str(number), str(Decimal(charged) / 100)))
                kept[about] = kept.get(about, 0) + charged
    finally:
        connection.close()


def test_failures_are_those_that_were_asked_and_not_answered_newest_first(
    connection: WriteConnection, read: Reader
) -> None:
    outcomes: list[Outcome] = ["answered", Cause.OVERLOADED, Cause.CIRCUIT_OPEN, Cause.CRASH, Cause.BUDGET]
    for number, outcome in enumerate(outcomes):
        returned(
            connection, reserve(question(str(number)), "0.01"), settle(str(number), "0", outcome, now=NOW + number)
        )
    returned(connection, reserve(question("open"), "0.01"))

    assert [row.outcome for row in questions.failures(read, 10)] == ["budget", "crash", "overloaded"]
    assert [row.id for row in questions.failures(read, 1)] == ["4"]


def test_spending_is_what_each_question_cost_or_has_reserved_in_order_of_asking(
    connection: WriteConnection, read: Reader
) -> None:
    returned(connection, reserve(question("a"), "0.30", now=NOW + 5), reserve(question("b"), "0.20"))
    returned(connection, settle("b", "0.07"), settle("free", "0"))

    assert questions.spending(read) == [Spending(NOW, Decimal("0.07")), Spending(NOW + 5, Decimal("0.3"))]
