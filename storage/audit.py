"""The whole of the books against themselves: each link of the chain, each transaction, each sum."""

from storage import balance, chain
from storage.chain import Fault
from storage.connections import Reader

_SUMS = """WITH was AS (
    SELECT of.broker, line.account, coalesce(line.symbol, '') AS symbol,
        sum(line.quantity ORDER BY line.id) AS quantity, sum(line.amount ORDER BY line.id) AS amount
    FROM ledger_entries AS line JOIN ledger_transactions AS of ON of.id = line.transaction_id
    GROUP BY of.broker, line.account, coalesce(line.symbol, ''))
SELECT broker || ' ' || account || ' ' || symbol, entries.quantity, entries.amount, sums.quantity, sums.amount
FROM was AS entries FULL JOIN ledger_balances AS sums USING (broker, account, symbol)
WHERE entries.quantity IS NOT sums.quantity OR entries.amount IS NOT sums.amount ORDER BY 1 LIMIT 1"""
_LOTS = """WITH was AS (
    SELECT of.broker, line.account, coalesce(line.symbol, '') AS symbol, line.lot,
        sum(line.quantity ORDER BY line.id) AS quantity, sum(line.amount ORDER BY line.id) AS amount
    FROM ledger_entries AS line JOIN ledger_transactions AS of ON of.id = line.transaction_id
    WHERE line.account IN ('holdings', 'unsettled')
    GROUP BY of.broker, line.account, coalesce(line.symbol, ''), line.lot
    HAVING sum(line.quantity ORDER BY line.id) <> 0 OR sum(line.amount ORDER BY line.id) <> 0)
SELECT broker || ' ' || account || ' ' || symbol || ' ' || lot, entries.quantity, entries.amount, sums.quantity,
    sums.amount
FROM was AS entries FULL JOIN ledger_lots AS sums USING (broker, account, symbol, lot)
WHERE entries.quantity IS NOT sums.quantity OR entries.amount IS NOT sums.amount
OR NOT EXISTS (SELECT 1 FROM ledger_entries WHERE id = sums.opened AND account = sums.account
    AND coalesce(symbol, '') = sums.symbol AND lot = sums.lot AND acquired IS sums.acquired) ORDER BY 1 LIMIT 1"""
_ORPHANS = """SELECT id, transaction_id FROM ledger_entries
    WHERE transaction_id NOT IN (SELECT id FROM ledger_transactions) ORDER BY id LIMIT 1"""


def audit(read: Reader) -> Fault | None:
    """The first thing that is wrong with the books, None if nothing is. It reads them all, some 20 µs an entry."""
    for look in (chain.broken, chain.unchained, books):
        if (fault := look(read)) is not None:
            return fault
    return next((fault for fault in balance.check(read) if fault.damage), None)


def books(read: Reader) -> Fault | None:
    """Of the entries and their sums alone the first thing that is wrong; a schema that had no sums has none wrong."""
    # Each of these is one statement, and so sees one state, whatever is committed meanwhile.
    summed = read.rows(tuple[int], "SELECT 1 FROM sqlite_schema WHERE name = 'ledger_balances'")
    for entry, transaction in read.rows(tuple[int, int], _ORPHANS):
        return Fault("ledger_entries", str(entry), f"is of transaction {transaction}, which is not there")
    if (unbalanced := balance.unbalanced(read)) is not None:
        return Fault("ledger_transactions", str(unbalanced), "does not sum to zero")
    for table, sql in (("ledger_balances", _SUMS), ("ledger_lots", _LOTS)) if summed else ():
        rows = read.rows(tuple[str, int | None, int | None, int | None, int | None], sql)
        for name, quantity, amount, has_quantity, has_amount in rows:
            what = f"has {has_quantity} and {has_amount}, its entries sum to {quantity} and {amount}, in 1e-9"
            return Fault(table, name.strip(), what)
    return None
