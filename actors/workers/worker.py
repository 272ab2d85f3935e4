"""A worker: one of a crew without state that runs the jobs, side by side."""

from collections.abc import Callable

from actors.workers.jobs import Impossible, back_up, compute_facts, value_portfolio
from messages.database import Statement
from messages.tasks import Backup, ComputeFacts, Finished, Run, ValuePortfolio
from storage.connections import Reader


class Worker:
    """Loads, computes, hands in. It owns nothing, so whichever of the crew is free may take the next task."""

    def __init__(self, read: Reader, currency: str, utc: Callable[[], int]) -> None:
        self._read, self._currency, self._utc = read, currency, utc

    def on_receive(self, run: Run) -> None:
        """Run one task."""
        try:
            effects = self._effects(run)
        except Impossible as error:
            run.reply_to.refuse("invalid", str(error))
        else:
            run.reply_to.tell(Finished(run.lease, effects))

    def _effects(self, run: Run) -> tuple[Statement, ...]:
        match run.work:
            case ComputeFacts() as work:
                return (compute_facts(self._read, work, run.correlation_id, self._utc()),)
            case ValuePortfolio() as work:
                return (value_portfolio(self._read, work, self._currency, run.correlation_id, self._utc()),)
            case Backup() as work:
                back_up(self._read, work)
                return ()
            case other:
                raise TypeError(f"task {run.lease.task}: {type(other).__name__} is not a worker's job")
