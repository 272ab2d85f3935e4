"""A worker: one of a crew without state that runs the jobs, side by side."""

import logging
from collections import defaultdict
from collections.abc import Callable
from typing import Any, Final

from actors.workers.jobs import JOBS, Job, Known
from actors.workers.places import IMPOSSIBLE, UNAVAILABLE, Failed, Here, Outcome, Place, failure
from messages.correlation import Trace, within
from messages.tasks import Finished, Run, Work
from storage.connections import NotNow

CHUNK: Final = 16
"""Jobs done together at most; measured for processes: 9 µs a job to send and to hear of it, alone 75 to 250 µs."""
WAITS: Final = 1
"""Threads for work that mostly waits: backups, which must not meet each other."""
AGAIN: Final = 5.0
"""Seconds after which a task is tried again whose place was not there."""
_log: Final = logging.getLogger("troupe.workers")


class Worker:
    """Loads, has computed, hands in. It owns nothing but its place, so whoever of the crew is free takes what waits.

    What is not pure is computed here, in its own thread.
    """

    def __init__(
        self,
        take: Callable[[int], list[Run]],
        place: Place,
        known: Known,
        utc: Callable[[], int],
        chunk: int = CHUNK,
    ) -> None:
        self._take, self._place, self._here, self._chunk = take, place, Here(), chunk
        self._known, self._utc = known, utc

    def on_receive(self, run: Run) -> None:
        """Run one task, and together with it some that wait."""
        if type(run.work) not in JOBS:
            raise TypeError(f"task {run.lease.task}: {type(run.work).__name__} is not a worker's job")
        by_type = defaultdict[type[Work], list[Run]](list)
        for each in (run, *self._take(self._chunk - 1)):
            by_type[type(each.work)].append(each)
        for kind, runs in by_type.items():
            self._run(JOBS[kind], runs)

    def on_stop(self) -> None:
        """Release the place."""
        self._place.close()

    def _run(self, job: Job[Any, Any], runs: list[Run]) -> None:
        wanted, inputs = list[Run](), list[Any]()
        for run in runs:
            if run.reply_to.told:  # late, or nobody waits any more
                continue
            try:
                inputs.append(job.load(self._known, run))
                wanted.append(run)
            except NotNow as error:  # the disk's fault, not the task's
                self._refuse(run, Failed(UNAVAILABLE, str(error)))
            except Exception as error:
                self._refuse(run, failure(error))
        given_up = [run.reply_to for run in wanted]
        place = self._place if job.pure else self._here
        for number, outcome in place.compute(job.compute, inputs, lambda number: given_up[number].told):
            self._hand_in(job, wanted[number], outcome)

    def _hand_in(self, job: Job[Any, Any], run: Run, outcome: Outcome) -> None:
        if isinstance(outcome, Failed):
            self._refuse(run, outcome)
            return
        try:
            effects = () if job.effect is None else job.effect(outcome.value, run.correlation_id, self._utc())
        except Exception as error:
            self._refuse(run, failure(error))
        else:
            run.reply_to.tell(Finished(run.lease, effects))

    def _refuse(self, run: Run, failed: Failed) -> None:
        if failed.code == IMPOSSIBLE:
            run.reply_to.refuse(failed.code, failed.why)
            return
        sentence, again = f"{type(run.work).__name__}: {failed.why}", None
        with within(Trace(run.correlation_id)):  # it may have been taken together with others
            if failed.code == UNAVAILABLE:
                _log.warning("task %d waits: %s", run.lease.task, failed.why)
                again = self._utc() + round(AGAIN * 1e6)
            else:
                _log.error("task %d, attempt %d: %s\n%s", run.lease.task, run.lease.attempt, failed.why, failed.stack)
        run.reply_to.refuse(failed.code, sentence, again)
