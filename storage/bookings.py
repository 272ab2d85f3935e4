"""The ledger as a trace needs it: reads `ledger_transactions`."""

from dataclasses import dataclass

from messages.values import CorrelationId
from storage.connections import Reader


@dataclass(frozen=True, slots=True)
class BookingRow:
    """A transaction without its entries; `at` is UTC in microseconds, `reference` a trade's execution."""

    id: int
    kind: str
    origin: str
    reference: str | None
    at: int


def together(read: Reader, correlation_id: CorrelationId) -> list[BookingRow]:
    """All transactions of one round or request, in order of booking."""
    # A database of before there was trading has no references.
    sql = "SELECT count(*) FROM pragma_table_info('ledger_transactions') WHERE name = 'reference'"
    reference = "reference" if read.rows(tuple[int], sql)[0][0] else "NULL"
    rows = read.rows(
        tuple[int, str, str, str | None, int],
        f"SELECT id, kind, origin, {reference}, at FROM ledger_transactions WHERE correlation_id = ? ORDER BY id",
        correlation_id,
    )
    return [BookingRow(*row) for row in rows]


def correlated(read: Reader, prefix: str) -> list[CorrelationId]:
    """The correlation ids, two at most, that begin like this."""
    sql = "SELECT DISTINCT correlation_id FROM ledger_transactions WHERE substr(correlation_id, 1, ?) = ? LIMIT 2"
    return [CorrelationId(found) for (found,) in read.rows(tuple[str], sql, len(prefix), prefix)]
