"""The price table: dated, exact, and closed to models that it does not have."""

import datetime as dt
from decimal import Decimal

import pytest

from messages.claude import Asking
from messages.prices import ModelPrice
from storage.model_prices import UnknownPrice, price, table


def test_the_table_says_of_when_and_from_where_it_is() -> None:
    assert table().as_of >= dt.date(2026, 11, 22)
    assert "Anthropic's pricing page" in table().source


def test_prices_are_exact() -> None:
    assert price("claude-opus-4-8") == ModelPrice(Decimal(5), Decimal(25), Decimal("6.25"), Decimal("0.50"))
    assert str(price("claude-haiku-5-5").cache_write) == "0.625"


@pytest.mark.parametrize("model", list(table().models))
def test_each_price_is_plausible(model: str) -> None:
    of = price(model)

    assert 0 < of.cache_read < of.input < of.cache_write < of.output <= 100
    assert of.cache_write == of.input * Decimal("1.25")


def test_the_model_that_is_asked_unless_another_is_set_has_a_price() -> None:
    price(Asking().model)


def test_a_dated_id_is_the_same_model() -> None:
    assert price("claude-sonnet-4-5-20250929") == price("claude-sonnet-4-5")


@pytest.mark.parametrize(
    "model", ["claude-sonnet-9", "claude-sonnet", "claude-sonnet-5-5[1m]", "sonnet", "", "CLAUDE-SONNET-5", "gpt-5"]
)
def test_a_model_without_a_price_is_named_with_what_to_do(model: str) -> None:
    with pytest.raises(UnknownPrice) as refused:
        price(model)

    assert str(refused.value).startswith(f"model {model}: its price is not known, so it is not asked; set [claude] mo")
    assert str(refused.value).endswith("or add its price to model_prices.toml")
    assert "\n" not in str(refused.value)
