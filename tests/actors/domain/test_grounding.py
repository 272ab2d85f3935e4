import json
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.domain.answers import FIELDS
from actors.domain.band import band, breaches
from actors.domain.grounding import (
    Answer,
    Code,
    Fault,
    abstain,
    changed,
    decide,
    failing,
    faults,
    parse,
    partial,
)
from actors.domain.rules import recommend
from actors.domain.thesis import LONGEST, fill
from messages.research import Action, Decision
from storage.corpus import Case, load
from tests.actors.domain.making import ACME, LAST, sheet

FACTS = sheet(
    {
        "close": 100.0,
        "sma_50": 95.0,
        "sma_200": 90.0,
        "rsi_14": 55.5,
        "adx_14": 30.0,
        "atr_14": 2.0,
        "volatility_252": 0.2,
        "return_252": 0.25,
    }
)
ALLOWED = frozenset({"ACME", "SPY"})
LISTED = frozenset({"ACME", "SPY", "TSLA", "F", "MA", "ALL", "BRK-B", "A", "RSI", "T"})
BUY = Answer(Action.BUY, Decimal("0.6"), 21, Decimal(105), Decimal(97), "The close of {f1} is up.", ("f1",), None)
HOLD = Answer(Action.HOLD, Decimal("0.5"), 21, None, None, "RSI is {f4}.", ("f4",), None)
NO_VIEW = Answer(Action.ABSTAIN, None, None, None, None, None, (), "The facts contradict each other.")


def written(answer: Answer, **changes: object) -> str:
    fields = {name: getattr(answer, name) for name in FIELDS} | changes
    return json.dumps({k: float(v) if isinstance(v, Decimal) else v for k, v in fields.items()})


def codes(found: Answer | tuple[Fault, ...]) -> list[tuple[str, str]]:
    return [] if isinstance(found, Answer) else [(fault.code.value, fault.field) for fault in found]


def checked(answer: Answer) -> list[tuple[str, str]]:
    return codes(faults(answer, FACTS, ALLOWED, LISTED))


def said(thesis: str, *cited: str) -> tuple[Fault, ...]:
    return faults(replace(HOLD, thesis=thesis, cited=cited), FACTS, ALLOWED, LISTED)


@pytest.mark.parametrize(
    "answer", [BUY, HOLD, NO_VIEW, replace(BUY, action=Action.SELL, target=Decimal(95), stop=None)]
)
def test_an_answer_is_read_as_it_was_written_and_stands(answer: Answer) -> None:
    assert parse(written(answer)) == answer
    assert checked(answer) == []


def test_numbers_are_read_exactly() -> None:
    text = written(BUY).replace("105.0", "105.070000000").replace("97.0", "0.1e1")

    read = parse(text)

    assert isinstance(read, Answer)
    assert str(read.target) == "105.070000000"
    assert str(read.stop) == "1"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"action": "buy"}, "action"),
        ({"action": None}, "action"),
        ({"action": ["BUY"]}, "action"),
        ({"conviction": 1.01}, "conviction"),
        ({"conviction": -0.01}, "conviction"),
        ({"conviction": "0.5"}, "conviction"),
        ({"conviction": True}, "conviction"),
        ({"conviction": None}, "conviction"),
        ({"horizon_days": 21.5}, "horizon_days"),
        ({"horizon_days": False}, "horizon_days"),
        ({"horizon_days": None}, "horizon_days"),
        ({"target": 0}, "target"),
        ({"target": -1}, "target"),
        ({"target": 1e10}, "target"),
        ({"target": 100.12345678901}, "target"),
        ({"stop": "97"}, "stop"),
        ({"stop": {"price": 97}}, "stop"),
        ({"thesis": None}, "thesis"),
        ({"thesis": " \n"}, "thesis"),
        ({"thesis": ["RSI"]}, "thesis"),
        ({"cited": "f1"}, "cited"),
        ({"cited": [1]}, "cited"),
        ({"cited": ["f1"] * 101}, "cited"),
        ({"cause": "unsure"}, "cause"),
        ({"size": 5}, "size"),
    ],
)
def test_a_field_of_the_wrong_form_is_named(changes: dict[str, object], field: str) -> None:
    assert codes(parse(written(BUY, **changes))) == [("schema", field)]


