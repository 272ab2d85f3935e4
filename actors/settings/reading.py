"""What a person sets: `desk.toml` in the home and TROUPE_ variables, both strict."""

import os
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from actors.domain.orders import Limits
from messages.claude import Asking
from messages.errors import TroupeError
from messages.trading import TradingTerms
from storage.files import read_text
from storage.home import Home

PREFIX: Final = "TROUPE_"
NOT_SETTINGS: Final = frozenset({"TROUPE_ALPACA_KEY", "TROUPE_ALPACA_SECRET", "TROUPE_ALPACA_LIVE"})
"""Variables that say what no file of settings may: secrets, and consent to real money. Read where they are used."""
LARGEST: Final = 100_000
"""Bytes desk.toml may have."""


class BadSettings(TroupeError):
    """A key that is unknown or wrong; the message names it, its place and what was expected."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A Dask cluster: its scheduler, at tls:// or, on this machine, tcp://, and three files for TLS, absolute."""

    scheduler: str
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None


@dataclass(frozen=True, slots=True)
class Tracing:
    """Which share of all traces is recorded, 0 to 1, and where it is sent; `endpoint` is for otlp."""

    sample: float = 0.01
    exporter: Literal["none", "console", "otlp"] = "none"
    endpoint: str = "http://127.0.0.1:4318/v1/traces"


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings, checked. `folder` is absolute; `grace` is in seconds, `keep_tasks` in days; `notify` is a program
    with its arguments.

    `calendar` is the exchange's, None on sample prices: there it is always the close of their last session.
    """

    currency: str = "USD"
    grace: float = 10.0
    source: Literal["sample", "csv"] = "sample"
    folder: Path = field(default_factory=Path)
    watch: tuple[str, ...] = ()
    threads: int = 2
    processes: int = 2
    memory_mb: int = 1024
    cluster: Cluster | None = None
    metrics_port: int = 9464
    metrics_required: bool = True
    keep_tasks: int = 90
    claude: Asking = field(default_factory=Asking)
    backups: int = 7
    trading: TradingTerms = field(default_factory=TradingTerms)
    risk: Limits = field(default_factory=Limits)
    calendar: str | None = None
    log_format: Literal["text", "json"] = "text"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    tracing: Tracing = field(default_factory=Tracing)
    notify: tuple[str, ...] = ()

    @property
    def fixed(self) -> dict[str, str]:
        """What a home can never change."""
        return {"price_source": self.source, "currency": self.currency}


def load(home: Home) -> Settings:
    """Read them; a variable such as TROUPE_MARKET__SOURCE, in any case, goes before the file.

    Raises BadSettings, Unreadable.
    """
    written = _file(home)
    ours = {name: text for name, text in os.environ.items() if name.upper().startswith(PREFIX)}
    variables = {name: text for name, text in ours.items() if name not in NOT_SETTINGS}
    if not written and not variables:
        return Settings(folder=home.path / "prices")  # and pydantic's 0.2 s are saved
    from actors.settings import schema  # imported where it is used: 0.2 s

    return schema.checked(written, variables, home)


def _file(home: Home) -> dict[str, Any]:
    if not home.settings.exists():
        return {}
    try:
        return tomllib.loads(read_text(home.settings, LARGEST, "settings"))
    except tomllib.TOMLDecodeError as error:
        raise BadSettings(f"{home.settings}: is not TOML ({error})") from error
