"""What Alpaca says, as values of ours: amounts from their text, never a float, and nothing taken on trust."""

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Any, Final

from messages.broker import Activity, Cause, ClientId, Execution, Seen, Shares, Side, Stage
from messages.errors import TroupeError
from messages.values import LARGEST, UNIT, Symbol

Raw = Mapping[str, Any]
"""A JSON object, its numbers with a point as Decimal."""

STAGES: Final = MappingProxyType(
    {
        **dict.fromkeys(
            ("new", "partially_filled", "done_for_day", "pending_cancel", "pending_replace"), Stage.WORKING
        ),
        **dict.fromkeys(("pending_review", "accepted", "pending_new", "accepted_for_bidding"), Stage.WORKING),
        **dict.fromkeys(("stopped", "suspended", "calculated", "held"), Stage.WORKING),
        "filled": Stage.FILLED,
        "canceled": Stage.CANCELLED,
        "replaced": Stage.CANCELLED,
        "expired": Stage.EXPIRED,
        "rejected": Stage.REJECTED,
    }
)
_SIDES: Final = {"buy": Side.BUY, "sell": Side.SELL, "sell_short": Side.SELL}
_DONE: Final = {"fill": Stage.FILLED, "partial_fill": Stage.WORKING}
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_NEW_YORK: Final = dt.timedelta(hours=-5)
"""All of its trading day, 4:00 to 20:00, is on one date so far from UTC, in summer too."""
_LEGS: Final = {"limit": "-tp", "stop": "-sl", "stop_limit": "-sl"}
CAUSES: Final = MappingProxyType(
    {
        **dict.fromkeys(("FEE", "PTC", "DIVFEE"), Cause.FEE),
        **dict.fromkeys(("DIV", "DIVCGL", "DIVCGS", "CGD", "DIVROC", "DIVTXEX", "CIL"), Cause.DIVIDEND),
        **dict.fromkeys(("DIVNRA", "DIVTW", "DIVFT", "DIVWH"), Cause.DIVIDEND),  # what is withheld of one
        **dict.fromkeys(("INT", "INTNRA", "INTTW"), Cause.INTEREST),
        **dict.fromkeys(("CSD", "CSW", "CSR", "JNLC", "ACATC"), Cause.TRANSFER),
        **dict.fromkeys(("SPLIT", "SSP"), Cause.SPLIT),
    }
)
"""What Alpaca's types of account activities mean here. Any other that moves something is not understood."""
_CHANGED: Final = re.compile(r"-r([1-9][0-9]{0,8})$")
_NOT_YET: Final = frozenset({"pending", "canceled", "rejected"})
_SHARES: Final = frozenset({"SDIV"})
"""Kinds of dividends that are paid in shares."""


class Rubbish(TroupeError):
    """What was said cannot be, or cannot be understood; the message says which part of it."""


@dataclass(frozen=True, slots=True)
class Placed:
    """An order there: by Alpaca's id, and by ours, which for the leg of a bracket is its parent's with an ending.

    An order whose prices were changed is another one there: this one, if `replaced_by` says so, is over, and the other
    goes by its name. `prices` are its limit and its stop.
    """

    id: str
    order: Seen
    quantity: Decimal | None
    submitted: int
    updated: int
    legs: tuple["Placed", ...]
    kind: str
    prices: tuple[Decimal | None, Decimal | None]
    replaced_by: str | None

    def all(self) -> tuple["Placed", ...]:
        """This one and its legs."""
        return (self, *self.legs)