@pytest.mark.parametrize("field", FIELDS)
def test_each_field_must_be_there(field: str) -> None:
    fields = json.loads(written(HOLD))
    del fields[field]

    assert codes(parse(json.dumps(fields))) == [("schema", field)]


@pytest.mark.parametrize(
    "text",
    [
        *("", "null", "[]", '"BUY"', "{", "no", "{}{}", '{"action": "BUY", "action": "BUY"}', "\ufeff{}"),
        *("[" * 100_000, '{"target": NaN}', '{"target": -Infinity}', '{"target": 1e400}', '{"target": 1e-400}'),
        *('{"target": 1e99999999999999999999}', f'{{"target": {"9" * 5000}}}', " " * 30_000, '{"a": {"b": 1, "b": 2}}'),
    ],
)
def test_what_is_no_answer_is_refused_as_a_whole(text: str) -> None:
    found = codes(parse(text))

    assert found
    assert found[0] in {("schema", "answer"), ("answer_too_long", "answer")}


@pytest.mark.parametrize(
    "changes", [{"conviction": 0.5}, {"horizon_days": 5}, {"target": 1}, {"stop": 1}, {"thesis": "x"}]
)
def test_who_abstains_has_no_view(changes: dict[str, object]) -> None:
    assert codes(parse(written(NO_VIEW, **changes))) == [("schema", *changes)]


def test_who_abstains_has_a_cause() -> None:
    assert codes(parse(written(NO_VIEW, cause=None))) == [("schema", "cause")]


def test_a_thesis_has_at_most_six_hundred_characters() -> None:
    long = "RSI is {f4}." + "x" * (LONGEST - 12)

    assert codes(parse(written(HOLD, thesis=long))) == []
    assert codes(parse(written(HOLD, thesis=long + "x"))) == [("answer_too_long", "thesis")]


@pytest.mark.parametrize(
    "odd", ["\x00", "\x1b[2J", "\u200b", "\u202e", "\ud800", "\u0422", "\U0001f680", "\ue000", "e\u0336"]
)
def test_hidden_and_foreign_characters_are_refused(odd: str) -> None:
    assert codes(parse(written(HOLD, thesis=f"RSI {odd} is {{f4}}."))) == [("unreadable", "thesis")]


def test_a_fault_carries_the_offending_value() -> None:
    parsed = parse(written(BUY, conviction=7))

    assert parsed == (Fault(Code.SCHEMA, "conviction", "conviction 7 is not between 0 and 1"),)
    assert said("RSI is {f9}.", "f9") == (
        Fault(Code.UNKNOWN_FACT, "thesis", "f9 is not on the sheet; cite f1 to f8"),
        Fault(Code.UNKNOWN_FACT, "cited", "f9 is not on the sheet; cite f1 to f8"),
    )
    assert said("Near 42 with {f4}.", "f4") == (
        Fault(Code.FIGURE_IN_THESIS, "thesis", "the thesis writes 42; name a fact, such as {f1}"),
    )


@pytest.mark.parametrize(
    "words",
    [
        *(
            "42",
            "4.2",
            "½",
            "٤",
            "\uff14",
            "Ⅻ",
            "XII",
            "八",
            "➑",
            "²",
            "forty-two",
            "a dozen",
            "two hundred",
            "twice",
            "half",
        ),
        *("doubled", "ten-fold", "five per cent", "two dollars", "two-thirds", "nine in ten", "zero point five", "5%"),
        *("%", "bps", "the eighties", "three ATRs", "at five.", "third straight", "a quarter of", "double-digit"),
        *("2012-09-28", "28 September 2012", "2013-03-011", "1 April", "March 2012", "RSI 14.", "RSI of 14", "14 days"),
        *("200-day", "20-day", "252", "1{f4}", "{f4}0", "{f4}%", "{f4}{f1}", "{f4}x", "x{f4}", "-{f4}", "{f4} million"),
        *("€{f4}", "is minus {f4}", "negative {f4}", "{f4}.{f1}", "next 14 sessions", "14-days", "114-day", "1.14-day"),
    ],
)
def test_a_figure_of_its_own_is_found(words: str) -> None:
    found = said(f"RSI is {{f4}} or {words}", "f4", *(["f1"] if "{f1}" in words else []))

    assert {fault.code for fault in found} == {Code.FIGURE_IN_THESIS}, words


