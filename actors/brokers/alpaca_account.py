"""Which Alpaca account is meant, by which keys, and whether its money may be real."""

import os
import re
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from actors.domain.real_money import missing
from messages.errors import TroupeError
from storage.files import Unreadable, read_text

KEY: Final = "TROUPE_ALPACA_KEY"
SECRET: Final = "TROUPE_ALPACA_SECRET"
"""The variables in which a person gives the keys."""
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


def live(real_money: str | None, variable: str | None, confirmed: str | None, stub: Account | None = None) -> Account:
    """The account with real money. Raises BadAccount, naming all that is missing; nothing falls back to paper.

    `confirmed` says why what a person has typed does not hold, None if it does. Of a stub only the addresses are taken.
    """
    if (gone := missing(real_money, variable, confirmed)) or real_money is None:
        raise BadAccount(f"alpaca: real money is not traded: {'; '.join(gone)}")
    there = stub or Account("https://api.alpaca.markets", "wss://api.alpaca.markets/stream")
    return replace(there, number=real_money)


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
