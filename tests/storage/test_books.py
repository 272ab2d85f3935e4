"""Books that are traded in: every line sums to zero, and what is changed behind their back is found."""

import datetime as dt
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import apsw
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from actors.domain.lots import matched, split
from messages.broker import Activity, Cause, ClientId, Execution, Side
from messages.database import Statement
from messages.lots import Method
from messages.trading import Held, Holding
from messages.values import UNIT, CorrelationId, Symbol, from_units
from storage import audit, balance, chain, decisions, due, ledger
from storage.chain import Fault
from storage.connections import Reader, fetch
from storage.home import Home
from storage.ledger import Booking, Funds
from storage.migrations import open_for_writing
from storage.writing import StatementFailed, WriteConnection
from tests.storage.conftest import FIXED
from tests.storage.test_payloads import BUY

AAPL, IBM = Symbol("AAPL"), Symbol("IBM")
ROUND = CorrelationId("c" * 32)
FRIDAY, MONDAY = dt.date(2013, 3, 1), dt.date(2013, 3, 4)
HOLDINGS = [Holding(AAPL, Decimal(10), Decimal(100), dt.date(2012, 1, 3)), Holding(IBM, Decimal(4), Decimal(200), None)]
PAPER = ledger.PAPER


def executed(
    number: str, side: Side, quantity: str, price: str, fee: str = "0", symbol: Symbol = AAPL, on: dt.date = FRIDAY
) -> Execution:
    return Execution(ClientId("a" * 24), number, symbol, side, Decimal(quantity), Decimal(price), Decimal(fee), on, 0)


def deposit(amount: Decimal, name: str, session: dt.date = FRIDAY) -> Booking:
    """Cash that came from outside, or went there."""
    return ledger.moved(Activity(Cause.TRANSFER, name, name, None, amount, Decimal(0), session, 0), PAPER, ROUND, 0)


class Books:
    """The books of one desk, and everything that can happen to them."""

    def __init__(self, connection: WriteConnection) -> None:
        self.connection, self.read = connection, Reader(connection.path)

    def open(self, holdings: list[Holding], cash: str) -> None:
        [result] = self.connection.commit([ledger.opening(holdings, Decimal(cash), "a.csv", ROUND, 0)])
        assert isinstance(result, tuple), result

    def book(self, *bookings: Booking) -> list[bool]:
        """Whether each was new."""
        results = self.connection.commit(bookings)
        assert not [each for each in results if isinstance(each, StatementFailed)], results
        return [result[0] == ((1,),) for result in results if isinstance(result, tuple)]

    def fill(self, execution: Execution, method: Method = Method.FIFO, broker: str = PAPER) -> bool:
        lots = ledger.lots(self.read, broker, execution.symbol)
        return self.book(ledger.fill(execution, broker, ROUND, 0, matched(lots, execution, method)))[0]

    def settle(self, session: dt.date) -> None:
        self.connection.commit([[ledger.settle(PAPER, session, ROUND, 0)]])

    def balances(self) -> dict[str, Decimal]:
        sql = "SELECT account, sum(amount) FROM ledger_balances GROUP BY account HAVING sum(amount) <> 0"
        return {account: from_units(amount) for account, amount in self.read.rows(tuple[str, int], sql)}


@pytest.fixture
def books(connection: WriteConnection) -> Books:
    return Books(connection)


@pytest.fixture
def opened(books: Books) -> Books:
    books.open(HOLDINGS, "1000")
    return books


def test_a_purchase_is_paid_in_cash_with_its_fee_in_an_account_of_its_own(opened: Books) -> None:
    assert opened.fill(executed("x1", Side.BUY, "5", "120", "1.5"))

    assert ledger.held(opened.read) == [Held(AAPL, Decimal(15), Decimal(1600)), Held(IBM, Decimal(4), Decimal(800))]
    assert ledger.funds(opened.read) == Funds(Decimal("398.5"), Decimal(0))
    assert opened.balances() == {
        "holdings": 2400, "cash": Decimal("398.5"), "fees": Decimal("1.5"), "opening": -2800,
    }  # fmt: skip
    assert [lot.id for lot in ledger.lots(opened.read, PAPER, AAPL)] == ["opening 1", "x1"]
    assert audit.audit(opened.read) is None