@pytest.mark.parametrize(
    "words",
    [
        *("2013-03-01", "1 March 2013", "March 1, 2013", "1st of March", "Mar 1", "March 2013", "01 March 2013"),
        *("RSI(14) of", "14-day", "14 day", "fourteen-day", "rsi_14", "RSI-14 is", "RSI 14 is", "14-period", "RSI14"),
        *("first", "one of them", "second", "two averages", "upper half", "double bottom", "zero line", "one-year"),
        *("last 14 sessions", "14\u2011day", "S&P", "P/E", "percentage", "tenacious", "attend", "weight", "manifold"),
    ],
)
def test_names_dates_and_turns_of_phrase_are_no_figures(words: str) -> None:
    assert said(f"RSI is {{f4}}, {words} this.", "f4") == (), words


@pytest.mark.parametrize(
    "words", ["{}", "{f}", "{f0}", "{f01}", "{F1}", "{ f1 }", "{close}", "{{f4}}", "{f4", "f4}", "\uff5bf1\uff5d"]
)
def test_braces_that_are_no_placeholder_are_found(words: str) -> None:
    assert Code.MALFORMED_PLACEHOLDER in {fault.code for fault in said(f"RSI is {{f4}}, {words} ", "f4")}


@pytest.mark.parametrize(
    "words",
    [
        "RSI at {f5}",
        "ADX of {f4}",
        "the 200-day average of {f2}",
        "50-day ({f2}) and 200-day average ({f2})",
        "close: {f3}",
    ],
)
def test_the_name_of_another_fact_before_a_value_is_found(words: str) -> None:
    cited = tuple(name for name in ("f2", "f3", "f4", "f5") if name in words)

    assert Code.MISNAMED_FACT in {fault.code for fault in said(words, *cited)}


def test_the_names_of_the_facts_before_their_values_stand() -> None:
    thesis = (
        "RSI is at {f4}, ADX at {f5}; close {f1}, 200-day average {f3}, 50-day SMA ({f2}), SMA(200) of {f3}, ATR {f6}, "
        "252-day volatility of {f7}, return of {f8}."
    )

    assert said(thesis, "f4", "f5", "f1", "f3", "f2", "f6", "f7", "f8") == ()


def test_what_is_cited_is_what_the_thesis_names() -> None:
    assert codes(said("RSI is {f4}.", "f4", "f5")) == [("cited_differs", "cited")]
    assert codes(said("RSI is {f4}.")) == [("cited_differs", "cited")]
    assert codes(said("RSI is {f4}.", "f4", "f4")) == [("cited_differs", "cited")]
    assert codes(said("All is well.")) == [("nothing_cited", "thesis")]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"target": Decimal(100)}, [("wrong_side", "target")]),
        ({"stop": Decimal(101)}, [("wrong_side", "stop")]),
        ({"target": Decimal("118.92")}, [("outside_band", "target")]),
        ({"stop": Decimal("84.08")}, [("outside_band", "stop")]),
        ({"stop": Decimal("99.01")}, [("stop_too_near", "stop")]),
        ({"target": None}, [("price_missing", "target")]),
        ({"stop": None}, [("price_missing", "stop")]),
        ({"horizon_days": 20}, [("horizon", "horizon_days")]),
        ({"action": Action.SELL, "target": None, "stop": None}, [("price_missing", "target")]),
        ({"action": Action.SELL}, [("wrong_side", "target"), ("wrong_side", "stop")]),
        ({"action": Action.HOLD, "target": None}, [("price_missing", "target")]),
        ({"action": Action.HOLD, "stop": None}, [("price_missing", "stop")]),
        ({"action": Action.HOLD}, []),
        ({"target": Decimal("118.91"), "stop": Decimal("84.10")}, []),
    ],
)
def test_prices_stand_on_their_sides_and_in_the_band(
    changes: dict[str, object], expected: list[tuple[str, str]]
) -> None:
    assert checked(replace(BUY, **changes)) == expected  # type: ignore[arg-type]


