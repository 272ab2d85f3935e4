"""The research coordinator: from facts to a decision."""

from typing import assert_never

from actors.domain import rules
from actors.kernel.me import Me
from messages import research
from messages.tasks import Finished, Recommend, Run
from storage import decisions, fact_sheets
from storage.connections import Reader


class ResearchCoordinator:
    """Facts in, one decision out; it goes to the database with the completion of its task."""

    def __init__(self, me: Me[research.Message], read: Reader) -> None:
        self._me, self._read = me, read

    def on_receive(self, message: research.Message) -> None:
        """The whole protocol."""
        match message:
            case Run():
                self._decide(message)
            case _:
                assert_never(message)

    def _decide(self, run: Run) -> None:
        work = run.expect(Recommend)
        sheet = fact_sheets.load(self._read, run.correlation_id, work.symbol)
        if work.use_claude:
            run.reply_to.refuse("invalid", "Claude cannot be asked by this release; recommend by rules")
        elif sheet is None:
            run.reply_to.refuse("invalid", f"there is no fact sheet of {work.symbol} in round {run.correlation_id}")
        else:
            decision = decisions.insert(rules.recommend(sheet), run.correlation_id, self._me.clock.utc())
            run.reply_to.tell(Finished(run.lease, (decision,)))
