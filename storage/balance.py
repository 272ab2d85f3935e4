"""Whether the ledger's sums are what its entries sum to: looked at at start, after a restore and by `doctor`."""

from messages.values import from_units
from storage import chain
from storage.chain import Fault
from storage.connections import Reader


def unbalanced(read: Reader) -> int | None:
    """The first transaction whose entries do not sum to zero, in amount or, symbol by symbol, in quantity.

    It reads all entries, and those of every schema there was.
    """
    sql = """SELECT transaction_id FROM ledger_entries GROUP BY transaction_id HAVING sum(amount ORDER BY id) <> 0
        UNION ALL SELECT transaction_id FROM ledger_entries GROUP BY transaction_id, symbol
        HAVING sum(quantity ORDER BY id) <> 0 ORDER BY 1 LIMIT 1"""
    return next((number for (number,) in read.rows(tuple[int], sql)), None)


def check(read: Reader) -> list[Fault]:
    """Everything about the books that is not as it must be, as far as their sums tell; see storage/audit.py for all.

    Amounts of an account sum to zero, and its quantities symbol by symbol; lots sum to the balances; the last links of
    the chain hold. Cash below zero and shares owed are no damage: they are what has happened.
    """
    with read.snapshot() as at:
        balances = at.rows(
            tuple[str, str, str, int, int], "SELECT broker, account, symbol, quantity, amount FROM ledger_balances"
        )
        parts = at.rows(
            tuple[str, str, str, str, int, int],
            "SELECT broker, account, symbol, lot, quantity, amount FROM ledger_lots",
        )
        broken = chain.tail(at)
    amounts, quantities = dict[str, int](), dict[tuple[str, str], int]()
    rest = dict[tuple[str, str, str], list[int]]()
    money = dict[str, int]()
    for broker, account, symbol, quantity, amount in balances:
        amounts[broker] = amounts.get(broker, 0) + amount
        quantities[broker, symbol] = quantities.get((broker, symbol), 0) + quantity
        if account in ("holdings", "unsettled"):
            rest[broker, account, symbol] = [quantity, amount]
        if account in ("cash", "unsettled"):
            money[broker] = money.get(broker, 0) + amount
    faults = [] if broken is None else [broken]
    for broker, off in amounts.items():
        if off:
            faults.append(Fault("ledger_balances", broker, f"amounts sum to {from_units(off):f}, not to zero"))
    for (broker, symbol), off in quantities.items():
        if off:
            what = f"quantities sum to {from_units(off):f}, not to zero"
            faults.append(Fault("ledger_balances", f"{broker} {symbol}", what))
    for broker, account, symbol, lot, quantity, amount in parts:
        whole = rest.setdefault((broker, account, symbol), [0, 0])
        whole[0], whole[1] = whole[0] - quantity, whole[1] - amount
        if quantity < 0:
            what = f"{from_units(-quantity):f} shares are owed"
            faults.append(Fault("ledger_lots", f"{broker} {symbol} {lot}", what, damage=False))
    for name, (quantity, amount) in rest.items():
        if quantity or amount:
            what = (
                f"differs from its lots by {from_units(quantity):f} shares and {from_units(amount):f} of cost or cash"
            )
            faults.append(Fault("ledger_balances", " ".join(name).rstrip(), what))
    for broker, amount in money.items():
        if amount < 0:
            faults.append(Fault("ledger_balances", f"{broker} cash", f"is {from_units(amount):f}", damage=False))
    return faults


def damage(read: Reader) -> str | None:
    """Why the books cannot be relied on, in a sentence; None if they can. Whoever trades asks that first."""
    return next((str(fault) for fault in check(read) if fault.damage), None)
