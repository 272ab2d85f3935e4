"""A round: prices, value, facts and a recommendation for every symbol held or watched."""

import hashlib
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from actors.console import calendars
from actors.console.access import Access
from actors.console.asking import NOT_AGREED, Mode, prepare, profile, terms
from messages.claude import Cause
from messages.errors import TroupeError
from messages.market import Resolve, Resolved
from messages.tasks import ComputeFacts, NewTask, Recommend, Reconcile, RefreshBars, ValuePortfolio
from messages.values import CorrelationId, Symbol
from storage import bars, decisions, ledger, orders, tasks, valuations
from storage.connections import Reader
from storage.due import due
from storage.tasks import TaskRow

LOOK: Final = 0.01
"""Seconds between two looks at the tasks that are waited for."""
NOT_ASKED: Final = frozenset({Cause.AUTHENTICATION, Cause.BILLING, Cause.MODEL, Cause.BUDGET, Cause.CIRCUIT_OPEN})
"""Causes that say nothing of a question, but that Claude could not be asked at all."""
ENDED: Final = frozenset({"done", "dead", "cancelled"})


class RoundFailed(TroupeError):
    """A round cannot be made or has not come out whole; the message says why."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person wants: `again` makes a new round where there is one already.

    With `claude` auto the rules answer where Claude cannot be asked, with on nobody does.
    """

    again: bool = False
    claude: Mode = "off"


@dataclass(frozen=True, slots=True)
class _Analyst:
    """Who recommends, and why the rules do where Claude was wanted."""

    model: str | None = None
    why: str | None = None


def begin(access: Access, asked: Asked) -> CorrelationId:
    """Refresh the prices, then submit the round, or find it: the same inputs are the same round.

    Its inputs are session, symbols, analyst, holdings, bars and currency. Raises RoundFailed, DeskRefused, DeskFailed.
    """
    symbols = concerned(access)
    if not symbols:
        raise RoundFailed(
            "nothing is held and nothing is watched: import holdings with `run.py import FILE`, "
            "or set watch under [research] in desk.toml"
        )
    calendars.refresh(access)
    refresh(access, symbols)
    if asked.claude != "off" and not terms(access, len(symbols)).agreed:
        raise RoundFailed(NOT_AGREED)
    tasks_ = _kept(access, symbols, asked)
    if tasks_ is None:
        tasks_ = plan(access, symbols, asked, _analyst(access, asked))
        if _failed(access, tasks_):  # or what went wrong with Claude once would be printed for ever
            tasks_ = plan(access, symbols, replace(asked, again=True), _analyst(access, asked))
    correlation_id = _correlation_id(tasks_[0].key)
    if tasks.by_key(access.read, tasks_[0].key) is None and _there(access.read, tasks_[0].key):  # its tasks were pruned
        if len(decisions.together(access.read, correlation_id)) == len(symbols):
            return correlation_id
        tasks_ = plan(access, symbols, replace(asked, again=True), _analyst(access, asked))
        correlation_id = _correlation_id(tasks_[0].key)
    access.submit(tasks_, correlation_id)
    return correlation_id


def concerned(access: Access) -> list[Symbol]:
    """What a round is about: whatever is held or watched."""
    return sorted({*(held.symbol for held in ledger.held(access.read)), *resolve(access, access.watch)})


def _kept(access: Access, symbols: Sequence[Symbol], asked: Asked) -> list[NewTask] | None:
    """The same round by Claude, if there is one, whichever way it was asked for: nobody pays for it twice.

    With on it is one that has no rules in it, and never will.
    """
    modes: tuple[Mode, ...] = () if asked.claude == "off" else (asked.claude, "on", "auto")
    for mode in modes:
        new = plan(access, symbols, replace(asked, claude=mode), _Analyst(access.asking.model))
        if _there(access.read, new[0].key):
            made = [record.decision for record in decisions.together(access.read, _correlation_id(new[0].key))]
            whole = len(made) == len(symbols) and all(each.stand_in is None for each in made)
            if (whole or mode == asked.claude or asked.claude == "auto") and not _failed(access, new):
                return new
    return None


def _failed(access: Access, new: Sequence[NewTask]) -> bool:
    """Whether this round is there, and came to no view of a symbol because Claude could not be asked."""
    made = decisions.together(access.read, _correlation_id(new[0].key))
    return any((each.decision.cause or "").partition(":")[0] in NOT_ASKED for each in made)