def test_without_a_band_no_price_is_wanted_and_without_an_atr_no_stop() -> None:
    bare, no_atr = sheet({"close": 100.0, "atr_14": 2.0}), sheet({"close": 100.0, "volatility_63": 0.2})

    assert codes(faults(BUY, bare, ALLOWED, LISTED)) == [("price_unwanted", "target"), ("price_unwanted", "stop")]
    assert faults(replace(BUY, target=None, stop=None), bare, ALLOWED, LISTED) == ()
    assert codes(faults(BUY, no_atr, ALLOWED, LISTED)) == [("price_unwanted", "stop")]
    assert faults(replace(BUY, stop=None), no_atr, ALLOWED, LISTED) == ()


@pytest.mark.parametrize(
    "words",
    [
        *("TSLA", "$TSLA", "$tsla", "$XYZQ", "(NASDAQ: XYZ)", "nyse:xyz", "TSLA's", "TSLAs", "ACME/TSLA", "#TSLA", "F"),
        *("BRK.B", "BRK/B", "Mastercard (MAST)", "Allstate (ALL)", "SAP.DE", "ticker XYZ", "shares of XYZ", "(TSLA)"),
        *("Ford (F)", "\uff34\uff33\uff2c\uff21", "TSLA-ACME", "$A", "stock of RDS.A"),
    ],
)
def test_a_foreign_symbol_is_found_and_cannot_be_repaired(words: str) -> None:
    for found in (
        said(f"RSI is {{f4}}, {words} ", "f4"),
        faults(replace(NO_VIEW, cause=words), FACTS, ALLOWED, LISTED),
    ):
        assert [fault.repairable for fault in found if fault.code is Code.FOREIGN_SYMBOL] == [False], words


@pytest.mark.parametrize(
    "words",
    [
        *(
            "ACME",
            "$ACME",
            "Acme (NASDAQ: ACME)",
            "SPY",
            "A buy",
            "ALL signals",
            "the RSI",
            "MA crossover",
            "AT&T",
            "I see",
        ),
        *(
            "S&P",
            "U.S.",
            "class A shares",
            "Relative Strength Index (RSI)",
            "T-bills",
            "shares of the company",
            "${f4}",
        ),
        *("Moving Average (MA)", "ACME's", "AND/OR", "USD", "IT stocks"),
    ],
)
def test_own_symbols_terms_and_words_are_not_foreign(words: str) -> None:
    assert Code.FOREIGN_SYMBOL not in {fault.code for fault in said(f"RSI is {{f4}}, {words} ", "f4")}


def test_a_cause_may_name_facts_and_count_sessions_but_states_no_figures() -> None:
    young = next(case for case in load() if case.sheet.symbol == "FB" and len(case.sheet.facts) > 10).sheet

    def why(cause: str) -> list[tuple[str, str]]:
        return codes(faults(replace(NO_VIEW, cause=cause), young, ALLOWED, LISTED))

    assert why("sma_200 needs 200 sessions and has 196, and the 252-day volatility is missing.") == []
    assert why("It fell 38 points.") == [("figure_in_cause", "cause")]
    assert set(why("It fell 196%.")) == {("figure_in_cause", "cause")}
    assert why("RSI of {f4}.") == [("malformed_placeholder", "cause")]


def test_a_repair_changes_nothing_but_what_failed() -> None:
    second = replace(BUY, target=Decimal(104), conviction=Decimal("0.9"))

    assert changed(BUY, second, frozenset({"target", "conviction"})) == ()
    assert changed(BUY, second, frozenset({"target"})) == (
        Fault(Code.CHANGED_FIELD, "conviction", "conviction became 0.9, it was 0.6 and not failing"),
    )
    assert not changed(BUY, second, frozenset({"target"}))[0].repairable
    assert changed(BUY, replace(BUY, conviction=Decimal("0.60")), frozenset()) == ()


