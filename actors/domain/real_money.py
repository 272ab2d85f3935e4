"""What a person has typed so that real money may be traded: of one account, in one home, and for so long.

It is one of three things that this takes; the others are a setting and a variable in the environment. It comes from a
person's command at a terminal alone.
"""

import json
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any, Final

from messages.errors import TroupeError

DAYS: Final = 30
"""For how long it holds unless the person says otherwise."""
VARIABLE: Final = "TROUPE_ALPACA_LIVE"
"""The variable that is `yes`, and nothing like it, where real money may be traded."""
_VERSION: Final = 1


class BadConfirmation(TroupeError):
    """A confirmation that cannot be read, or was changed."""


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What was typed, about which account, in which home; `at` and `expires_at` are UTC in microseconds."""

    account: str
    typed: str
    home: str
    at: int
    expires_at: int


def phrase(account: str) -> str:
    """What a person types to confirm."""
    return f"trade real money in {account}"


def text(confirmation: Confirmation) -> str:
    """The confirmation as it is kept: JSON of one form only."""
    return json.dumps({"version": _VERSION, **asdict(confirmation)}, sort_keys=True, separators=(",", ":"))


def digest(kept: str) -> str:
    """The hash that is kept with it."""
    return sha256(kept.encode()).hexdigest()


def read(kept: str, hash_: str) -> Confirmation:
    """What was confirmed. Raises BadConfirmation, so that none holds."""
    if digest(kept) != hash_:
        raise BadConfirmation("the confirmation of real money was changed after it was given, and does not hold")
    try:
        found: dict[str, Any] = json.loads(kept)
        if found.pop("version") == _VERSION and isinstance(found["expires_at"], int):
            made = Confirmation(**found)
            if text(made) == kept:
                return made
    except (ValueError, TypeError, AttributeError, KeyError):
        pass  # said below
    raise BadConfirmation("the confirmation of real money cannot be read, and does not hold")


def _lapsed(confirmation: Confirmation | None, account: str, home: str, now: int) -> str | None:
    todo = "type it at a terminal with `run.py real-money`"
    if confirmation is None:
        return f"nobody has confirmed account {account}; {todo}"
    if confirmation.account != account:
        return f"account {confirmation.account} was confirmed, not {account}; {todo}"
    if confirmation.home != home:
        return f"it was confirmed in {confirmation.home}, not in {home}; {todo}"
    if confirmation.typed != phrase(account):
        return f"what was typed to confirm it is not '{phrase(account)}'; {todo}"
    if now >= confirmation.expires_at:
        return f"what was typed to confirm account {account} has expired; {todo} again"
    return None


def stops(kept: tuple[str, str] | None, account: str | None, home: str, now: int) -> str | None:
    """Why no order may be sent, from what is kept, text and hash; None if it may, and where money is paper."""
    if account is None:
        return None
    try:
        return _lapsed(None if kept is None else read(*kept), account, home, now)
    except BadConfirmation as error:
        return str(error)


def missing(account: str | None, variable: str | None, confirmed: str | None) -> tuple[str, ...]:
    """What is not there of the three things that real money takes, a sentence each.

    `account` is that of the setting, None where it says paper; `confirmed` is what `stops` says.
    """
    said = list[str]()
    if account is None:
        said.append('desk.toml: [trading] money is not "real"')
    if variable != "yes":
        said.append(f"environment: {VARIABLE} is not yes")
    if confirmed is not None:
        said.append(confirmed)
    return tuple(said)