def test_a_sale_realises_by_lot_and_its_cash_settles_the_next_session(opened: Books) -> None:
    opened.fill(executed("x1", Side.BUY, "5", "120", "1"))
    opened.fill(executed("x2", Side.SELL, "12", "150", "3"))

    # FIFO: 10 shares that cost 1,000 and 2 of the 5 that cost 600, for 1,800; the fee of 3 by 10 to 2.
    first, second = ledger.realised(opened.read)
    assert (first.lot, second.lot) == ("opening 1", "x1")
    assert [first.quantity, first.proceeds, first.cost, first.gain] == [10, 1500, 1000, 500]
    assert [second.quantity, second.proceeds, second.cost, second.gain] == [2, 300, 240, 60]
    assert (first.fee, first.days, second.fee, second.days) == (Decimal("2.5"), 423, Decimal("0.5"), 0)
    assert opened.balances()["realised"] == -560
    assert ledger.funds(opened.read) == Funds(Decimal(399), Decimal(1797))
    assert ledger.funds(opened.read, PAPER).buying_power == ledger.cash(opened.read) == 2196

    opened.settle(FRIDAY)
    assert ledger.funds(opened.read).unsettled == 1797
    opened.settle(MONDAY)
    opened.settle(MONDAY)

    assert ledger.funds(opened.read) == Funds(Decimal(2196), Decimal(0))
    assert opened.read.rows(tuple[int], "SELECT count(*) FROM ledger_transactions WHERE kind = 'settlement'") == [(1,)]
    assert audit.audit(opened.read) is None


def test_the_highest_cost_first_realises_least(opened: Books) -> None:
    opened.fill(executed("x1", Side.BUY, "5", "120"))
    opened.fill(executed("x2", Side.SELL, "7", "150"), Method.HIGHEST_COST)

    assert [(one.lot, one.gain) for one in ledger.realised(opened.read)] == [
        ("x1", Decimal(150)),
        ("opening 1", Decimal(100)),
    ]


def test_a_second_execution_of_the_same_id_changes_nothing_and_says_so(opened: Books) -> None:
    one = ledger.fill(
        execution := executed("x1", Side.SELL, "3", "150"), PAPER, ROUND, 0,
        matched(ledger.lots(opened.read, PAPER, AAPL), execution),
    )  # fmt: skip
    assert opened.book(one, one) == [True, False]
    before, head = ledger.digest(opened.read), chain.head(opened.read)

    assert not opened.fill(executed("x1", Side.BUY, "99", "1"))
    assert (ledger.digest(opened.read), chain.head(opened.read)) == (before, head)
    assert opened.fill(executed("x1", Side.BUY, "1", "1"), broker="alpaca"), "another account's ids are its own"
    assert audit.audit(opened.read) is None


def test_deposits_and_dividends_come_once_and_a_split_keeps_cost(opened: Books) -> None:
    lots = ledger.lots(opened.read, PAPER, AAPL)
    bookings = (
        deposit(Decimal(50), "wire 1"),
        ledger.dividend(AAPL, Decimal("26.5"), PAPER, FRIDAY, ROUND, 0),
        ledger.split(AAPL, lots, split(lots, Decimal(7), Decimal(1)), PAPER, FRIDAY, ROUND, 0),
    )

    assert opened.book(*bookings) == [True] * 3
    assert opened.book(*bookings) == [False] * 3

    assert ledger.held(opened.read)[0] == Held(AAPL, Decimal(70), Decimal(1000))
    assert ledger.cash(opened.read) == Decimal("1076.5")
    assert opened.balances()["dividends"] == Decimal("-26.5")
    assert audit.audit(opened.read) is None


