"""What Claude answers, read strictly: a closed set of fields, numbers exactly as they were written."""

import json
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Final, NoReturn, cast

from actors.domain.thesis import LONGEST
from messages.research import Action

FIELDS: Final = ("action", "conviction", "horizon_days", "target", "stop", "thesis", "cited", "cause")
"""Of an answer, in the order in which they are asked for; each must be there, and may be null."""
LARGEST: Final = 20_000
"""Characters of an answer; more is not read."""
MOST: Final = 100
"""Facts that may be cited."""
DEAREST: Final = Decimal(10**9)
"""No price is as high."""
FINEST: Final = -9
"""The exponent of the finest price that the database holds."""


class Code(StrEnum):
    """Why an answer cannot stand. A closed list."""

    SCHEMA = "schema"
    TOO_LONG = "answer_too_long"
    UNREADABLE = "unreadable"
    MALFORMED_PLACEHOLDER = "malformed_placeholder"
    UNKNOWN_FACT = "unknown_fact"
    NOTHING_CITED = "nothing_cited"
    CITED_DIFFERS = "cited_differs"
    FIGURE_IN_THESIS = "figure_in_thesis"
    FIGURE_IN_CAUSE = "figure_in_cause"
    MISNAMED_FACT = "misnamed_fact"
    HORIZON = "horizon"
    PRICE_MISSING = "price_missing"
    PRICE_UNWANTED = "price_unwanted"
    WRONG_SIDE = "wrong_side"
    OUTSIDE_BAND = "outside_band"
    STOP_TOO_NEAR = "stop_too_near"
    FOREIGN_SYMBOL = "foreign_symbol"
    CHANGED_FIELD = "changed_field"


@dataclass(frozen=True, slots=True)
class Fault:
    """A field that cannot stand (`answer`: the whole), and a sentence that carries the offending value."""

    code: Code
    field: str
    sentence: str

    @property
    def repairable(self) -> bool:
        """Whether asking once more is allowed: not about a foreign symbol, nor after a repair."""
        return self.code not in (Code.FOREIGN_SYMBOL, Code.CHANGED_FIELD)


@dataclass(frozen=True, slots=True)
class Answer:
    """Of the right form; whether it is grounded is for `grounding.faults` to say."""

    action: Action
    conviction: Decimal | None
    horizon_days: int | None
    target: Decimal | None
    stop: Decimal | None
    thesis: str | None
    cited: tuple[str, ...]
    cause: str | None


@dataclass(frozen=True, slots=True)
class Draft:
    """As much of an answer as is there: only the fields that are `known` mean anything."""

    known: frozenset[str]
    action: Action | None = None
    conviction: Decimal | None = None
    horizon_days: int | None = None
    target: Decimal | None = None
    stop: Decimal | None = None
    thesis: str | None = None
    cited: tuple[str, ...] = ()
    cause: str | None = None


def parse(value: str) -> Answer | tuple[Fault, ...]:
    """The answer, or everything that is wrong with its form. Raises nothing."""
    written = load(value)
    if isinstance(written, Fault):
        return (written,)
    if not isinstance(written, dict):
        return (Fault(Code.SCHEMA, "answer", f"the answer must be an object, not {excerpt(value)}"),)
    draft, found = read(cast("dict[str, object]", written))
    found += tuple(
        Fault(Code.SCHEMA, name, f"{name} is not there; write null for none") for name in FIELDS if name not in written
    )
    found += misshapen(draft)
    if found or draft.action is None:
        return found
    return Answer(
        draft.action,
        draft.conviction,
        draft.horizon_days,
        draft.target,
        draft.stop,
        draft.thesis,
        draft.cited,
        draft.cause,
    )


def read(written: Mapping[str, object]) -> tuple[Draft, tuple[Fault, ...]]:
    """The fields that can be read, and what is wrong with the others."""
    values, found = dict[str, object](), list[Fault]()
    for name, value in written.items():
        reader = _READERS.get(name)
        if reader is None:
            found.append(Fault(Code.SCHEMA, excerpt(name), f"there is no field {excerpt(name)}"))
            continue
        try:
            values[name] = reader(name, value)
        except _Wrong as wrong:
            found.append(Fault(wrong.code, name, wrong.sentence))
    return Draft(frozenset(values), **values), tuple(found)  # type: ignore[arg-type] # each reader gives its own kind


def misshapen(draft: Draft) -> tuple[Fault, ...]:
    """What the action does not allow among the fields that are known: ABSTAIN has a cause and nothing else."""
    if draft.action is None:
        return ()
    known, found = draft.known, list[Fault]()

    def require(name: str, value: object, *, given: bool) -> None:
        if name in known and (value not in (None, ())) is not given:
            wanted = "must not be null" if given else f"must be null, not {excerpt(value)},"
            found.append(Fault(Code.SCHEMA, name, f"{name} {wanted} with {draft.action}"))

    abstains = draft.action is Action.ABSTAIN
    require("conviction", draft.conviction, given=not abstains)
    require("horizon_days", draft.horizon_days, given=not abstains)
    require("thesis", draft.thesis, given=not abstains)
    require("cause", draft.cause, given=abstains)
    if abstains:
        require("target", draft.target, given=False)
        require("stop", draft.stop, given=False)
        require("cited", draft.cited, given=False)
    return tuple(found)


