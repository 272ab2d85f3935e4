"""Which broker orders go to, made in its own thread."""

from collections.abc import Callable
from functools import partial
from typing import Any

from actors.brokers.alpaca_account import keys, on_loopback, paper
from actors.brokers.paper import Message, PaperBroker
from actors.domain.costs import costs
from actors.kernel.me import Actor, Me
from messages import database
from messages.addresses import Ref
from messages.broker import Executed, LookDue, Ticket
from messages.trading import TradingState, TradingTerms
from storage import ledger, orders
from storage.connections import Reader
from storage.home import Home


def chosen(
    terms: TradingTerms,
    home: Home,
    read: Reader,
    writer: Ref[database.Message],
    here: Ref[Any],
    trading: Ref[Executed | LookDue],
) -> Callable[[Me[Any]], Actor[Any]]:
    """The broker on paper, or the paper account at Alpaca. Raises BadAccount where there are no keys for that."""
    halted = partial(halt, home, read, terms.broker)
    shut = home.halted if terms.when_halted == "cancel" else _open
    if terms.broker == "paper":
        own = partial(ledger.began_with, read), halted, costs(terms.costs, terms.volume_share)
        return lambda me: PaperBroker(me, writer, trading, read, *own, shut=shut)
    from actors.brokers.alpaca import AlpacaBroker
    from actors.brokers.alpaca_line import HttpLine
    from actors.brokers.alpaca_stream import Stream

    account = on_loopback(terms.url_override, terms.stream_override) if terms.url_override else paper()
    ours = keys(file=home.path / "alpaca.toml")
    edges = HttpLine(account, ours), Stream(account, ours)
    return lambda me: AlpacaBroker(me, here, trading, account, edges, halted, shut=shut)


def halt(home: Home, read: Reader, broker: str) -> str | None:
    """Why nothing may be sent: the file HALT is there, or trading is HALTED on disk; as it is at this moment."""
    if (why := home.halted()) is not None:
        return why
    state, why = orders.state(read, broker)
    return f"trading is HALTED: {why}" if state is TradingState.HALTED else None


def _open() -> None:
    """Nothing keeps positions from being closed."""


def unfit(broker: str) -> Callable[[Ticket], str | None]:
    """Why the broker would not take an order; pure, so that it is known beforehand what is held there."""
    if broker == "paper":
        return lambda ticket: None  # it holds everything
    from actors.brokers import alpaca_tickets

    return alpaca_tickets.unfit


__all__ = ["Message", "chosen", "unfit"]
