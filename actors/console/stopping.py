"""What becomes of orders and positions when a desk that serves stops: asked at a terminal, or told beforehand."""

import sys
from functools import partial
from typing import Any, Final, Protocol

from actors.console import terminal
from actors.console.access import Access, DeskFailed, click
from messages.addresses import Refused
from messages.trading import Close, OnStop, OrderState, Said
from storage import ledger, orders

ASKED: Final = "Leave all as it is, cancel the orders, or flatten: close the positions, too? [leave/cancel/flatten] "
WAYS: Final[tuple[OnStop, ...]] = ("leave", "cancel", "flatten")


def chosen(told: OnStop, access: Access, *, interrupted: bool) -> OnStop:
    """What to do: as told, or, where that is `ask`, as somebody says who has pressed Ctrl-C at a terminal; else leave.

    Nobody is asked where no order works and nothing that was traded here is held.
    """
    if told != "ask":
        return told
    if not (interrupted and sys.stdin.isatty() and terminal.err.is_terminal):
        return "leave"
    working = [order for order in orders.open_orders(access.read) if order.state is OrderState.WORKING]
    held = ledger.held(access.read) if working or orders.last_fill(access.read, access.broker) else []
    if not working and not held:
        return "leave"
    terminal.err.print(f"{len(working)} orders work, {len(held)} positions are held. A second Ctrl-C ends at once.")
    try:
        for said in terminal.spoken(ASKED, access.pause):
            for way in WAYS:
                if way.startswith(said.lower()):
                    return way
    except DeskFailed:
        pass
    return "leave"


class Stopping(Protocol):
    """A desk that is about to stop, and has so many seconds for it."""

    grace: float

    @property
    def access(self) -> Access:
        """To its actors and its database."""
        ...


def wind_up(desk: Stopping, how: OnStop) -> None:
    """Cancel or flatten, as far as it can be done in half of the time to stop in, and say how far that was."""
    if how not in ("cancel", "flatten"):
        return
    clock, within = desk.access.system.clock, desk.grace / 2
    begun = clock.monotonic()
    make: Any = partial(Close, how == "flatten")
    with click():
        answer: Said | Refused = desk.access.system.ask(desk.access.trading, make, within=within)
    desk.grace -= min(clock.monotonic() - begun, within)
    if isinstance(answer, Said):
        terminal.line(f"{answer.sentence[:1].upper()}{answer.sentence[1:]}.")
    else:
        what = "not all positions were closed" if how == "flatten" else "not all orders were cancelled"
        terminal.err.print(f"warning: {what} in time ({answer.sentence}); see `run.py orders`", markup=False)
