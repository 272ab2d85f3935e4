import pytest

from actors.domain.thesis import UnknownFact, fill, placeholders
from tests.actors.domain.making import sheet


def test_placeholders_are_named_once_in_order_of_first_use() -> None:
    assert placeholders("{f12} above {f3}, and {f12} below {f1}") == ("f12", "f3", "f1")


@pytest.mark.parametrize(
    "template", ["none", "{}", "{f}", "{f0}", "{f01}", "{f1 }", "{F1}", "f1", "{{x}}", "{f\u0661}"]
)
def test_other_braces_are_no_placeholders(template: str) -> None:
    assert placeholders(template) == ()
    assert fill(template, sheet({"close": 1.0})) == template


def test_the_values_of_the_facts_are_filled_in() -> None:
    facts = sheet({"close": 430.47, "rsi_14": 33.3379, "volume": 1234570.0})

    assert fill("At {f1} the RSI is {f2}; {f3} shares, {f1}.", facts) == (
        "At 430.47 the RSI is 33.3379; 1234570 shares, 430.47."
    )


def test_a_fact_that_is_not_on_the_sheet_is_refused_by_name() -> None:
    with pytest.raises(UnknownFact, match="ACME of 2013-03-01: the thesis names f2, f9; cite facts f1 to f1"):
        fill("{f1} {f2} {f9}", sheet({"close": 1.0}))
