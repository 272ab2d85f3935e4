"""The trading coordinator: the only one to write the ledger. So far it opens the books."""

from typing import assert_never

from actors.kernel.me import Me
from messages import database, trading
from messages.addresses import Ref, Refused
from messages.database import Committed, Write
from messages.trading import Import, Imported
from messages.values import OutOfRange
from storage import ledger
from storage.connections import typed

COMMIT_WITHIN = 60.0
"""Seconds a write may take."""


class TradingCoordinator:
    """Owns holdings and ledger. An import reverses the former one in the same write, so no order of them is wrong."""

    def __init__(self, me: Me[trading.Message], writer: Ref[database.Message]) -> None:
        self._me, self._writer = me, writer

    def on_receive(self, message: trading.Message) -> None:
        """The whole protocol."""
        match message:
            case Import():
                self._import(message)
            case Committed(Import() as asked, rows):
                asked.reply_to.tell(Imported(typed(tuple[int], rows[0])[0][0]))
            case Refused(Import() as asked):
                asked.reply_to.refuse(message.code, message.sentence, message.retry_at)
            case Committed() | Refused():
                raise TypeError(f"an answer about {message.about!r}, which was never asked")
            case _:
                assert_never(message)

    def _import(self, asked: Import) -> None:
        try:
            statements = ledger.opening(
                asked.holdings, asked.cash, asked.origin, asked.correlation_id, self._me.clock.utc()
            )
        except OutOfRange as error:
            asked.reply_to.refuse("invalid", f"{asked.origin}: {error}")
            return
        self._writer.tell(Write(statements, self._me.reply_to(asked, of=self._writer, within=COMMIT_WITHIN)))