def test_the_lots_of_before_a_session_are_those_without_what_was_booked_for_it_and_later(opened: Books) -> None:
    lots = ledger.lots(opened.read, PAPER, AAPL)
    opened.fill(executed("x1", Side.BUY, "5", "120"))
    opened.fill(executed("x2", Side.SELL, "12", "150", on=MONDAY))
    opened.book(ledger.split(IBM, held := ledger.lots(opened.read, PAPER, IBM), held, PAPER, MONDAY, ROUND, 0))

    def shares(symbol: Symbol, session: dt.date) -> list[tuple[str, Decimal]]:
        return [(lot.id, lot.quantity) for lot in due.lots_before(opened.read, PAPER, symbol, session)]

    assert shares(AAPL, FRIDAY) == [("opening 1", lots[0].quantity)]
    assert shares(AAPL, MONDAY) == [("opening 1", Decimal(10)), ("x1", Decimal(5))]
    assert shares(AAPL, MONDAY + dt.timedelta(1)) == [("x1", Decimal(3))]
    assert shares(IBM, FRIDAY) == [("opening 1", Decimal(4))]


def test_shares_that_come_to_lots_that_are_gone_are_a_lot_that_has_cost_nothing(opened: Books) -> None:
    before = ledger.lots(opened.read, PAPER, AAPL)
    opened.fill(executed("x1", Side.SELL, "10", "150", on=MONDAY))
    late = ledger.split(
        AAPL, before, split(before, Decimal(3), Decimal(1)), PAPER, FRIDAY, ROUND, 0, gone={"opening 1"}
    )  # fmt: skip

    assert opened.book(late, late) == [True, False]
    [lot] = ledger.lots(opened.read, PAPER, AAPL)
    assert [lot.id, lot.acquired, lot.quantity, lot.cost] == [f"AAPL {FRIDAY}", before[0].acquired, 20, 0]
    assert audit.audit(opened.read) is None


def test_accounts_of_two_brokers_are_apart(opened: Books) -> None:
    opened.fill(executed("y", Side.BUY, "2", "10"), broker="alpaca")

    assert ledger.held(opened.read, "alpaca") == [Held(AAPL, Decimal(2), Decimal(20))]
    assert ledger.held(opened.read)[0] == Held(AAPL, Decimal(12), Decimal(1020))
    assert [broker for broker, _, _ in ledger.all_lots(opened.read)] == ["alpaca", PAPER, PAPER]


def test_cash_below_zero_and_shares_owed_are_booked_and_shown_and_no_damage(opened: Books) -> None:
    opened.fill(executed("x1", Side.SELL, "5", "1", symbol=IBM))
    opened.fill(executed("x2", Side.BUY, "100", "100"))

    assert [str(fault) for fault in balance.check(opened.read)] == [
        "ledger_lots paper IBM x1: 1 shares are owed",
        "ledger_balances paper cash: is -8995",
    ]
    assert balance.damage(opened.read) is None
    assert audit.audit(opened.read) is None


@pytest.mark.parametrize("second", [executed("x2", Side.SELL, "8", "1"), executed("x2", Side.SELL, "10", "1")])
def test_whoever_takes_from_a_lot_more_than_it_holds_is_refused_and_nothing_is_booked(
    opened: Books, second: Execution
) -> None:
    stale = ledger.lots(opened.read, PAPER, AAPL)
    opened.fill(executed("x1", Side.SELL, "10" if second.quantity == 10 else "3", "150"))
    head = chain.head(opened.read)

    [refused] = opened.connection.commit([ledger.fill(second, PAPER, ROUND, 0, matched(stale, second))])

    assert isinstance(refused, StatementFailed)
    assert "a lot" in str(refused)
    assert chain.head(opened.read) == head
    assert audit.audit(opened.read) is None


def test_lines_that_do_not_sum_to_zero_are_refused(opened: Books) -> None:
    _, booking = deposit(Decimal(5), "wire")
    off = Statement(booking.sql, (*booking.values[:-1], '[["cash", null, 0, 5, null, null]]'))

    [refused] = opened.connection.commit([[off]])

    assert isinstance(refused, StatementFailed)
    assert "do not sum to zero" in str(refused)


