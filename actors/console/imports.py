"""Taking over a person's holdings."""

import secrets
from functools import partial
from pathlib import Path
from typing import Final

from actors.console.access import Access
from actors.domain.holdings import LARGEST, HoldingsFile, parse
from messages.correlation import Trace, within
from messages.market import Resolve, Resolved
from messages.trading import Holding, Import, Imported
from messages.values import CorrelationId
from storage import ledger
from storage.files import read_text

SAMPLE: Final = Path(__file__).parents[2] / "storage" / "sample" / "holdings.csv"


def read_file(path: Path) -> str:
    """The text of a file of holdings. Raises Unreadable."""
    return read_text(path, LARGEST, "holdings")


def import_holdings(access: Access, text: str, origin: str) -> HoldingsFile:
    """Open the books with what the text says, all or nothing. Raises BadHoldings, DeskRefused."""
    file = parse(text, origin, access.currency)
    names = tuple(line.name for line in file.lines)
    found = access.ask(Resolved, access.source, lambda reply_to: Resolve(names, reply_to))
    symbols = dict(found.known)
    for line in file.lines:
        if line.name not in symbols:
            raise file.refuse(line, f"the price source has no {line.name}; write it as the source does")
    holdings = tuple(Holding(symbols[line.name], line.quantity, line.cost, line.acquired) for line in file.lines)
    correlation_id = CorrelationId(secrets.token_hex(16))
    with within(Trace(correlation_id, begins=True)):
        access.ask(Imported, access.trading, partial(Import, holdings, file.cash, origin, correlation_id))
    return file


def import_sample(access: Access) -> None:
    """Give a sample desk whose books were never opened the sample portfolio, unless its account is somewhere else."""
    if (access.prices, access.broker) == ("sample", "paper") and not ledger.is_open(access.read):
        import_holdings(access, SAMPLE.read_text("utf-8"), "sample holdings")
