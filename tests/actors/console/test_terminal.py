"""What a person sees at the terminal."""

import datetime as dt
from decimal import Decimal

import pytest

from actors.console import terminal
from actors.console.report import Claude, Report
from messages.trading import Position
from messages.values import Symbol


def printed(amount: str) -> str:
    """A report whose one position has gained this much."""
    position = Position(Symbol("ACME"), Decimal("1E-8"), Decimal(5), Decimal("5E-8"), 1.0, Decimal(amount))
    claude = Claude("off", None, Decimal(0))
    report = Report(1, "csv", dt.date(2013, 3, 1), "USD", Decimal(5), Decimal(amount), (position,), claude, ())
    with terminal.out.capture() as captured:
        terminal.print_report(report)
    return captured.get()


@pytest.mark.parametrize("amount", ["-0.001", "-0.005", "-0", "-1E-9"])
def test_a_loss_of_less_than_a_hundredth_is_no_minus_zero(amount: str) -> None:
    text = printed(amount)

    assert "-0.00" not in text
    assert "0.00" in text


def test_a_loss_of_a_hundredth_is_shown() -> None:
    assert "-0.01" in printed("-0.01")


def test_quantities_are_shown_in_full() -> None:
    assert "0.00000001" in printed("1")
