"""Which broker orders go to, made in its own thread, and what keeps it from sending any."""

import os
from collections.abc import Callable
from functools import partial
from typing import Any

from actors.brokers.alpaca_account import Account, BadAccount, keys, live, on_loopback, paper
from actors.brokers.paper import Message, PaperBroker
from actors.domain import real_money
from actors.domain.costs import costs
from actors.kernel.me import Actor, Me
from messages import database
from messages.addresses import Ref
from messages.broker import Executed, LookDue, Ticket
from messages.trading import TradingState, TradingTerms
from storage import confirmations, ledger, states
from storage.connections import Operations, Reader
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
    halted, shut = partial(halt, terms, home, read, utc), partial(closed, terms, home, utc)
    if terms.real_money is None and (kept := confirmations.path(home)).exists():
        raise BadAccount(
            f"{kept}: real money was confirmed in this home, so it does not trade on paper: "
            "its orders and its mandate would be carried over; give paper a home of its own with --home"
        )
    if terms.broker == "paper":
        own = partial(ledger.began_with, read), halted, costs(terms.costs, terms.volume_share)
        return lambda me: PaperBroker(me, writer, trading, read, *own, shut=shut)
    from actors.brokers.alpaca import AlpacaBroker
    from actors.brokers.alpaca_line import HttpLine
    from actors.brokers.alpaca_stream import Stream

    account, ours = _account(terms, _unconfirmed(terms, home, utc())), keys(file=home.path / "alpaca.toml")
    edges = HttpLine(account, ours), Stream(account, ours)
    return lambda me: AlpacaBroker(me, here, trading, account, edges, halted, shut=shut)


def _account(terms: TradingTerms, confirmed: str | None) -> Account:
    stub = on_loopback(terms.url_override, terms.stream_override) if terms.url_override else None
    if terms.real_money is None:
        return stub or paper()
    return live(terms.real_money, os.environ.get(real_money.VARIABLE), confirmed, stub)


def halt(terms: TradingTerms, home: Home, read: Reader, utc: Callable[[], int]) -> str | None:
    """Why nothing may be sent, as it is at this moment.

    The file HALT is there, real money is not confirmed, or not any more, or trading is HALTED on disk.
    """
    if (why := home.halted() or _unconfirmed(terms, home, utc())) is not None:
        return why
    state, why = states.state(read, terms.broker)
    return f"trading is HALTED: {why}" if state is TradingState.HALTED else None


def closed(terms: TradingTerms, home: Home, utc: Callable[[], int]) -> str | None:
    """Why not even positions may be closed: the file HALT is there and does not mean that, or real money as above."""
    return (home.halted() if terms.when_halted == "cancel" else None) or _unconfirmed(terms, home, utc())


def stopped(
    terms: TradingTerms, home: Home, utc: Callable[[], int], operations: Operations
) -> Callable[[], str | None]:
    """Why nothing is sent, whatever is stored: the file HALT is there, real money as above, or nothing is committed."""
    return lambda: home.halted() or _unconfirmed(terms, home, utc()) or operations.held


def unconfirmed(terms: TradingTerms, home: Home, utc: Callable[[], int]) -> Callable[[], str | None]:
    """Why real money may not be traded, if that is what is set."""
    return lambda: _unconfirmed(terms, home, utc())


def _unconfirmed(terms: TradingTerms, home: Home, now: int) -> str | None:
    return real_money.stops(confirmations.current(home), terms.real_money, str(home.path), now)


def unfit(broker: str) -> Callable[[Ticket], str | None]:
    """Why the broker would not take an order; pure, so that it is known beforehand what is held there."""
    if broker == "paper":
        return lambda ticket: None  # it holds everything
    from actors.brokers import alpaca_tickets

    return alpaca_tickets.unfit


__all__ = ["Message", "chosen", "unconfirmed", "unfit"]