def test_an_import_begins_the_books_anew(opened: Books) -> None:
    opened.fill(executed("x1", Side.SELL, "12", "150", "3"))
    opened.book(ledger.dividend(IBM, Decimal(7), PAPER, FRIDAY, ROUND, 0))

    opened.open(HOLDINGS[:1], "5")

    assert ledger.held(opened.read) == [Held(AAPL, Decimal(10), Decimal(1000))]
    assert opened.balances() == {"holdings": 1000, "cash": 5, "opening": -1005}
    assert ledger.realised(opened.read) == []
    assert audit.audit(opened.read) is None


def test_nobody_but_the_writer_can_add_to_the_books(opened: Books, home: Home) -> None:
    other = apsw.Connection(str(home.database))
    _, booking = deposit(Decimal(5), "wire")
    kept = decisions.insert(BUY, ROUND, 0)

    for statement in (
        booking, kept,
        Statement("INSERT INTO ledger_entries (transaction_id, account, quantity, amount) VALUES (1, 'cash', 0, 5)"),
        Statement("INSERT INTO ledger_transactions (kind, origin, correlation_id, at) VALUES ('opening', '', '', 0)"),
        Statement("INSERT INTO chain (number, subject, item, hash) VALUES (9, 'ledger', 1, zeroblob(32))"),
    ):  # fmt: skip
        with pytest.raises(apsw.SQLError, match="no such function: chain_hash"):
            fetch(other, statement.sql, statement.values)
    other.close()


# What is changed behind the books' back

LONG = 16
"""Characters; of longer texts not each is tried, unless the test is a long one."""
SPOILT = ("ledger_transactions", "ledger_entries", "decisions", "chain", "ledger_balances", "ledger_lots")


@pytest.fixture
def kept(opened: Books) -> Books:
    """Books with everything in them once, whose triggers are gone."""
    opened.fill(executed("x1", Side.BUY, "5", "120", "1"))
    opened.connection.commit([[decisions.insert(BUY, ROUND, 0)]])
    opened.fill(executed("x2", Side.SELL, "12", "150", "3"))
    opened.book(ledger.dividend(IBM, Decimal(7), PAPER, FRIDAY, ROUND, 0))
    opened.book(deposit(Decimal(9), "wire"))
    raw = opened.connection.raw
    fetch(raw, "PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON; PRAGMA synchronous = OFF")
    for name in columns(opened.read, "SELECT name FROM sqlite_schema WHERE type = 'trigger'"):
        fetch(raw, f"DROP TRIGGER {name}")
    assert audit.audit(opened.read) is None
    return opened


def columns(read: Reader, sql: str, *values: str) -> list[str]:
    """One column."""
    return [one for (one,) in read.rows(tuple[str], sql, *values)]


def spoilings(value: Any, step: int) -> list[Any]:
    """The value with each of its bytes changed, of a long one each so many; or something where there was nothing."""
    if value is None:
        return ["x"]
    if isinstance(value, int):
        return [value ^ (1 << (8 * byte)) for byte in range(7)] + [-value - 1]
    if isinstance(value, bytes):
        return [value[:at] + bytes([value[at] ^ 1]) + value[at + 1 :] for at in range(0, len(value), step)]
    places = range(0, len(value), step if len(value) > LONG else 1)
    return [value[:at] + chr(ord(value[at]) ^ 1) + value[at + 1 :] for at in places] + [value + " "]


@pytest.mark.parametrize("step", [29, pytest.param(1, marks=pytest.mark.long)])
def test_any_byte_of_any_row_that_is_changed_is_found_and_the_row_is_named(kept: Books, step: int) -> None:
    raw, tried = kept.connection.raw, 0
    of_entry = dict(kept.read.rows(tuple[int, int], "SELECT id, transaction_id FROM ledger_entries"))
    for table in SPOILT:
        names = columns(kept.read, "SELECT name FROM pragma_table_info(?)", table)
        keys = columns(kept.read, "SELECT name FROM pragma_table_info(?) WHERE pk", table)
        where = " AND ".join(f"{key} = ?" for key in keys)
        for row in fetch(raw, f"SELECT {', '.join(names)} FROM {table}"):
            key = [row[names.index(each)] for each in keys]
            for name, value in zip(names, row, strict=True):
                for spoilt in spoilings(value, step):
                    fetch(raw, "BEGIN")
                    try:
                        fetch(raw, f"UPDATE {table} SET {name} = ? WHERE {where}", (spoilt, *key))
                    except apsw.ConstraintError:  # of another type, or a second of the same: the database refuses
                        fetch(raw, "ROLLBACK")
                        continue
                    fetch(raw, "COMMIT")
                    fault = audit.audit(kept.read)
                    about = f"{table} {key} {name} = {spoilt!r}: {fault}"
                    assert fault is not None, about
                    assert named(fault, table, key, spoilt, of_entry), about
                    back = {each: spoilt if each == name else one for each, one in zip(keys, key, strict=True)}
                    fetch(raw, f"UPDATE {table} SET {name} = ? WHERE {where}", (value, *back.values()))
                    tried += 1
    assert tried > 1_000
    assert audit.audit(kept.read) is None


