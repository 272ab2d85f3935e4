"""A person's confirmation that real money is traded: at a terminal, never over the API or by a tool of Claude's."""

import datetime as dt
from dataclasses import replace

from actors.domain import real_money
from actors.domain.real_money import BadConfirmation, Confirmation
from messages.errors import TroupeError
from messages.trading import TradingTerms
from storage import confirmations, mandates, orders
from storage.connections import Reader
from storage.home import Home

DAY = 86_400 * 10**6
"""Microseconds."""


class NotConfirmed(TroupeError):
    """Real money is not traded: nothing was confirmed."""


def wanted(terms: TradingTerms, home: Home) -> str:
    """The account that desk.toml names. Raises NotConfirmed where it says paper."""
    if terms.real_money is None:
        raise NotConfirmed(
            f'real-money: {home.settings} says paper; write money = "real" and account = "NUMBER" below [trading] first'
        )
    return terms.real_money


def may_begin(read: Reader | None, account: str, home: Home) -> None:
    """Orders and mandates of a desk on paper are not carried over to real money. Raises NotConfirmed."""
    if read is None or _is_of(account, home):
        return
    if orders.newest(read, 1) or mandates.current(read) is not None:
        raise NotConfirmed(
            f"real-money: home {home.path} has orders or a mandate that were not about account {account}; "
            "give real money a home of its own with --home"
        )


def _is_of(account: str, home: Home) -> bool:
    """Whether this account was confirmed here before, however long ago."""
    kept = confirmations.current(home)
    try:
        return kept is not None and real_money.read(*kept).account == account
    except BadConfirmation:
        return False


def terms(account: str, days: int) -> str:
    """What a person reads before typing."""
    return (
        f"Orders of this desk will be sent to account {account} at Alpaca and will trade REAL MONEY, for {days} days. "
        "Losses are yours. Each order waits for your yes, unless you give a mandate.\n"
        f"Type exactly: {real_money.phrase(account)}"
    )


def give(home: Home, account: str, typed: str, now: int, days: int = real_money.DAYS) -> str:
    """Keep what was typed; what to tell. Raises NotConfirmed if it is anything else than the phrase."""
    if typed != real_money.phrase(account):
        raise NotConfirmed(f"real-money: that is not '{real_money.phrase(account)}'; nothing was confirmed")
    confirmation = Confirmation(account, typed, str(home.path), now, now + days * DAY)
    hash_ = _keep(home, confirmation)
    until = dt.datetime.fromtimestamp(confirmation.expires_at // 1_000_000, dt.UTC)
    also = f"; {real_money.VARIABLE}=yes in the environment of the desk is the third thing it takes"
    return f"account {account} is confirmed until {until:%Y-%m-%d %H:%M} UTC, hash {hash_[:12]}{also}"


def take_back(home: Home, account: str, now: int) -> str:
    """From now on nothing is sent; what was confirmed stays, expired. Raises NotConfirmed where nothing was."""
    if (kept := confirmations.current(home)) is None:
        raise NotConfirmed(f"real-money: nothing was confirmed in {home.path}")
    try:
        _keep(home, replace(real_money.read(*kept), expires_at=now))
    except BadConfirmation as error:
        raise NotConfirmed(f"real-money: {error}; so nothing is sent anyway") from error
    return f"account {account} is not confirmed any more, and nothing is sent"


def halted(home: Home, account: str | None, now: int) -> str | None:
    """Why nothing is sent, whatever the database says: the file HALT is there, or real money is not confirmed."""
    return home.halted() or real_money.stops(confirmations.current(home), account, str(home.path), now)


def _keep(home: Home, confirmation: Confirmation) -> str:
    kept = real_money.text(confirmation)
    hash_ = real_money.digest(kept)
    home.path.mkdir(mode=0o700, parents=True, exist_ok=True)
    confirmations.keep(home, kept, hash_)
    return hash_
