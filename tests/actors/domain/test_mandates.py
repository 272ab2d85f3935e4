"""Mandates: what they allow, how they are kept, and that they only become narrower."""

import json
import re
from dataclasses import replace
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from actors.domain.mandates import BadMandate, Mandate, allows, digest, narrowed, read, text
from actors.domain.orders import Code, Proposal, Quote
from messages.broker import Kind, Side
from tests.actors.domain.trading import ACME, BOLT, BUY, SELL, TODAY

NOW = 1_362_096_000_000_000
MANDATE = Mandate(Decimal(1_000), 3, frozenset({ACME}), frozenset({Side.BUY}), 0.6, NOW + 1)
QUOTE = Quote(Decimal(100), TODAY, Decimal(1_000_000))

ROOT = Path(__file__).parents[3]


def why(mandate: Mandate | None, order: Proposal = BUY, sent: int = 0, now: int = NOW) -> str:
    denied = allows(mandate, order, QUOTE, sent, now)
    assert denied is not None
    assert denied.code is Code.MANDATE
    return denied.sentence


def test_up_to_its_limits_an_order_needs_no_yes() -> None:
    assert allows(MANDATE, BUY, QUOTE, 2, NOW) is None
    assert allows(replace(MANDATE, symbols=None), replace(BUY, symbol=BOLT), QUOTE, 0, NOW) is None
    assert allows(replace(MANDATE, sides=frozenset(Side)), SELL, QUOTE, 0, NOW) is None


def test_beyond_any_of_them_it_does() -> None:
    assert why(MANDATE, replace(BUY, quantity=Decimal("10.01"))) == (
        "BUY 10.01 ACME: it is worth 1,001.00, the mandate allows 1,000.00; approve it"
    )
    assert why(MANDATE, replace(BUY, kind=Kind.STOP, stop=Decimal("100.01"))).endswith("allows 1,000.00; approve it")
    assert why(MANDATE, sent=3) == "BUY 10 ACME: 3 were sent today under the mandate, which allows 3; approve it"
    assert why(MANDATE, replace(BUY, symbol=BOLT)) == "BUY 10 BOLT: the mandate is for ACME alone; approve it"
    assert why(MANDATE, SELL) == "SELL 10 ACME: the mandate is for buy alone; approve it"
    for conviction in (0.599, None, float("nan"), 1.1):
        assert why(MANDATE, replace(BUY, conviction=conviction)).endswith("the mandate's least is 0.6; approve it")


def test_an_expired_one_and_one_that_cannot_be_read_deny() -> None:
    assert why(MANDATE, now=NOW + 1) == "BUY 10 ACME: the mandate has expired; approve it, or give a new one"
    assert why(None) == "BUY 10 ACME: there is no mandate that can be read; approve it, or give one"


@pytest.mark.parametrize(
    "field",
    [
        {"max_order_value": Decimal("nan")},
        {"max_order_value": Decimal(-1)},
        {"max_order_value": Decimal("1e300")},
        {"max_orders_a_day": -1},
        {"min_conviction": float("nan")},
        {"min_conviction": 1.01},
        {"sides": frozenset[Side]()},
        {"symbols": frozenset[str]()},
    ],
)
def test_one_that_is_wrong_in_itself_cannot_be_given(field: dict[str, Any]) -> None:
    with pytest.raises(BadMandate, match=r"^mandate: "):
        replace(MANDATE, **field)


MANDATES = st.builds(
    Mandate,
    st.sampled_from([Decimal(0), Decimal("999.99"), Decimal(1_000), Decimal("1e9")]),
    st.sampled_from([0, 2, 3, 30]),
    st.sampled_from([None, frozenset({ACME}), frozenset({BOLT}), frozenset({ACME, BOLT})]),
    st.sampled_from([frozenset({Side.BUY}), frozenset({Side.SELL}), frozenset(Side)]),
    st.sampled_from([0.0, 0.6, 0.61]),
    st.sampled_from([NOW, NOW + 1, 2 * NOW]),
)


@given(MANDATES)
def test_what_is_kept_is_read_again_under_its_hash(mandate: Mandate) -> None:
    assert read(text(mandate), digest(mandate)) == mandate


