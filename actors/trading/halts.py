"""Whether anything may be sent, and whether positions are to be closed."""

from collections.abc import Callable

from messages.trading import TradingState, TradingTerms
from storage import states
from storage.connections import Reader


class Halts:
    """What is stored, the file HALT, and a person's word for real money, taken together as they are at the moment."""

    def __init__(
        self,
        read: Reader,
        terms: TradingTerms,
        halted: Callable[[], str | None],
        unconfirmed: Callable[[], str | None],
    ) -> None:
        self._read, self._halted, self._unconfirmed = read, halted, unconfirmed
        self.broker, self.flattens = terms.broker, terms.when_halted == "flatten"

    def state(self) -> tuple[TradingState, str]:
        """Whether trading goes on, and why not: the strictest of what is on disk, the file HALT, and real money that is
        not confirmed."""
        return states.state(self._read, self.broker, self._halted() or self._unconfirmed())

    @property
    def is_halted(self) -> bool:
        """Whether nothing is sent, by the file HALT or by what is stored."""
        return self._halted() is not None or states.state(self._read, self.broker)[0] is TradingState.HALTED

    @property
    def file(self) -> str | None:
        """Why nothing is sent, if that is because of the file HALT."""
        return self._halted()

    def closing(self) -> str | None:
        """The halt that positions are closed by, if there is one.

        That of the file HALT counts as long as the file is there.
        """
        if self.untouched() is not None:
            return None
        halts, there = states.halts(self._read, self.broker), self._halted() is not None
        closing = (halt for halt in halts if halt.flatten and (halt.scope != states.FILE or there))
        return next((f"halt/{halt.scope}/{halt.at}" for halt in closing), None)

    def untouched(self) -> str | None:
        """Why positions are not closed, whatever a halt says, if so.

        While the file HALT is there nothing at all is sent, unless it is to mean that. And by books that may be wrong
        what was sold already might be sold again.
        """
        if (file := self._halted()) is not None and not self.flattens:
            return f"nothing at all is sent: {file}"
        doubts = (halt.why for halt in states.halts(self._read, self.broker) if halt.cause == "books")
        doubt = next(doubts, None)
        return None if doubt is None else f"the books may be wrong: {doubt}"
