"""What is done for each order and every few minutes takes no longer after years: no table of the past is read whole."""

from typing import Any

import pytest

from storage import ledger, orders, paper
from storage.connections import Reader
from storage.home import Home
from tests.actors.trading.staged import Desk, Exchange

TICK = 5 * 60.0
FEW = (
    "bars", "json_each", "ledger_balances", "ledger_lots", "trading_states", "trading_mandates",
    "trading_orders_open", "paper_orders_open",
    "trading_fills_by_time", "ledger_transactions_others", "ledger_transactions_openings", "symbol_sectors",
)  # fmt: skip
"""What does not grow with the past, what is open, and indexes that end after a few of an account's rows."""


def test_neither_an_order_nor_a_look_reads_a_table_of_the_past_from_end_to_end(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, fetched = dict[str, Any](), Reader.fetched

    def recorded(read: Reader, line: Any, sql: str, values: Any) -> Any:
        asked[sql] = values
        return fetched(read, line, sql, values)

    desk = Desk(home, Exchange())
    desk.open()
    desk.system.advance(TICK)
    monkeypatch.setattr(Reader, "fetched", recorded)
    order = desk.stage()
    desk.approve(order.id)
    desk.system.settle()
    desk.ref.tell(desk.exchange.fill(order.id))
    desk.system.settle()
    desk.reconcile()
    desk.system.advance(TICK)
    for look in (ledger.began_with, orders.last_note):
        look(desk.read)
    for since in (paper.lately, paper.executions):
        since(desk.read, 1)
    monkeypatch.undo()

    plans = {
        sql: [step for *_, step in desk.read.rows(tuple[int, int, int, str], f"EXPLAIN QUERY PLAN {sql}", *values)]
        for sql, values in asked.items()
    }
    whole = [
        (step, sql)
        for sql, plan in plans.items()
        for step in plan
        if (step.startswith("SCAN ") or step.endswith("(broker=?)")) and not any(name in step for name in FEW)
        if "LIMIT" not in sql
    ]
    assert whole == []