def named(fault: Fault, table: str, key: list[Any], spoilt: Any, of_entry: dict[int, int]) -> bool:
    """Whether it says where to look: the row, an entry's transaction, what a link is about, or the row's sum."""
    match table:
        case "ledger_entries":
            return fault.id in (str(of_entry[key[0]]), str(key[0]), str(spoilt)) or fault.table == "ledger_entries"
        case "chain":
            return "link" in fault.what or fault.table == "chain"
        case "ledger_transactions" | "decisions":
            return (fault.table, fault.id) == (table, str(key[0])) or "missing" in fault.what
        case _:
            return fault.table == table
    return False


@pytest.mark.parametrize(
    ("sql", "fault"),
    [
        ("DELETE FROM decisions", "decisions {decision}: is missing, but link 5 of the chain is about it"),
        ("DELETE FROM ledger_transactions WHERE id = 2",
         "ledger_transactions 2: is missing, but link 4 of the chain is about it"),
        ("DELETE FROM chain WHERE number = 4", "chain 4: is missing; the next is 5"),
        ("DELETE FROM chain WHERE number = 8",
         "ledger_transactions 5: has no link in the chain; 1 have none, 0 were there before it"),
        ("INSERT INTO ledger_transactions (kind, origin, correlation_id, at) VALUES ('opening', '', '', 0)",
         "ledger_transactions 6: has no link in the chain; 1 have none, 0 were there before it"),
        ("INSERT INTO ledger_entries (transaction_id, account, quantity, amount) VALUES (77, 'cash', 0, 0)",
         "ledger_entries {entry}: is of transaction 77, which is not there"),
        ("DELETE FROM ledger_lots WHERE lot = 'x1'",
         "ledger_lots paper holdings AAPL x1: has None and None, its entries sum to 3000000000 and 360000000000, "
         "in 1e-9"),
    ],
)  # fmt: skip
def test_what_is_taken_away_or_put_in_is_named(kept: Books, sql: str, fault: str) -> None:
    ((decision,),) = fetch(kept.connection.raw, "SELECT id FROM decisions")
    ((entry,),) = fetch(kept.connection.raw, "SELECT max(id) + 1 FROM ledger_entries")

    fetch(kept.connection.raw, sql)

    assert str(audit.audit(kept.read)) == fault.format(decision=decision, entry=entry)


def test_at_start_sums_that_are_off_and_a_broken_end_of_the_chain_are_damage(kept: Books) -> None:
    assert balance.check(kept.read) == []

    fetch(kept.connection.raw, "UPDATE chain SET hash = zeroblob(32) WHERE number = 8")
    assert "link 8 of the chain is not what was committed" in str(balance.damage(kept.read))
    fetch(kept.connection.raw, "UPDATE ledger_balances SET quantity = quantity + 1 WHERE account = 'holdings'")
    assert [fault.what for fault in balance.check(kept.read)][1:3] == ["quantities sum to 0.000000001, not to zero"] * 2


# Anything in any order

PRICES = st.decimals(Decimal("0.01"), 500, places=4)
SHARES = st.decimals(UNIT, 50, places=9)
SYMBOLS = st.sampled_from([AAPL, IBM])


