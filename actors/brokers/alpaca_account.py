"""Which Alpaca account is meant, by which keys, and whether its money may be real."""

import os
import re
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from messages.errors import TroupeError
from storage.files import Unreadable, read_text

KEY: Final = "TROUPE_ALPACA_KEY"
SECRET: Final = "TROUPE_ALPACA_SECRET"
LIVE: Final = "TROUPE_ALPACA_LIVE"
"""The variables in which a person gives the keys, and the second of three times says that money may be real."""
LARGEST: Final = 10_000
"""Bytes a file with keys may have."""


class BadAccount(TroupeError):
    """Keys that are missing or open to others, an account that may not be traded, or an address that is none."""


@dataclass(frozen=True, slots=True)
class Account:
    """Where an account is: its HTTP address and its websocket. Made by `paper`, `live` and `on_loopback` alone.

    `number` is the one account that a person has confirmed, where money is real.
    """

    url: str
    stream: str
    number: str | None = None

    @property
    def host(self) -> str:
        """What to call it in a sentence."""
        return urlsplit(self.url).netloc


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What a person typed so that real money may be traded, of which account; `at` is UTC in microseconds."""

    account: str
    typed: str
    at: int


class Keys:
    """A key and its secret; neither is ever shown."""

    __slots__ = ("key", "secret")

    def __init__(self, key: str, secret: str) -> None:
        self.key, self.secret = key, secret

    def __repr__(self) -> str:
        return "Keys(not shown)"

    def __reduce__(self) -> str:
        raise TypeError("keys are not pickled")


def paper() -> Account:
    """Alpaca's paper account, of the keys given."""
    return Account("https://paper-api.alpaca.markets", "wss://paper-api.alpaca.markets/stream")


def on_loopback(url_override: str, stream: str) -> Account:
    """A stub on this machine. Nothing else may be written here, or it would be a way around `live`."""
    for address in (url_override, stream):
        if urlsplit(address).hostname not in {"127.0.0.1", "::1", "localhost"}:
            raise BadAccount(f"alpaca: url_override = '{address}': is for a stub on 127.0.0.1 alone; leave it out")
    return Account(url_override, stream)


def phrase(account: str) -> str:
    """What a person types to confirm."""
    return f"trade real money in {account}"


def missing_for_live(setting: bool, variable: str | None, confirmation: Confirmation | None) -> tuple[str, ...]:
    """What is not there of the three things that real money takes, a sentence each."""
    missing = list[str]()
    if not setting:
        missing.append("desk.toml: [alpaca] live is not true")
    if variable != "yes":
        missing.append(f"environment: {LIVE} is not yes")
    if confirmation is None:
        missing.append("nobody has confirmed it by typing which account is meant")
    elif not confirmation.account or confirmation.typed != phrase(confirmation.account):
        missing.append(f"what was typed to confirm it is not '{phrase(confirmation.account or 'ACCOUNT')}'")
    return tuple(missing)


def live_allowed(setting: bool, variable: str | None, confirmation: Confirmation | None) -> bool:
    """Whether all three are there: the setting, the environment variable and the typed confirmation."""
    return not missing_for_live(setting, variable, confirmation)


def live(setting: bool, variable: str | None, confirmation: Confirmation | None) -> Account:
    """The account with real money. Raises BadAccount, naming all that is missing; nothing falls back to paper."""
    if confirmation is None or not live_allowed(setting, variable, confirmation):
        missing = "; ".join(missing_for_live(setting, variable, confirmation))
        raise BadAccount(f"alpaca: real money is not traded: {missing}")
    return Account("https://api.alpaca.markets", "wss://api.alpaca.markets/stream", confirmation.account)


def keys(world: Mapping[str, str] = os.environ, file: Path | None = None) -> Keys:
    """The keys of the environment, or of a TOML file with `key` and `secret` and mode 600. Raises BadAccount."""
    given = {name: world[name] for name in (KEY, SECRET) if world.get(name)}
    if given or file is None or not file.exists():
        where = f"or write key and secret to {file}, mode 600" if file else "both of them"
        for name in (KEY, SECRET):
            if name not in given:
                raise BadAccount(f"environment: {name}: is missing; set it, {where}")
        return Keys(*(_plain(f"environment: {name}", given[name]) for name in (KEY, SECRET)))
    if stat.S_IMODE(file.stat().st_mode) & 0o077:
        raise BadAccount(f"{file}: can be read by others; run `chmod 600 {file}`")
    try:
        written = tomllib.loads(read_text(file, LARGEST, "keys"))
    except Unreadable as error:
        raise BadAccount(str(error)) from error
    except tomllib.TOMLDecodeError:  # whose message may show a part of a key
        raise BadAccount(f'{file}: is not TOML; write key = "…" and secret = "…"') from None
    return Keys(*(_plain(f"{file}: {name}", written.get(name)) for name in ("key", "secret")))


def _plain(where: str, text: object) -> str:
    """As it may stand in a header. What is wrong with it is said without showing it."""
    if not isinstance(text, str) or not re.fullmatch(r"[!-~]{1,200}", text):
        raise BadAccount(f"{where}: is not a key: 1 to 200 characters without spaces; copy it from Alpaca's page")
    return text
