"""What must be so between a desk's books and its broker when nothing is on its way any more."""

from collections import Counter
from decimal import Decimal
from typing import Final

from messages.broker import ClientId, Stage, View
from messages.trading import Order, OrderState
from storage import balance, ledger, orders
from storage.connections import Reader
from storage.orders import client_id

AT_THE_BROKER: Final = {OrderState.WORKING: Stage.WORKING, OrderState.FILLED: Stage.FILLED}


def all_orders(read: Reader) -> list[Order]:
    """Every one there ever was."""
    return orders.newest(read, 10_000)


def books_are_whole(read: Reader) -> None:
    """At any moment: entries sum to zero, sums are what they sum, and an order has come to what was executed of it."""
    assert balance.unbalanced(read) is None
    assert balance.damage(read) is None
    wanted = Counter(
        (each.ticket.symbol, each.ticket.side, each.is_exit) for each in orders.open_orders(read) if not each.is_leg
    )
    assert all(number == 1 for number in wanted.values()), f"ordered twice at once: {wanted}"
    kept = {order.id: order for order in all_orders(read)}
    for order in kept.values():
        entry = ClientId(order.id.partition("-")[0])
        assert order.id == entry or order.ticket.quantity == kept[entry].filled, f"protects too much: {order}"
        filled = orders.fills(read, order.id) if order.filled else []
        assert sum((fill.quantity for fill in filled), Decimal(0)) == order.filled <= order.ticket.quantity
        assert order.is_exit or entry == client_id(order.decision, "entry")


def both_sides_agree(read: Reader, view: View) -> None:
    """In the end, of every order, execution, share and cent; and nothing was sent that was not meant."""
    theirs = {seen.client_id: seen for seen in view.orders}
    ours = {order.id: order for order in all_orders(read)}
    assert theirs.keys() <= ours.keys(), "at the broker, and not of this desk"
    for id_, order in ours.items():
        assert order.state is not OrderState.APPROVED, f"neither sent nor given up: {order}"
        if order.is_here:  # its broker holds it no longer
            assert id_ not in theirs or theirs[id_].stage is not Stage.WORKING, (order, theirs[id_])
        elif order.state in AT_THE_BROKER:
            assert theirs[id_].stage is AT_THE_BROKER[order.state], (order, theirs[id_])
        elif id_ in theirs:
            assert theirs[id_].stage is not Stage.WORKING, (order, theirs[id_])
        assert order.filled == (theirs[id_].filled if id_ in theirs else 0)
        assert Counter(note.what for note in orders.journal(read, id_))["approved"] <= 1
    booked = {fill.execution_id: fill for id_ in ours for fill in orders.fills(read, id_)}
    assert booked == {execution.execution_id: execution for execution in view.executions}
    assert ledger.cash(read) == view.cash
    held = {shares.symbol: shares.quantity for shares in view.positions}
    assert {each.symbol: each.quantity for each in ledger.held(read)} == held
    assert all(quantity > 0 for quantity in held.values()), "sold twice"
