"""Which broker orders go to, made in its own thread, and what keeps it from sending any."""

import os
from collections.abc import Callable
from functools import partial
from typing import Any

from actors.brokers.alpaca_account import Account, keys, live, on_loopback, paper
from actors.brokers.paper import Message, PaperBroker
from actors.domain import real_money
from actors.domain.costs import costs
from actors.kernel.me import Actor, Me
from messages import database
from messages.addresses import Ref
from messages.broker import Executed, LookDue
from messages.trading import TradingTerms
from storage import confirmations, ledger
from storage.connections import Reader
from storage.home import Home


def chosen(
    terms: TradingTerms,
    home: Home,
    read: Reader,
    writer: Ref[database.Message],
    here: Ref[Any],
    trading: Ref[Executed | LookDue],
    utc: Callable[[], int],
) -> Callable[[Me[Any]], Actor[Any]]:
    """The broker on paper, or an account at Alpaca. Raises BadAccount where what that takes is not there."""
    stops = stopping(terms, home, utc)
    if terms.broker == "paper":
        own = partial(ledger.began_with, read), stops, costs(terms.costs, terms.volume_share)
        return lambda me: PaperBroker(me, writer, trading, read, *own)
    from actors.brokers.alpaca import AlpacaBroker
    from actors.brokers.alpaca_line import HttpLine
    from actors.brokers.alpaca_stream import Stream

    account, ours = _account(terms, _unconfirmed(terms, home, utc())), keys(file=home.path / "alpaca.toml")
    edges = HttpLine(account, ours), Stream(account, ours)
    return lambda me: AlpacaBroker(me, here, trading, account, edges, stops)


def _account(terms: TradingTerms, confirmed: str | None) -> Account:
    stub = on_loopback(terms.url_override, terms.stream_override) if terms.url_override else None
    if terms.real_money is None:
        return stub or paper()
    return live(terms.real_money, os.environ.get(real_money.VARIABLE), confirmed, stub)


def stopping(terms: TradingTerms, home: Home, utc: Callable[[], int]) -> Callable[[], str | None]:
    """Why nothing may be sent: the file HALT is there, or real money is not confirmed, or not any more."""
    return lambda: home.halted() or _unconfirmed(terms, home, utc())


def _unconfirmed(terms: TradingTerms, home: Home, now: int) -> str | None:
    return real_money.stops(confirmations.current(home), terms.real_money, str(home.path), now)


__all__ = ["Message", "chosen", "stopping"]
