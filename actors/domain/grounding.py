"""Whether an answer of Claude's may become a recommendation: the same checks for a whole answer and for its beginning.

(a) Statements: the thesis has no figures of its own, and cites what it names. (b) Judgements: horizon, target and
stop stand in the band. (c) Identity: no listed symbol but the ones allowed. Known limit: wrong words about right
figures pass, except for a fact's name directly before another fact's value.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from actors.domain.answers import FIELDS, Answer, Code, Draft, Fault, excerpt, load, misshapen, parse, read
from actors.domain.checks import HORIZONS, Given, ungrounded
from actors.domain.thesis import placeholders
from messages.research import Action, Decision, Sheet

__all__ = [
    "ABSTAINED",
    "HORIZONS",
    "Answer",
    "Code",
    "Fault",
    "abstain",
    "changed",
    "decide",
    "failing",
    "faults",
    "parse",
    "partial",
]

ABSTAINED: Final = "abstained"
"""The code of a cause that Claude gave itself."""


def faults(answer: Answer, sheet: Sheet, allowed: frozenset[str], listed: frozenset[str]) -> tuple[Fault, ...]:
    """Everything that keeps this answer from being grounded; nothing where it may stand.

    `allowed` are the symbols it may be about: the one asked, those held and the benchmark.
    """
    draft = Draft(frozenset(FIELDS), *(getattr(answer, name) for name in FIELDS))
    return misshapen(draft) + ungrounded(draft, Given(sheet, allowed, listed))


def partial(
    values: Mapping[str, str], sheet: Sheet, allowed: frozenset[str], listed: frozenset[str]
) -> tuple[Fault, ...]:
    """The same, of the fields that are complete, each as JSON text: only what no further field can mend."""
    written, found = dict[str, object](), list[Fault]()
    for name, text in values.items():
        value = load(text)
        if isinstance(value, Fault):
            found.append(Fault(value.code, name, value.sentence))
        else:
            written[name] = value
    draft, unread = read(written)
    return (*found, *unread, *misshapen(draft), *ungrounded(draft, Given(sheet, allowed, listed)))


def failing(found: tuple[Fault, ...]) -> frozenset[str]:
    """The fields that a repair may change: those at fault, and what follows from them.

    What is cited follows from the thesis, all from an answer that could not be read or whose action is at fault.
    """
    fields = {fault.field for fault in found}
    if fields & {"answer", "action"}:
        return frozenset(FIELDS)
    return frozenset(fields | ({"cited"} if "thesis" in fields else set()))


def changed(first: Answer | str, second: Answer, failing: frozenset[str]) -> tuple[Fault, ...]:
    """The fields that a repair changed though they were not failing.

    `first` may be the text of an answer whose form was wrong: then the fields that can be read are compared.
    """
    if isinstance(first, str):
        value = load(first)
        if not isinstance(value, dict):
            return ()
        before, _ = read({str(name): field for name, field in value.items()})  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    else:
        before = Draft(frozenset(FIELDS), *(getattr(first, name) for name in FIELDS))
    return tuple(
        Fault(Code.CHANGED_FIELD, name, f"{name} became {excerpt(now)}, it was {excerpt(was)} and not failing")
        for name in FIELDS
        if name in before.known - failing and (was := getattr(before, name)) != (now := getattr(second, name))
    )


def decide(sheet: Sheet, outcome: Answer | tuple[Fault, ...], cost_usd: Decimal) -> Decision:
    """The decision that an accepted answer is, or ABSTAIN with the gravest fault as its cause."""
    if not isinstance(outcome, Answer):
        gravest = min(outcome, key=lambda fault: fault.repairable)
        return abstain(sheet, gravest.code, gravest.sentence, cost_usd)
    if outcome.action is Action.ABSTAIN:
        return abstain(sheet, ABSTAINED, outcome.cause or "no cause", cost_usd)
    return Decision(
        symbol=sheet.symbol,
        as_of=sheet.as_of,
        analyst="claude",
        action=outcome.action,
        conviction=None if outcome.conviction is None else float(outcome.conviction),
        horizon_days=outcome.horizon_days,
        target=outcome.target,
        stop=outcome.stop,
        thesis=outcome.thesis,
        cited=placeholders(outcome.thesis or ""),
        cause=None,
        cost_usd=cost_usd,
    )


def abstain(sheet: Sheet, code: str, sentence: str, cost_usd: Decimal) -> Decision:
    """No view, and why: the code of a fault, of a failed question or ABSTAINED, and a sentence."""
    return Decision(
        symbol=sheet.symbol,
        as_of=sheet.as_of,
        analyst="claude",
        action=Action.ABSTAIN,
        conviction=None,
        horizon_days=None,
        target=None,
        stop=None,
        thesis=None,
        cited=(),
        cause=f"{code}: {' '.join(sentence.split())}",
        cost_usd=cost_usd,
    )
