"""Which lot a sale takes: oldest first, highest cost first, or those that are named. Exact to 1e-9, nothing is lost."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import ROUND_HALF_EVEN, Context, Decimal, Inexact, InvalidOperation, localcontext
from typing import Final, assert_never

from messages.broker import Execution, Side
from messages.errors import TroupeError
from messages.lots import Closing, Lot, Matched, Method
from messages.values import UNIT

_WIDE: Final = Context(prec=100, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation])
"""Products of two stored amounts have 38 digits; quotients are rounded to UNIT after the last of them."""
_EXACT: Final = Context(prec=100, traps=[Inexact, InvalidOperation])


class NoSuchLot(TroupeError):
    """A lot was named that is not held, or named twice."""


class BadExecution(TroupeError):
    """A broker says that something was executed which cannot have been."""


def matched(
    lots: Sequence[Lot], execution: Execution, method: Method = Method.FIFO, named: Sequence[str] = ()
) -> Matched:
    """What an execution takes from the lots of its symbol, and what it opens.

    `lots` are all there are of it, the oldest first, as `ledger.lots` reads them. A sale closes long lots and then
    opens a short one, a purchase closes short lots and then opens a long one; the new lot has the execution's id. With
    SPECIFIC the named lots come first, in that order, then the others by FIFO. A part of a lot takes its share of the
    cost, rounded half to even to 1e-9; the last part takes what is left. Raises BadExecution, NoSuchLot.
    """
    _require_possible(execution)
    buys = execution.side is Side.BUY
    sign = 1 if buys else -1
    queue = [lot for lot in _ordered(lots, method, named) if (lot.quantity < 0) == buys]
    shares, money = execution.quantity, _rounded(execution.quantity, execution.price)
    closed = list[Closing]()
    with localcontext(_EXACT):
        for lot in queue:
            if not shares:
                break
            taken = min(shares, abs(lot.quantity))
            # The last part has what the others have left of the money, so that they are the whole to the last unit.
            part = money if taken == shares else _rounded(taken, execution.price)
            closed.append(Closing(lot.id, lot.acquired, -sign * taken, _share(lot, taken), -sign * part))
            shares, money = shares - taken, money - part
        rest = Lot(execution.execution_id, execution.session, sign * shares, sign * money) if shares else None
    return Matched(tuple(closed), rest)


def left(lots: Sequence[Lot], done: Matched) -> tuple[Lot, ...]:
    """The lots after that, in the same order, the new one last."""
    taken = {each.lot: each for each in done.closed}
    with localcontext(_EXACT):
        remaining = [
            replace(lot, quantity=lot.quantity - taken[lot.id].quantity, cost=lot.cost - taken[lot.id].cost)
            if lot.id in taken
            else lot
            for lot in lots
        ]
    return (*(lot for lot in remaining if lot.quantity), *(() if done.opened is None else (done.opened,)))


def split(lots: Sequence[Lot], new: Decimal, old: Decimal) -> tuple[Lot, ...]:
    """The lots after `new` shares were given for each `old`; costs stay. Rounded half to even to 1e-9 shares.

    A lot of which nothing would be left keeps the smallest quantity there is, so that its cost is not lost.
    """
    with localcontext(_WIDE):
        quantities = [(lot.quantity * new / old).quantize(UNIT) or UNIT.copy_sign(lot.quantity) for lot in lots]
    return tuple(replace(lot, quantity=quantity) for lot, quantity in zip(lots, quantities, strict=True))


def _share(lot: Lot, taken: Decimal) -> Decimal:
    """The cost of so many of its shares, a number above zero."""
    with localcontext(_WIDE):
        return lot.cost if taken == abs(lot.quantity) else (lot.cost * taken / abs(lot.quantity)).quantize(UNIT)


def _rounded(quantity: Decimal, price: Decimal) -> Decimal:
    return _WIDE.quantize(_WIDE.multiply(quantity, price), UNIT)


def _ordered(lots: Sequence[Lot], method: Method, named: Sequence[str]) -> list[Lot]:
    match method:
        case Method.FIFO:
            return list(lots)
        case Method.HIGHEST_COST:
            with localcontext(_WIDE):
                return sorted(lots, key=lambda lot: -(lot.cost / lot.quantity))  # stable: of equals the oldest
        case Method.SPECIFIC:
            others, first = {lot.id: lot for lot in lots}, list[Lot]()
            for name in named:
                if name not in others:
                    raise NoSuchLot(f"lot {name}: is not held, or named twice; `run.py lots` shows those that are")
                first.append(others.pop(name))
            return [*first, *others.values()]
        case _:
            assert_never(method)


def _require_possible(execution: Execution) -> None:
    amounts = {"quantity": execution.quantity, "price": execution.price, "fee": execution.fee}
    for name, amount in amounts.items():
        if not amount.is_finite():
            raise BadExecution(f"execution {execution.execution_id}: its {name} is {amount}, which is no amount")
    if execution.quantity <= 0 or execution.price < 0:
        raise BadExecution(
            f"execution {execution.execution_id}: {execution.quantity} shares at {execution.price} cannot have been; "
            "ask the broker what it was"
        )
    if execution.quantity % UNIT:
        raise BadExecution(f"execution {execution.execution_id}: {execution.quantity} has more than nine decimals")
