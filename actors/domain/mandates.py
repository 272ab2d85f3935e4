"""What a person has allowed to be ordered without asking: limits that expire and may only be narrowed.

A mandate comes from a person's command alone. Its hash stands beside each intent that was sent under it.
"""

import json
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final

from actors.domain.figures import money, plain
from actors.domain.orders import Code, Denied, Proposal, Quote, named, worth
from messages.broker import Side
from messages.errors import TroupeError
from messages.values import LARGEST, UNIT, Symbol

DAYS: Final = 30
"""For how long a mandate is given unless the person says otherwise."""
_VERSION: Final = 1


class BadMandate(TroupeError):
    """A mandate that cannot be taken: unreadable, wrong in itself, or wider than the one it is to take the place of."""


@dataclass(frozen=True, slots=True)
class Mandate:
    """Up to what an order needs no person's yes. `symbols` is None for all; `expires_at` is UTC in microseconds.

    `max_order_value` is in the desk's currency, and 0 allows nothing; `max_orders_a_day` counts what is sent under it.
    """

    max_order_value: Decimal
    max_orders_a_day: int
    symbols: frozenset[Symbol] | None
    sides: frozenset[Side]
    min_conviction: float
    expires_at: int

    def __post_init__(self) -> None:
        value, symbols = self.max_order_value, self.symbols
        if not (value.is_finite() and 0 <= value < LARGEST * UNIT):
            raise BadMandate(f"mandate: max_order_value is {value:.12g}; write an amount from 0 to 9.2e9")
        if self.max_orders_a_day < 0:
            raise BadMandate(f"mandate: max_orders_a_day is {self.max_orders_a_day}; write a number from 0 on")
        if not 0 <= self.min_conviction <= 1:
            raise BadMandate(f"mandate: min_conviction is {self.min_conviction}; write a number between 0 and 1")
        if not self.sides or (symbols is not None and not symbols):
            raise BadMandate("mandate: without a side or a symbol it allows nothing; name one of each, or give none")


def text(mandate: Mandate) -> str:
    """The mandate as it is kept: JSON of one form only, so that equal mandates have equal texts."""
    limits = {
        "version": _VERSION,
        "max_order_value": plain(mandate.max_order_value),
        "max_orders_a_day": mandate.max_orders_a_day,
        "symbols": None if mandate.symbols is None else sorted(mandate.symbols),
        "sides": sorted(mandate.sides),
        "min_conviction": float(mandate.min_conviction),
        "expires_at": mandate.expires_at,
    }
    return json.dumps(limits, sort_keys=True, separators=(",", ":"))


def digest(mandate: Mandate) -> str:
    """The SHA-256 of its text, 64 hexadecimal digits."""
    return sha256(text(mandate).encode()).hexdigest()


@lru_cache(maxsize=4)
def read(kept: str, hashed: str) -> Mandate:
    """The mandate that was kept as this text under this hash. Raises BadMandate unless it is, to the last letter."""
    if sha256(kept.encode()).hexdigest() != hashed:
        raise BadMandate(f"mandate {hashed[:12]}: the text that is kept has another hash; give a new one")
    try:
        found: Any = json.loads(kept)
        symbols = found["symbols"]
        mandate = Mandate(
            Decimal(found["max_order_value"]),
            int(found["max_orders_a_day"]),
            None if symbols is None else frozenset(map(Symbol, symbols)),
            frozenset(map(Side, found["sides"])),
            float(found["min_conviction"]),
            int(found["expires_at"]),
        )
        same = text(mandate) == kept
    except (ValueError, TypeError, KeyError, InvalidOperation, RecursionError) as error:
        raise BadMandate(f"mandate {hashed[:12]}: cannot be read ({error!r}); give a new one") from error
    if not same:
        raise BadMandate(f"mandate {hashed[:12]}: is not written as this release writes it; give a new one")
    return mandate


def allows(mandate: Mandate | None, order: Proposal, quote: Quote, sent: int, now: int) -> Denied | None:
    """None where this checked order may be sent without a person's yes; else what it needs one for.

    `mandate` is None where there is none, or none that can be read. `sent` counts what was sent under it in the
    market's day; `now` is UTC in microseconds.
    """
    if mandate is None:
        why = "there is no mandate that can be read; approve it, or give one"
    elif now >= mandate.expires_at:
        why = "the mandate has expired; approve it, or give a new one"
    elif order.side not in mandate.sides:
        why = f"the mandate is for {', '.join(sorted(mandate.sides))} alone; approve it"
    elif mandate.symbols is not None and order.symbol not in mandate.symbols:
        why = f"the mandate is for {', '.join(sorted(mandate.symbols))} alone; approve it"
    elif order.conviction is None or not mandate.min_conviction <= order.conviction <= 1:
        why = f"its conviction is {order.conviction}, the mandate's least is {mandate.min_conviction:.6g}; approve it"
    elif sent >= mandate.max_orders_a_day:
        why = f"{sent} were sent today under the mandate, which allows {mandate.max_orders_a_day}; approve it"
    elif not (value := worth(order, quote)) <= mandate.max_order_value:
        why = f"it is worth {money(value)}, the mandate allows {money(mandate.max_order_value)}; approve it"
    else:
        return None
    return Denied(Code.MANDATE, f"{named(order)}: {why}")


def narrowed(old: Mandate, new: Mandate) -> Mandate:
    """The new one, which takes the place of the old. Raises BadMandate, naming all, where any limit is wider."""
    wider = [
        name
        for name, is_wider in (
            ("max_order_value", new.max_order_value > old.max_order_value),
            ("max_orders_a_day", new.max_orders_a_day > old.max_orders_a_day),
            ("symbols", old.symbols is not None and (new.symbols is None or not new.symbols <= old.symbols)),
            ("sides", not new.sides <= old.sides),
            ("min_conviction", new.min_conviction < old.min_conviction),
            ("expires_at", new.expires_at > old.expires_at),
        )
        if is_wider
    ]
    if wider:
        raise BadMandate(f"mandate: {', '.join(wider)} would be wider; narrow it, or end it and give a new one")
    return new