def _analyst(access: Access, asked: Asked) -> _Analyst:
    """Claude where it is wanted and can be asked. Raises RoundFailed."""
    if asked.claude == "off":
        return _Analyst()
    if (refused := prepare(access)) is None:
        return _Analyst(access.asking.model)
    if asked.claude == "on":
        raise RoundFailed(f"--claude on: Claude cannot be asked ({refused.cause}): {refused.sentence}")
    return _Analyst(None, f"{refused.cause}: {refused.sentence}")


def resolve(access: Access, names: Sequence[str]) -> list[Symbol]:
    """The symbols a person has named. Raises RoundFailed for one that has no prices here."""
    if not names:
        return []
    found = access.ask(Resolved, access.source, lambda reply_to: Resolve(tuple(names), reply_to))
    if found.unknown:
        raise RoundFailed(f"[research] watch: the price source has no {', '.join(found.unknown)}")
    return [symbol for _, symbol in found.known]


def refresh(access: Access, symbols: Iterable[Symbol]) -> None:
    """Bring the bars of these symbols up to date, and the books where one was split or has paid a dividend.

    Raises RoundFailed if one cannot be had.
    """
    correlation_id = CorrelationId(secrets.token_hex(16))
    new = [NewTask(f"refresh_bars/{symbol}/{correlation_id}", "data", RefreshBars(symbol)) for symbol in symbols]
    if orders.open_orders(access.read):  # new bars may fill them
        needs = tuple(task.key for task in new)
        new.append(NewTask(f"reconcile/{correlation_id}", "portfolio", Reconcile(), needs=needs))
    _done(access, new, correlation_id)
    if due(access.read, access.broker):
        correlation_id = CorrelationId(secrets.token_hex(16))
        _done(access, [NewTask(f"reconcile/{correlation_id}", "portfolio", Reconcile())], correlation_id)


def _done(access: Access, new: Sequence[NewTask], correlation_id: CorrelationId) -> None:
    access.submit(new, correlation_id)
    while not ended(rows := tasks.together(access.read, correlation_id)):
        access.pause(LOOK)
    for row in rows:
        if row.state != "done":
            raise RoundFailed((row.error or "").partition(": ")[2] or f"task {row.id} is {row.state}")


def ended(rows: Sequence[TaskRow]) -> bool:
    """Whether all of these tasks have come to an end."""
    return all(row.state in ENDED for row in rows)


def plan(access: Access, symbols: Sequence[Symbol], asked: Asked, analyst: _Analyst) -> list[NewTask]:
    """The tasks of a round, the valuation first; facts need it, and each recommendation needs its facts."""
    read = access.read
    as_of = max(session for symbol in symbols if (session := bars.last_session(read, symbol)))
    who = "rules" if analyst.model is None else f"{asked.claude} {profile(access.asking)!r}"
    if analyst.why is not None:
        who = f"rules instead: {analyst.why.partition(':')[0]}"
    inputs = (as_of, symbols, who, access.currency, ledger.digest(read), bars.digest(read, symbols))
    key = hashlib.sha256(repr(inputs).encode()).hexdigest()[:16]
    number = _number(read, key, again=asked.again)
    value = NewTask(f"value_portfolio/{key}/{number}", "portfolio", ValuePortfolio(as_of), priority=8)
    facts = [
        NewTask(f"facts/{symbol}/{key}/{number}", "analysis", ComputeFacts(symbol, as_of), needs=(value.key,))
        for symbol in symbols
    ]
    recommendations = [
        NewTask(
            f"recommendation/{symbol}/{key}/{number}",
            "analysis",
            Recommend(symbol, as_of, analyst.model is not None, asked.claude == "auto", analyst.why),
            requires_claude=analyst.model is not None,
            needs=(fact.key,),
        )
        for symbol, fact in zip(symbols, facts, strict=True)
    ]
    return [value, *facts, *recommendations]


def _number(read: Reader, key: str, *, again: bool) -> int:
    """How often there has been a round of these inputs, and once more where a new one is wanted."""
    number = 1
    while _there(read, f"value_portfolio/{key}/{number + (not again)}"):
        number += 1
    return number


def _there(read: Reader, key: str) -> bool:
    """Whether the round that begins with this task has begun; its tasks are pruned in the end, its valuation stays."""
    return tasks.by_key(read, key) is not None or valuations.load(read, _correlation_id(key)) is not None


def _correlation_id(key: str) -> CorrelationId:
    return CorrelationId(hashlib.sha256(key.encode()).hexdigest()[:32])
