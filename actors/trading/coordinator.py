"""The trading coordinator: the only one to write the ledger. So far it opens the books."""

from dataclasses import dataclass
from typing import assert_never

from actors.kernel.me import Me
from messages import database, trading
from messages.addresses import Ref, Refused
from messages.database import Committed, Write, WritesHeld, WritesResumed
from messages.trading import Import, Imported
from messages.values import OutOfRange
from storage import ledger
from storage.connections import typed

COMMIT_WITHIN = 60.0
"""Seconds a write may take."""


@dataclass(frozen=True, slots=True)
class _Look:
    """What an empty write is about that asks whether writes are committed again."""


class TradingCoordinator:
    """Owns holdings and ledger. An import reverses the former one in the same write, so no order of them is wrong.

    Trading is ACTIVE, or HALTED while nothing can be committed: then whatever would act is refused with the reason.
    """

    def __init__(self, me: Me[trading.Message], writer: Ref[database.Message]) -> None:
        self._me, self._writer = me, writer
        self._halted: str | None = None

    def on_receive(self, message: trading.Message) -> None:
        """The whole protocol."""
        match message:
            case Import():
                self._import(message) if self._halted is None else self._refuse(message, self._halted)
            case WritesHeld(why):
                self._halted = why
            case WritesResumed() | Committed(_Look()):
                self._halted = None
            case Refused(_Look()):
                self._halted = message.sentence if self._halted else None  # writes may have been resumed meanwhile
            case Committed(Import() as asked, rows):
                asked.reply_to.tell(Imported(typed(tuple[int], rows[0])[0][0]))
            case Refused(Import() as asked):
                asked.reply_to.refuse(message.code, message.sentence, message.retry_at)
            case Committed() | Refused():
                raise TypeError(f"an answer about {message.about!r}, which was never asked")
            case _:
                assert_never(message)

    def _refuse(self, asked: Import, why: str) -> None:
        """Say why, and look whether it still holds: the event that says so may have been dropped."""
        asked.reply_to.refuse("halted", f"trading is HALTED: {why}")
        self._writer.tell(Write((), self._me.reply_to(_Look(), of=self._writer, within=COMMIT_WITHIN)))

    def _import(self, asked: Import) -> None:
        try:
            statements = ledger.opening(
                asked.holdings, asked.cash, asked.origin, asked.correlation_id, self._me.clock.utc()
            )
        except OutOfRange as error:
            asked.reply_to.refuse("invalid", f"{asked.origin}: {error}")
            return
        self._writer.tell(Write(statements, self._me.reply_to(asked, of=self._writer, within=COMMIT_WITHIN)))
