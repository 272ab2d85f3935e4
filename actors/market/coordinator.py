"""The market coordinator: which bars, splits and dividends the desk believes, and which sector a symbol is of."""

import datetime as dt
from typing import assert_never

from actors.domain import actions as possible
from actors.domain.bars import Fault, fault, last_session
from actors.kernel.me import Me
from messages import market
from messages.addresses import Ref, Refused
from messages.market import Bars, Fetch, Fetched
from messages.tasks import Finished, RefreshBars, Run
from storage import actions, bars, sectors
from storage.connections import Reader

FETCH_WITHIN = 60.0
"""Seconds a source may take for one symbol."""


class MarketCoordinator:
    """Asks the source, checks what comes, and hands in what has changed."""

    def __init__(self, me: Me[market.Message], source: Ref[market.SourceMessage], read: Reader) -> None:
        self._me, self._source, self._read = me, source, read

    def on_receive(self, message: market.Message) -> None:
        """The whole protocol."""
        match message:
            case Run():
                self._fetch(message)
            case Fetched(Run() as run):
                self._check(run, message)
            case Refused(Run() as run):
                run.reply_to.refuse(message.code, message.sentence, message.retry_at)
            case Fetched() | Refused():
                raise TypeError(f"an answer about {message.about!r}, which was never asked")
            case _:
                assert_never(message)

    def _fetch(self, run: Run) -> None:
        symbol = run.expect(RefreshBars).symbol
        self._source.tell(Fetch(symbol, self._me.reply_to(run, of=self._source, within=FETCH_WITHIN)))

    def _check(self, run: Run, fetched: Fetched) -> None:
        found = fault(fetched.bars) or self._to_come(fetched.bars)
        if found is not None:
            place = f"{fetched.place} line {fetched.first_line + found.row}"
            run.reply_to.refuse("invalid", f"{place}: {found.sentence}")
            return
        for each in fetched.actions:
            if (wrong := possible.fault(each.action, fetched.bars)) is not None:
                run.reply_to.refuse("invalid", f"{each.place}: {wrong}")
                return
        symbol, read = fetched.symbol, self._read
        effects = (
            *bars.replace(read, symbol, fetched.bars),
            *actions.replace(read, symbol, fetched.actions),
            *sectors.replace(read, symbol, fetched.sector),
        )
        run.reply_to.tell(Finished(run.lease, effects))

    def _to_come(self, fetched: Bars) -> Fault | None:
        """A session that is not over anywhere: one such slip would make every other symbol's prices look old."""
        latest = dt.datetime.fromtimestamp(self._me.clock.utc() / 1e6, dt.UTC).date() + dt.timedelta(days=1)
        last = last_session(fetched)
        return Fault(len(fetched) - 1, f"date {last} is still to come") if last > latest else None
