"""Costs of paper fills: what the presets are, and amounts that are exact whatever their size."""

import re
from decimal import Decimal
from pathlib import Path

import pytest

from actors.domain.costs import PRESETS, Fees, amount, cheaper, dearer
from messages.broker import Side

PAGE = Path(__file__).parents[3] / "docs" / "broker.md"


def shown(fees: Fees) -> str:
    """As the page has it."""
    parts = [
        f"{fees.per_share} a share" if fees.per_share else "",
        f"{fees.per_cent} %" if fees.per_cent else "",
    ]
    text = " and ".join(filter(None, parts)) or "nothing"
    return f"{text}, at least {fees.minimum}" if fees.minimum else text


def test_the_page_shows_each_preset_with_its_figures() -> None:
    rows = re.findall(r"\| `(\w+)` \| ([\d.]+)(?: %)? \| (.*?) \| (.*?) \|", PAGE.read_text("utf-8"))

    assert rows == [
        (name, str((costs.slippage * 100).normalize()), shown(costs.buying), shown(costs.selling))
        for name, costs in PRESETS.items()
    ]


@pytest.mark.parametrize(
    ("price", "against", "kept"),
    [("100.001", "100.01", "100.00"), ("100.01", "100.01", "100.01"), ("0.99991", "1.0000", "0.9999")],
)
def test_a_buyer_pays_the_tick_above_and_is_promised_the_one_below(price: str, against: str, kept: str) -> None:
    assert (dearer(Side.BUY, Decimal(price)), cheaper(Side.BUY, Decimal(price))) == (Decimal(against), Decimal(kept))
    assert (dearer(Side.SELL, Decimal(price)), cheaper(Side.SELL, Decimal(price))) == (Decimal(kept), Decimal(against))


def test_an_amount_is_kept_in_units_rounded_half_to_even() -> None:
    assert amount(Decimal("0.00000001"), Decimal("0.15")) == Decimal("0.000000002")
    # 1524149658.4362750190521
    assert amount(Decimal("123456.123456789"), Decimal("12345.6789")) == Decimal("1524149658.436275019")