def test_the_text_has_one_form_and_so_the_hash_is_of_the_limits() -> None:
    other = replace(MANDATE, max_order_value=Decimal("1000.00"), symbols=frozenset([ACME]))

    assert (
        text(other)
        == text(MANDATE)
        == (
            '{"expires_at":1362096000000001,"max_order_value":"1000","max_orders_a_day":3,"min_conviction":0.6,'
            '"sides":["buy"],"symbols":["ACME"],"version":1}'
        )
    )
    assert digest(other) == digest(MANDATE) == sha256(text(MANDATE).encode()).hexdigest()
    assert digest(replace(MANDATE, max_orders_a_day=4)) != digest(MANDATE)


def test_a_letter_that_was_changed_is_found() -> None:
    with pytest.raises(BadMandate, match="has another hash"):
        read(text(MANDATE).replace("1000", "9000"), digest(MANDATE))


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"more": 1},
        {"sides": ["hold"]},
        {"sides": 3},
        {"max_order_value": "many"},
        {"max_order_value": 1000},
        {"max_orders_a_day": 3.5},
        {"expires_at": None},
        {"min_conviction": 2},
    ],
)
def test_a_text_with_its_hash_that_is_no_mandate_of_ours_cannot_be_read(change: dict[str, Any]) -> None:
    kept = json.dumps(json.loads(text(MANDATE)) | change, sort_keys=True, separators=(",", ":"))

    with pytest.raises(BadMandate, match=r"^mandate"):
        read(kept, sha256(kept.encode()).hexdigest())


@pytest.mark.parametrize("kept", ["", "[]", "null", "{}", "{", "[" * 100_000, '"x"'])
def test_rubbish_cannot_be_read(kept: str) -> None:
    with pytest.raises(BadMandate, match="cannot be read"):
        read(kept, sha256(kept.encode()).hexdigest())


WIDER: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("max_order_value", {"max_order_value": Decimal(999)}, {"max_order_value": Decimal("1000.01")}),
    ("max_orders_a_day", {"max_orders_a_day": 2}, {"max_orders_a_day": 4}),
    ("symbols", {"symbols": frozenset({ACME})}, {"symbols": frozenset({ACME, BOLT})}),
    ("symbols", {}, {"symbols": None}),
    ("sides", {"sides": frozenset({Side.BUY})}, {"sides": frozenset(Side)}),
    ("min_conviction", {"min_conviction": 0.7}, {"min_conviction": 0.59}),
    ("expires_at", {"expires_at": NOW}, {"expires_at": NOW + 2}),
]


@pytest.mark.parametrize(("name", "narrower", "wider"), WIDER, ids=[f"{row[0]} {n}" for n, row in enumerate(WIDER)])
def test_a_limit_may_be_narrowed_and_not_widened(name: str, narrower: dict[str, Any], wider: dict[str, Any]) -> None:
    assert narrowed(MANDATE, replace(MANDATE, **narrower)) == replace(MANDATE, **narrower)
    with pytest.raises(BadMandate, match=f"^mandate: {name} would be wider; narrow it"):
        narrowed(MANDATE, replace(MANDATE, **wider))


def narrowest(one: Mandate, other: Mandate) -> Mandate:
    symbols = one.symbols if other.symbols is None else other.symbols & (one.symbols or other.symbols) or one.symbols
    return Mandate(
        min(one.max_order_value, other.max_order_value),
        min(one.max_orders_a_day, other.max_orders_a_day),
        symbols,
        one.sides & other.sides or one.sides,
        max(one.min_conviction, other.min_conviction),
        min(one.expires_at, other.expires_at),
    )


@given(MANDATES, MANDATES, st.sampled_from([BUY, SELL]), st.integers(0, 2), st.sampled_from([0, NOW]))
def test_what_a_narrowed_one_allows_the_former_has_allowed(
    old: Mandate, other: Mandate, order: Proposal, sent: int, now: int
) -> None:
    new = narrowed(old, narrowest(old, other))

    if allows(new, order, QUOTE, sent, now) is None:
        event("allowed")
        assert allows(old, order, QUOTE, sent, now) is None


def test_no_part_of_claudes_and_no_tool_of_its_knows_of_mandates() -> None:
    modules = [*(ROOT / "actors" / "claude").glob("*.py"), ROOT / "messages" / "claude.py"]

    assert [path.name for path in modules if re.search("mandate", path.read_text(), re.IGNORECASE)] == []
    assert len(modules) > 5