def load(text: str) -> object:
    """The JSON value with every number as a Decimal; a Fault where it is not JSON or cannot be taken at its word."""
    if len(text) > LARGEST:
        return Fault(Code.TOO_LONG, "answer", f"the answer has {len(text)} characters, at most {LARGEST} are read")
    try:
        value: object = json.loads(
            text, parse_float=_number, parse_int=_number, parse_constant=_constant, object_pairs_hook=_object
        )
    except (ValueError, RecursionError) as error:
        return Fault(Code.SCHEMA, "answer", f"the answer is not JSON: {excerpt(error)}, in {excerpt(text)}")
    return value


def excerpt(value: object) -> str:
    """At most 60 characters of a value, on one line, to be shown in a sentence."""
    text = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in " ".join(str(value).split()))
    return text if len(text) <= 60 else text[:59] + "…"


class _Wrong(Exception):
    def __init__(self, sentence: str, code: Code = Code.SCHEMA) -> None:
        self.code = code
        self.sentence = sentence


def _number(text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation as error:
        raise ValueError(f"{excerpt(text)} is no number") from error
    if len(text) > 30 or (number and not -13 < number.adjusted() < 13):
        raise ValueError(f"{excerpt(text)} is no number of a portfolio")
    return number


def _constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    if len(found := dict(pairs)) < len(pairs):
        raise ValueError("a field is there twice")
    return found


def _action(name: str, value: object) -> Action:
    if not isinstance(value, str) or value not in set(Action):
        raise _Wrong(f"{name} {excerpt(value)} is not one of BUY, SELL, HOLD, ABSTAIN")
    return Action(value)


def _decimal(name: str, value: object) -> Decimal | None:
    if value is None or isinstance(value, Decimal):
        return value
    raise _Wrong(f"{name} {excerpt(value)} is not a number")


def _conviction(name: str, value: object) -> Decimal | None:
    number = _decimal(name, value)
    if number is not None and not 0 <= number <= 1:
        raise _Wrong(f"{name} {number} is not between 0 and 1")
    return number


def _whole(name: str, value: object) -> int | None:
    number = _decimal(name, value)
    if number is None:
        return None
    if number != number.to_integral_value():
        raise _Wrong(f"{name} {number} is not a whole number")
    return int(number)


def _price(name: str, value: object) -> Decimal | None:
    number = _decimal(name, value)
    if number is None:
        return None
    exponent = number.normalize().as_tuple().exponent
    if not 0 < number < DEAREST or not isinstance(exponent, int) or exponent < FINEST:
        raise _Wrong(f"{name} {number} is not a price")
    return number


def _text(name: str, value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not value.strip():
        raise _Wrong(f"{name} {excerpt(value)} is not a text")
    if len(value) > LONGEST:
        raise _Wrong(f"{name} has {len(value)} characters, at most {LONGEST} are allowed", Code.TOO_LONG)
    if odd := [c for c in unicodedata.normalize("NFKC", value) if not _readable(c)]:
        shown = ", ".join(f"U+{ord(c):04X}" for c in dict.fromkeys(odd))
        raise _Wrong(f"{name} has characters that are not plain English text: {excerpt(shown)}", Code.UNREADABLE)
    return value


def _readable(c: str) -> bool:
    """Latin letters, digits, punctuation, a few Greek letters of statistics: no control, hidden or foreign ones."""
    kind = unicodedata.category(c)
    if kind.startswith("L"):
        return unicodedata.name(c, "").startswith("LATIN") or c in "αβγδσμρ"
    return c == "\n" or kind[0] in "NP" or kind in ("Sm", "Sc", "Sk", "Zs")


def _cited(name: str, value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise _Wrong(f"{name} {excerpt(value)} is not a list of facts")
    items = cast("list[object]", value)
    if len(items) > MOST:
        raise _Wrong(f"{name} has {len(items)} items, at most {MOST} are read")
    if odd := [item for item in items if not isinstance(item, str)]:
        raise _Wrong(f"{name} has {excerpt(odd[0])}, which is not a text such as f7")
    return tuple(cast("list[str]", items))


_READERS: Final[Mapping[str, Callable[[str, object], object]]] = {
    "action": _action,
    "conviction": _conviction,
    "horizon_days": _whole,
    "target": _price,
    "stop": _price,
    "thesis": _text,
    "cited": _cited,
    "cause": _text,
}
