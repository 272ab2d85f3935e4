"""What a person sees of Claude, of the desk's health and of the grounding."""

from decimal import Decimal

import pytest

from actors.console import pages, terminal
from actors.console.claude import Breaker, Ceilings, Consent, Failure, Live, Spending, State
from actors.console.doctor import Check, Examined
from actors.console.grounding import Measured
from messages.claude import Program
from messages.prices import ModelPrice
from storage.questions import Breakdown, Share

AT = 1_362_096_000_000_000
DOLLAR = Decimal(1)
STATE = State(
    "claude-sonnet-5", ModelPrice(Decimal(2), Decimal(10), Decimal("2.5"), Decimal("0.2")),
    Consent("claude-sonnet-5", DOLLAR, AT, True), Breaker("closed", "", "", None, None),
    Ceilings(Decimal("0.5"), DOLLAR, 5 * DOLLAR, 50 * DOLLAR),
    Spending(
        Decimal("0.0204"), Decimal("1.5"),
        Breakdown((Share("chat", Decimal("1.5"), 7),), (), (Share(None, Decimal("1.5"), 7),)),
    ),
    (Failure(AT, "chat", None, "overloaded", Decimal(0)),),
    Live((Program("shared", "claude-sonnet-5", "ready", 3, 12.4),), 1),
)  # fmt: skip
MEASURED = Measured(45, 92, ("one",), 1 / 92, (), 0.0, {}, 10, 6, 0.6, {"circuit_open": 4, "billing": 2})


def printed(show: object, value: object) -> str:
    with terminal.out.capture() as captured:
        assert callable(show)
        show(value)
    return captured.get()


def test_claude_is_shown_with_its_money_its_failures_and_its_programs() -> None:
    lines = [" ".join(line.split()) for line in printed(pages.print_claude, STATE).splitlines()]

    assert lines == [
        "Model: claude-sonnet-5, 2 $ in and 10 $ out per million tokens",
        "Consent: claude-sonnet-5 for up to 1.00 $ a round, given 2013-03-01 00:00:00 UTC",
        "Breaker: closed; Claude may be asked",
        "Spent today: 0.0204 $ of 5.00 $; this month: 1.50 $ of 50.00 $; at most 0.50 $ a question and 1.00 $ a round",
        "this month by purpose (questions): chat 1.50 $ (7)",
        "this month by symbol (questions): none 1.50 $ (7)",
        "Last failures",
        "ended purpose symbol cause cost",
        "2013-03-01 00:00:00 UTC chat overloaded 0.00 $",
        "Programs: 1 alive; 1 question waiting or under way",
        "conversation model state asked unused",
        "shared claude-sonnet-5 ready 3 12 s",
    ]


def test_an_open_breaker_is_shown_with_its_cause_its_time_and_what_to_do() -> None:
    breaker = Breaker("open", "billing", "no [credit]", AT, AT)
    changed = State(STATE.model, None, None, breaker, STATE.ceilings, STATE.spent, (), None)

    text = printed(pages.print_claude, changed)

    assert "open, until 2013-03-01 00:00:00 UTC (billing): no [credit]; `run.py claude --reset` closes it" in text
    assert "whose price is not known, so it is not asked; set another under [claude] model in desk.toml" in text
    assert "Consent: not given, so Claude is not asked; `run.py once --claude on` agrees" in text
    assert "No question has failed." in text
    assert "Programs: no desk runs here." in text


def test_a_breaker_that_tries_one_question_says_so() -> None:
    breaker = Breaker("half_open", "server", "x", AT, AT)
    changed = State(STATE.model, None, None, breaker, STATE.ceilings, STATE.spent, (), Live((), 0))

    text = printed(pages.print_claude, changed)

    assert "half-open: one question is tried (server): x" in text
    assert "Programs: none alive; no question waiting or under way" in text


def test_the_doctor_prints_one_line_a_check_that_begins_with_its_verdict() -> None:
    checks = (Check("home", "ok", "/[desk]"), Check("database", "error", "damaged", "restore it"))

    text = printed(pages.print_doctor, Examined("error", checks))

    assert text.splitlines() == ["ok       home      /[desk]", "error    database  damaged; restore it"]


@pytest.mark.parametrize(
    ("measured", "last"),
    [
        (MEASURED, "6 of 10 (60.0%) of Claude's decisions in this home; causes: circuit_open 4, billing 2"),
        (Measured(1, 1, (), 0.0, (), 0.0, {}, 2, 0, 0.0, {}), "0 of 2 (0.0%) of Claude's decisions in this home"),
        (Measured(1, 1, (), 0.0, (), 0.0, {}, 0, 0, None, {}), "Claude has decided nothing in this home yet"),
    ],
)
def test_the_grounding_is_shown_with_all_three_rates(measured: Measured, last: str) -> None:
    assert printed(pages.print_grounding, measured).splitlines()[-1] == f"Abstained: {last}"


def test_answers_that_were_judged_wrongly_are_named() -> None:
    assert printed(pages.print_grounding, MEASURED).splitlines()[:3] == [
        "Kept corpus: 45 good and 92 bad answers, judged by the checks themselves",
        "False accepts: 1 of 92 bad (1.1%); one",
        "False rejects: 0 of 45 good (0.0%)",
    ]