class Trading(RuleBasedStateMachine):
    """Whatever comes, twice or once, a model of a dozen lines says the same."""

    @initialize()
    def begin(self) -> None:
        self.place = TemporaryDirectory()
        home = Home(Path(self.place.name) / "desk")
        home.take()  # makes it
        home.release()
        self.books = Books(open_for_writing(home, FIXED, 0))
        self.done = list[Booking]()
        self.cash, self.shares, self.day = Decimal(0), dict[Symbol, Decimal](), FRIDAY
        self.books.open([], "0")

    @rule(aapl=SHARES, cost=PRICES, cash=st.decimals(0, 10_000, places=9))
    def opening(self, aapl: Decimal, cost: Decimal, cash: Decimal) -> None:
        self.books.open([Holding(AAPL, aapl, cost, None)], str(cash))
        self.cash, self.shares = cash, {AAPL: aapl}

    @rule(side=st.sampled_from([*Side]), symbol=SYMBOLS, quantity=SHARES, price=PRICES, fee=st.sampled_from("017"),
          method=st.sampled_from([*Method]))  # fmt: skip
    def fill(self, side: Side, symbol: Symbol, quantity: Decimal, price: Decimal, fee: str, method: Method) -> None:
        name = f"x{len(self.done)}"
        execution = Execution(ClientId("a" * 24), name, symbol, side, quantity, price, Decimal(fee), self.day, 0)
        lots = ledger.lots(self.books.read, PAPER, symbol)
        self.once(ledger.fill(execution, PAPER, ROUND, 0, matched(lots, execution, method)))
        sign = 1 if side is Side.BUY else -1
        self.shares[symbol] = self.shares.get(symbol, Decimal(0)) + sign * quantity
        self.cash -= sign * (quantity * price).quantize(UNIT) + Decimal(fee)

    @rule(amount=st.decimals(-500, 500, places=9))
    def deposit(self, amount: Decimal) -> None:
        self.once(deposit(amount, f"d{len(self.done)}", self.day))
        self.cash += amount

    @rule(symbol=SYMBOLS, amount=PRICES)
    def dividend(self, symbol: Symbol, amount: Decimal) -> None:
        self.tomorrow()
        self.once(ledger.dividend(symbol, amount, PAPER, self.day, ROUND, 0))
        self.cash += amount

    @rule(symbol=SYMBOLS, ratio=st.sampled_from([(2, 1), (7, 1), (1, 3), (3, 2)]))
    def split(self, symbol: Symbol, ratio: tuple[int, int]) -> None:
        self.tomorrow()
        before = ledger.lots(self.books.read, PAPER, symbol)
        after = split(before, *map(Decimal, ratio))
        self.once(ledger.split(symbol, before, after, PAPER, self.day, ROUND, 0))
        self.shares[symbol] = sum((lot.quantity for lot in after), Decimal(0))

    @rule()
    def tomorrow(self) -> None:
        self.day += dt.timedelta(days=1)
        self.books.settle(self.day)

    @rule(data=st.data())
    def again(self, data: st.DataObject) -> None:
        if self.done:
            assert self.books.book(data.draw(st.sampled_from(self.done))) == [False]

    def once(self, booking: Booking) -> None:
        assert self.books.book(booking, booking) == [True, False]
        self.done.append(booking)

    @invariant()
    def what_is_held_is_what_the_model_says(self) -> None:
        read = self.books.read
        assert {held.symbol: held.quantity for held in ledger.held(read)} == {
            symbol: shares for symbol, shares in self.shares.items() if shares
        }
        assert ledger.cash(read) == self.cash
        assert audit.audit(read) is None
        assert {(fault.table, "cash" in fault.id) for fault in balance.check(read)} <= {
            ("ledger_lots", False),
            ("ledger_balances", True),
        }
        assert sum((one.gain for one in ledger.realised(read)), Decimal(0)) == -self.books.balances().get("realised", 0)
        fees = sum((one.fee for one in ledger.realised(read)), Decimal(0))
        assert fees <= self.books.balances().get("fees", 0)

    def teardown(self) -> None:
        self.books.connection.close()
        self.books.read.close()
        self.place.cleanup()


TestTrading = Trading.TestCase
TestTrading.settings = settings(max_examples=8, stateful_step_count=15, deadline=None, print_blob=True)
