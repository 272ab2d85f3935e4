"""The rules of the grounding, each with the fields that decide it: of statements, of judgements, of identity."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from actors.domain.answers import Code, Draft, Fault, excerpt
from actors.domain.band import band, breaches
from actors.domain.identity import foreign
from actors.domain.statements import figures, malformed, misnamed
from actors.domain.thesis import placeholders
from messages.research import Action, Sheet

HORIZONS: Final = (5, 21, 63, 126)
"""Sessions that a view may be for."""


@dataclass(frozen=True, slots=True)
class Given:
    """What an answer is checked against; `allowed` are the symbols it may be about, `listed` all that there are."""

    sheet: Sheet
    allowed: frozenset[str]
    listed: frozenset[str]


def ungrounded(draft: Draft, given: Given) -> tuple[Fault, ...]:
    """What the complete fields break, each rule once; a rule that needs a field more is silent."""
    return tuple(fault for needed, check in _CHECKS if needed <= draft.known for fault in check(draft, given))


def _thesis(draft: Draft, given: Given) -> list[Fault]:
    """Judged by itself: what may be cited are the facts that it names."""
    if (thesis := draft.thesis) is None:
        return []
    facts = {fact.id: fact for fact in given.sheet.facts}
    named = placeholders(thesis)
    cited = [facts[name] for name in named if name in facts]
    found = [
        Fault(Code.FOREIGN_SYMBOL, "thesis", f"the thesis is about {symbol}, which was not asked and is not held")
        for symbol in foreign(thesis, given.allowed, given.listed)
    ]
    found += [
        Fault(Code.MALFORMED_PLACEHOLDER, "thesis", f"{excerpt(odd)} is no placeholder; write {{f1}}")
        for odd in malformed(thesis)
    ]
    found += [_unknown("thesis", name, given.sheet) for name in named if name not in facts]
    dates = {given.sheet.as_of, *(fact.as_of for fact in cited)}
    found += [
        Fault(Code.FIGURE_IN_THESIS, "thesis", f"the thesis writes {excerpt(figure)}; name a fact, such as {{f1}}")
        for figure in figures(thesis, (fact.name for fact in cited), dates)
    ]
    found += [
        Fault(Code.MISNAMED_FACT, "thesis", f"in the thesis {excerpt(words)}") for words in misnamed(thesis, facts)
    ]
    if not named:
        found.append(Fault(Code.NOTHING_CITED, "thesis", f"the thesis names no fact: {excerpt(thesis)}"))
    return found


def _cause(draft: Draft, given: Given) -> list[Fault]:
    """A cause is shown as it is: it may name every fact, known or missing, and count the sessions that are missed."""
    if (cause := draft.cause) is None:
        return []
    found = [
        Fault(Code.FOREIGN_SYMBOL, "cause", f"the cause is about {symbol}, which was not asked and is not held")
        for symbol in foreign(cause, given.allowed, given.listed)
    ]
    found += [
        Fault(Code.MALFORMED_PLACEHOLDER, "cause", f"{excerpt(odd)} in the cause; name the fact without its value")
        for odd in (*malformed(cause), *placeholders(cause))
    ]
    missing = given.sheet.missing
    names = [fact.name for fact in given.sheet.facts] + [lacking.name for lacking in missing]
    dates = {given.sheet.as_of, *(fact.as_of for fact in given.sheet.facts)}
    counts = [count for lacking in missing for count in (lacking.needs, lacking.has)]
    found += [
        Fault(Code.FIGURE_IN_CAUSE, "cause", f"the cause writes {excerpt(figure)}; name the fact without its value")
        for figure in figures(cause, names, dates, counts)
    ]
    return found


def _known(draft: Draft, given: Given) -> list[Fault]:
    ids = {fact.id for fact in given.sheet.facts}
    found = [_unknown("cited", name, given.sheet) for name in draft.cited if name not in ids]
    found += [
        Fault(Code.CITED_DIFFERS, "cited", f"{excerpt(name)} is cited twice")
        for name in dict.fromkeys(draft.cited)
        if draft.cited.count(name) > 1
    ]
    return found


def _agreeing(draft: Draft, given: Given) -> list[Fault]:
    used = placeholders(draft.thesis or "")
    found = [f"{name} is in the thesis and not cited" for name in used if name not in draft.cited]
    found += [f"{excerpt(name)} is cited and not in the thesis" for name in draft.cited if name not in used]
    return [Fault(Code.CITED_DIFFERS, "cited", sentence) for sentence in found]


def _horizon(draft: Draft, given: Given) -> list[Fault]:
    if draft.horizon_days is None or draft.horizon_days in HORIZONS:
        return []
    allowed = ", ".join(map(str, HORIZONS))
    return [Fault(Code.HORIZON, "horizon_days", f"horizon_days {draft.horizon_days} is not one of {allowed}")]


def _target(draft: Draft, given: Given) -> list[Fault]:
    return _prices(draft, given, draft.target, None)


def _stop(draft: Draft, given: Given) -> list[Fault]:
    return _prices(draft, given, None, draft.stop)


def _prices(draft: Draft, given: Given, target: Decimal | None, stop: Decimal | None) -> list[Fault]:
    """Each price by itself; a breach of both is for `_missing` to find."""
    if draft.action in (None, Action.ABSTAIN) or draft.horizon_days not in HORIZONS:
        return []
    price = "target" if stop is None else "stop"
    found = breaches(band(given.sheet, draft.horizon_days), draft.action, target, stop)
    return [
        Fault(_code(breach.sentence), price, breach.sentence)
        for breach in found
        if breach.field == price and "HOLD has" not in breach.sentence
    ]


def _missing(draft: Draft, given: Given) -> list[Fault]:
    """BUY needs target and stop, SELL a target, HOLD both or neither; a stop only where there is an ATR to check it."""
    limits = band(given.sheet, HORIZONS[0])
    if limits is None or draft.action in (None, Action.ABSTAIN):
        return []
    lacking = list[str]()
    if draft.target is None and (draft.action is not Action.HOLD or draft.stop is not None):
        lacking.append("target")
    if draft.stop is None and (
        (draft.action is Action.BUY and limits.half_atr is not None)
        or (draft.action is Action.HOLD and draft.target is not None)
    ):
        lacking.append("stop")
    return [Fault(Code.PRICE_MISSING, name, f"{name} null is not enough: {_WANTED[draft.action]}") for name in lacking]


def _code(sentence: str) -> Code:
    return next((code for words, code in _BREACHES.items() if words in sentence), Code.PRICE_UNWANTED)


def _unknown(field: str, name: str, sheet: Sheet) -> Fault:
    last = f"f1 to f{len(sheet.facts)}" if sheet.facts else "none, and abstain"
    return Fault(Code.UNKNOWN_FACT, field, f"{excerpt(name)} is not on the sheet; cite {last}")


_BREACHES: Final = {
    "must be above": Code.WRONG_SIDE,
    "must be below": Code.WRONG_SIDE,
    "is outside of": Code.OUTSIDE_BAND,
    "less than half an ATR": Code.STOP_TOO_NEAR,
}
"""What the band's sentences mean; the rest say that there may be no price."""
_WANTED: Final[Mapping[Action, str]] = {
    Action.BUY: "BUY has a stop below the close and a target above it",
    Action.SELL: "SELL has a target below the close",
    Action.HOLD: "HOLD has both a target and a stop, or neither",
}
_CHECKS: Final[tuple[tuple[frozenset[str], Callable[[Draft, Given], list[Fault]]], ...]] = (
    (frozenset({"thesis"}), _thesis),
    (frozenset({"cause"}), _cause),
    (frozenset({"cited"}), _known),
    (frozenset({"thesis", "cited"}), _agreeing),
    (frozenset({"horizon_days"}), _horizon),
    (frozenset({"action", "horizon_days", "target"}), _target),
    (frozenset({"action", "horizon_days", "stop"}), _stop),
    (frozenset({"action", "target", "stop"}), _missing),
)
"""Each check with the fields that decide it: it is made as soon as these are complete, and no sooner."""