def test_of_an_answer_that_was_not_read_the_fields_that_can_be_are_compared() -> None:
    first = written(BUY, horizon_days="a month", extra=1)

    assert changed(first, BUY, frozenset({"horizon_days"})) == ()
    assert codes(changed(first, replace(BUY, target=Decimal(104)), frozenset({"horizon_days"}))) == [
        ("changed_field", "target")
    ]
    assert changed("prose", BUY, frozenset()) == ()
    assert changed("[]", BUY, frozenset()) == ()


def test_what_may_change_follows_from_what_failed() -> None:
    def may(*fields: str) -> frozenset[str]:
        return failing(tuple(Fault(Code.SCHEMA, field, "") for field in fields))

    assert may("target") == {"target"}
    assert may("thesis", "stop") == {"thesis", "cited", "stop"}
    assert may("answer") == may("action") == set(FIELDS)


def test_an_accepted_answer_is_decided_as_it_is() -> None:
    assert decide(FACTS, BUY, Decimal("0.02")) == Decision(
        symbol=ACME,
        as_of=LAST,
        analyst="claude",
        action=Action.BUY,
        conviction=0.6,
        horizon_days=21,
        target=Decimal(105),
        stop=Decimal(97),
        thesis="The close of {f1} is up.",
        cited=("f1",),
        cause=None,
        cost_usd=Decimal("0.02"),
    )


def test_who_does_not_answer_rightly_abstains_with_the_gravest_cause() -> None:
    found = said("TSLA at 42, {f4}.", "f4")

    assert decide(FACTS, found[::-1], Decimal(0)) == abstain(
        FACTS, "foreign_symbol", "the thesis is about TSLA, which was not asked and is not held", Decimal(0)
    )
    assert decide(FACTS, NO_VIEW, Decimal(0)).cause == "abstained: The facts contradict each other."
    assert decide(FACTS, found[::-1], Decimal(0)).action is Action.ABSTAIN