def placed(raw: Raw, name: str | None = None) -> Placed:
    """An order and its legs, whose ids Alpaca makes: they are named here by their parent. Raises Rubbish."""
    client_id = ClientId(name or _text(raw, "client_order_id"))
    status = _text(raw, "status")
    if (stage := STAGES.get(status)) is None:
        raise Rubbish(f"order {client_id}: status '{_clip(status)}' is none that Alpaca documents")
    filled = amount(raw.get("filled_qty") or "0", f"order {client_id}: filled_qty", least=Decimal(0))
    quantity = raw.get("qty")
    if quantity is not None:
        quantity = amount(quantity, f"order {client_id}: qty", least=UNIT)
        if filled > quantity:
            raise Rubbish(f"order {client_id}: {filled} are said to be filled of {quantity}")
    legs = tuple(
        placed({**leg, "legs": None}, f"{client_id}{_LEGS[leg['type']]}" if leg.get("type") in _LEGS else None)
        for leg in raw.get("legs") or ()
    )
    prices = tuple(
        None if raw.get(field) is None else amount(raw[field], f"order {client_id}: {field}", least=UNIT)
        for field in ("limit_price", "stop_price")
    )
    replaced_by = _text(raw, "replaced_by") if status == "replaced" and raw.get("replaced_by") else None
    why = "" if stage in {Stage.WORKING, Stage.FILLED} else f"Alpaca says {status}"
    times = (moment(raw, "submitted_at"), moment(raw, "updated_at"))
    seen = Seen(client_id, stage, filled, why, change(str(raw.get("client_order_id"))))
    return Placed(
        _text(raw, "id"), seen, quantity, *times, legs, str(raw.get("type")), (prices[0], prices[1]), replaced_by
    )


def changed(client_id: ClientId, number: int) -> str:
    """What an order is called there from its so many-th change on. Alpaca takes it once."""
    return f"{client_id}-r{number}"


def change(called: str) -> int:
    """The number of the change in it; 0 where there is none."""
    found = _CHANGED.search(called)
    return int(found[1]) if found else 0


@dataclass(frozen=True, slots=True)
class Fill:
    """An activity FILL: the id of its order there, and how that order then stood."""

    id: str
    order_id: str
    symbol: Symbol
    side: Side
    quantity: Decimal
    price: Decimal
    at: int
    stage: Stage
    filled: Decimal

    def of(self, client_id: ClientId) -> Execution:
        """As an execution of this order. Fees are none: Alpaca takes those of the exchanges later, by themselves."""
        session = (_EPOCH + dt.timedelta(microseconds=self.at) + _NEW_YORK).date()
        told = (self.symbol, self.side, self.quantity, self.price, Decimal(0), session, self.at)
        return Execution(client_id, self.id, *told)


def fill(raw: Raw) -> Fill:
    """An account activity. Not read by alpaca-py's class: that knows no short sale. Raises Rubbish."""
    where = f"execution {_clip(str(raw.get('id')))}"
    if raw.get("activity_type") != "FILL" or (side := _SIDES.get(_text(raw, "side"))) is None:
        raise Rubbish(f"{where}: is not the execution of an order to buy or sell")
    # Newer replies say how the order stands, older ones only whether this was the last of it.
    done = _text(raw, "order_status" if raw.get("order_status") else "type")
    if (stage := _DONE.get(done) or STAGES.get(done)) is None:
        raise Rubbish(f"{where}: order_status '{_clip(done)}' is none that Alpaca documents")
    quantity, price = (amount(raw.get(field), f"{where}: {field}", least=UNIT) for field in ("qty", "price"))
    filled = amount(raw.get("cum_qty"), f"{where}: cum_qty", least=quantity)
    ids = _text(raw, "id"), _text(raw, "order_id"), Symbol(_text(raw, "symbol"))
    return Fill(*ids, side, quantity, price, moment(raw, "transaction_time"), stage, filled)


def activity(raw: Raw) -> Activity | None:
    """A non-trade activity; None where it is none, has moved nothing, or has not happened. Raises Rubbish.

    Not read by alpaca-py's class, whose amounts are floats.
    """
    name, id_ = _text(raw, "activity_type"), _text(raw, "id")
    where, status = f"activity {_clip(id_)}", str(raw.get("status") or "executed")
    if name == "FILL" or status in _NOT_YET:
        return None
    if status not in {"executed", "correct"}:
        raise Rubbish(f"{where}: status '{_clip(status)}' is none that Alpaca documents")
    cash, quantity = (amount(raw.get(field) or "0", f"{where}: {field}") for field in ("net_amount", "qty"))
    kind, symbol = str(raw.get("activity_sub_type") or ""), _text(raw, "symbol") if raw.get("symbol") else None
    cause = CAUSES.get(name, Cause.UNKNOWN)
    if kind in _SHARES or str(raw.get("currency") or "USD") != "USD":
        cause = Cause.UNKNOWN
    if cause is Cause.SPLIT and (cash or symbol is None):
        cause = Cause.UNKNOWN
    if cause not in {Cause.SPLIT, Cause.UNKNOWN}:
        quantity = Decimal(0)  # of a dividend it is how many shares it was paid for
    if not cash and not quantity:
        return None
    session = _day(raw, where)
    at = moment(raw, "created_at") if raw.get("created_at") else _end_of(session)
    called = _clip(f"{name} {kind}" if kind else name)
    return Activity(cause, id_, called, None if symbol is None else Symbol(symbol), cash, quantity, session, at)


