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
from messages.trading import TradingTerms
from storage import ledger
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
    flattens = terms.when_halted == "flatten"
    if terms.broker == "paper":
        own = partial(ledger.began_with, read), home.halted, costs(terms.costs, terms.volume_share)
        return lambda me: PaperBroker(me, writer, trading, read, *own, flattens=flattens)
    from actors.brokers.alpaca import AlpacaBroker
    from actors.brokers.alpaca_line import HttpLine
    from actors.brokers.alpaca_stream import Stream

    account = on_loopback(terms.url_override, terms.stream_override) if terms.url_override else paper()
    ours = keys(file=home.path / "alpaca.toml")
    edges = HttpLine(account, ours), Stream(account, ours)
    return lambda me: AlpacaBroker(me, here, trading, account, edges, home.halted, flattens=flattens)


def unfit(broker: str) -> Callable[[Ticket], str | None]:
    """Why the broker would not take an order; pure, so that it is known beforehand what is held there."""
    if broker == "paper":
        return lambda ticket: None  # it holds everything
    from actors.brokers import alpaca_tickets

    return alpaca_tickets.unfit


__all__ = ["Message", "chosen", "unfit"]
