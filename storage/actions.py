"""Splits and dividends as the price source has them: table `corporate_actions`, in units of 1e-9."""

import datetime as dt
from collections.abc import Iterable

from messages.database import Statement
from messages.market import Action, ActionKind, Listed
from messages.values import Symbol, from_units, to_units
from storage.connections import Reader

_COLUMNS = "symbol, session, kind, value, per"


def replace(read: Reader, symbol: Symbol, listed: Iterable[Listed]) -> tuple[Statement, ...]:
    """What makes the stored ones of a symbol these, touching only those that differ."""
    stored = {(each.session, each.kind): each for each in after(read, dt.date.min, symbol)}
    statements = list[Statement]()
    for each in listed:
        action = each.action
        if stored.pop((action.session, action.kind), None) != action:
            statements.append(
                Statement(
                    f"""INSERT INTO corporate_actions ({_COLUMNS}, source) VALUES (?, ?, ?, ?, ?, ?)
                    ON CONFLICT (symbol, session, kind) DO UPDATE
                    SET value = excluded.value, per = excluded.per, source = excluded.source""",
                    (
                        symbol, action.session.isoformat(), action.kind, to_units(action.value), to_units(action.per),
                        each.place,
                    ),
                )
            )  # fmt: skip
    gone = (
        Statement(
            "DELETE FROM corporate_actions WHERE symbol = ? AND session = ? AND kind = ?",
            (symbol, session.isoformat(), kind),
        )
        for session, kind in stored
    )
    return (*statements, *gone)


def are_there(read: Reader) -> bool:
    """Whether any was ever told of."""
    return bool(read.rows(tuple[int], "SELECT 1 FROM corporate_actions LIMIT 1"))


def after(read: Reader, session: dt.date, symbol: Symbol | None = None) -> list[Action]:
    """Those of later sessions, of one symbol or of all, in their order; of one day and symbol the dividend first."""
    which = "symbol = ?2 AND session > ?1" if symbol is not None else "session > ?1 AND ?2 IS NULL"
    rows = read.rows(
        tuple[str, str, str, int, int],
        f"SELECT {_COLUMNS} FROM corporate_actions WHERE {which} ORDER BY session, symbol, kind",
        session.isoformat(), symbol,
    )  # fmt: skip
    return [_action(*row) for row in rows]


def _action(symbol: str, session: str, kind: str, value: int, per: int) -> Action:
    day = dt.date.fromisoformat(session)
    return Action(Symbol(symbol), day, ActionKind(kind), from_units(value), from_units(per))