def _day(raw: Raw, where: str) -> dt.date:
    text = _text(raw, "date")
    try:
        return dt.date.fromisoformat(text[:10])
    except ValueError:
        raise Rubbish(f"{where}: date: '{_clip(text)}' is not a day") from None


def _end_of(session: dt.date) -> int:
    """When its day is over in New York: what does not say when it was booked was so in the evening."""
    midnight = dt.datetime.combine(session, dt.time(), dt.UTC) - _NEW_YORK
    return (midnight - _EPOCH) // dt.timedelta(microseconds=1) + 86_400_000_000


def shares(raw: Raw) -> Shares:
    """A position; Alpaca writes a short one with a minus. Raises Rubbish."""
    symbol = _text(raw, "symbol")
    quantity = amount(raw.get("qty"), f"position {symbol}: qty")
    short = raw.get("side") == "short"
    if quantity < 0 and not short:
        raise Rubbish(f"position {symbol}: {quantity} shares, and yet not short")
    return Shares(Symbol(symbol), -abs(quantity) if short else quantity)


def cash(raw: Raw) -> Decimal:
    """The account's cash; below zero it is borrowed. Raises Rubbish."""
    return amount(raw.get("cash"), "account: cash")


def record(said: object) -> Raw:
    """A JSON object. Raises Rubbish."""
    if not isinstance(said, dict):
        raise Rubbish(f"Alpaca: an {type(said).__name__} is where an object should be")
    return said  # pyright: ignore[reportUnknownVariableType]


def amount(said: object, where: str, least: Decimal | None = None) -> Decimal:
    """An exact amount that the database can hold. Raises Rubbish."""
    shown = _clip(str(said))
    if isinstance(said, bool) or not isinstance(said, str | int | Decimal) or len(shown) > 40:
        raise Rubbish(f"{where}: {shown} is not an amount")
    try:
        found = Decimal(said)
    except InvalidOperation:
        raise Rubbish(f"{where}: {shown} is not an amount") from None
    if not found.is_finite() or abs(found) >= LARGEST * UNIT or (least is not None and found < least):
        raise Rubbish(f"{where}: {shown} cannot be")
    return found


def moment(raw: Raw, field: str) -> int:
    """A time, in microseconds UTC. Raises Rubbish."""
    text = _text(raw, field)
    try:
        at = dt.datetime.fromisoformat(text)
    except ValueError:
        raise Rubbish(f"{field}: '{_clip(text)}' is not a time") from None
    if at.tzinfo is None:
        raise Rubbish(f"{field}: '{_clip(text)}' has no time zone")
    return (at - _EPOCH) // dt.timedelta(microseconds=1)


def stamp(at: int) -> str:
    """A time as Alpaca takes it; `at` is UTC in microseconds, and not before 1970."""
    return (_EPOCH + dt.timedelta(microseconds=max(at, 0))).isoformat().replace("+00:00", "Z")


def _text(raw: Raw, field: str) -> str:
    if not isinstance(text := raw.get(field), str) or not 0 < len(text) <= 200:
        raise Rubbish(f"{field}: {_clip(str(text))} is not the text that belongs there")
    return text


def _clip(text: str) -> str:
    """What others wrote, fit for a sentence of ours."""
    return "".join(sign if sign.isprintable() else " " for sign in text[:60]) + ("…" if len(text) > 60 else "")