@given(st.text())
def test_any_text_is_an_answer_or_has_a_fault(text: str) -> None:
    assert parse(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text() | st.sampled_from([*Action, "f1", 21, 0.5]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(st.dictionaries(st.sampled_from([*FIELDS, "more"]), JSON))
def test_any_json_is_an_answer_or_has_a_fault_and_so_has_its_beginning(fields: dict[str, object]) -> None:
    parsed = parse(json.dumps(fields))

    assert parsed
    if isinstance(parsed, Answer):
        faults(parsed, FACTS, ALLOWED, LISTED)
    partial({name: json.dumps(value) for name, value in fields.items()}, FACTS, ALLOWED, LISTED)


PRICES = st.none() | st.decimals(80, 125, places=2)
THESES = st.lists(
    st.sampled_from(["{f1}", "{f4}", "{f8}", "RSI at", "the 200-day average", "{f3}", "50", "TSLA", "up", "{f99}"]),
    min_size=1,
    max_size=5,
).map(" ".join)
ANSWERS = st.builds(
    Answer,
    action=st.sampled_from(Action),
    conviction=st.none() | st.decimals(0, 1, places=2),
    horizon_days=st.none() | st.sampled_from([5, 20, 21, 63, 126]),
    target=PRICES,
    stop=PRICES,
    thesis=st.none() | THESES,
    cited=st.lists(st.sampled_from(["f1", "f3", "f4", "f8"]), max_size=3).map(tuple),
    cause=st.none() | st.just("The facts contradict each other."),
)


@given(ANSWERS, st.sets(st.sampled_from(FIELDS)))
def test_a_beginning_is_judged_no_harder_than_the_whole(answer: Answer, complete: set[str]) -> None:
    values = {name: text for name, text in _texts(written(answer)).items() if name in complete}
    parsed = parse(written(answer))
    whole = parsed if isinstance(parsed, tuple) else faults(parsed, FACTS, ALLOWED, LISTED)

    found = partial(values, FACTS, ALLOWED, LISTED)

    assert set(codes(found)) <= set(codes(whole)) | set(checked(answer))
    if len(complete) == len(FIELDS):
        assert bool(found) == bool(whole)


@given(st.sampled_from([case for case in load() if case.verdict == "good"]), st.permutations(FIELDS), st.integers(0, 8))
def test_no_beginning_of_a_good_answer_is_cut_off(case: Case, order: list[str], count: int) -> None:
    texts = _texts(case.answer)

    values = {name: texts[name] for name in order[:count]}

    assert partial(values, case.sheet, case.allowed, case.listed) == ()


def test_a_beginning_is_cut_off_as_soon_as_it_is_hopeless() -> None:
    def seen(**values: str) -> list[tuple[str, str]]:
        return codes(partial(values, FACTS, ALLOWED, LISTED))

    assert seen(action='"BUY"') == []
    assert seen(action='"BUY"', target="90") == []
    assert seen(action='"BUY"', target="90", horizon_days="21") == [("wrong_side", "target")]
    assert seen(thesis='"TSLA beats {f4}"') == [("foreign_symbol", "thesis")]
    assert seen(thesis='"At 42, {f4}"') == [("figure_in_thesis", "thesis")]
    assert seen(cited='["f9"]') == [("unknown_fact", "cited")]
    assert seen(horizon_days="20") == [("horizon", "horizon_days")]
    assert seen(action='"HOLD"', target="null", stop="90") == [("price_missing", "target")]
    assert seen(conviction="NaN") == [("schema", "conviction")]
    assert seen(action='"ABSTAIN"', thesis='"RSI is {f4}"') == [("schema", "thesis")]
    assert seen(quantity="5") == [("schema", "quantity")]


@given(ANSWERS)
def test_an_accepted_answer_can_be_filled_in(answer: Answer) -> None:
    if not faults(answer, FACTS, ALLOWED, LISTED):
        decision = decide(FACTS, answer, Decimal(0))
        assert "{" not in fill(decision.thesis or "", FACTS)
        assert set(decision.cited) == set(answer.cited)


@pytest.mark.parametrize("case", [case for case in load() if case.verdict == "good"], ids=lambda case: case.name)
def test_each_good_answer_can_be_filled_in(case: Case) -> None:
    answer = parse(case.answer)

    assert isinstance(answer, Answer)
    assert "{" not in fill(decide(case.sheet, answer, Decimal(0)).thesis or "", case.sheet)


@given(
    st.fixed_dictionaries(
        {
            "close": st.floats(0.01, 1e6),
            "sma_50": st.floats(0.01, 1e6),
            "sma_200": st.floats(0.01, 1e6),
            "rsi_14": st.floats(0, 100),
            "macd_histogram": st.floats(-100, 100),
            "adx_14": st.floats(0, 100),
            "atr_14": st.floats(0, 1e5),
            "volatility_252": st.floats(0, 10),
        }
    )
)
def test_what_the_rules_recommend_passes_but_for_prices_that_no_tick_allows(facts: dict[str, float]) -> None:
    known = sheet(facts)
    view = recommend(known)
    conviction = None if view.conviction is None else Decimal(repr(view.conviction))
    answer = Answer(
        view.action, conviction, view.horizon_days, view.target, view.stop, view.thesis, view.cited, view.cause
    )

    found = faults(answer, known, ALLOWED, LISTED)

    assert {fault.code for fault in found} <= {Code.PRICE_MISSING}
    assert not (view.target and view.stop and found)


@given(
    st.sampled_from([Action.BUY, Action.SELL, Action.HOLD]),
    st.sampled_from([5, 21, 63, 126]),
    PRICES,
    PRICES,
)
def test_prices_are_at_fault_where_the_band_says_so(
    action: Action, horizon_days: int, target: Decimal | None, stop: Decimal | None
) -> None:
    answer = replace(HOLD, action=action, horizon_days=horizon_days, target=target, stop=stop)
    breached = {breach.field for breach in breaches(band(FACTS, horizon_days), action, target, stop)}

    found = faults(answer, FACTS, ALLOWED, LISTED)

    assert {fault.field for fault in found if fault.code is not Code.PRICE_MISSING} | {
        fault.field for fault in found if action is Action.HOLD
    } == breached
    assert Code.PRICE_UNWANTED not in {fault.code for fault in found}


def _texts(answer: str) -> dict[str, str]:
    """Each field as it is written, as the gateway tells it."""
    return {name: json.dumps(value) for name, value in json.loads(answer).items()}
