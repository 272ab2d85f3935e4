"""How long tasks waited and ran, and what became of them, for whoever scrapes."""

from collections import Counter
from typing import Final

from messages.tasks import Lease
from storage.tally import Tally
from storage.tasks import Claimed

BOUNDS: Final = (0.01, 0.05, 0.25, 1.0, 5.0, 15.0, 60.0, 300.0, 1800.0, 7200.0)
"""Upper bounds of the buckets, in seconds."""
Outcome = str
"""What became of a lease: done, retried, gated, dead or cancelled."""


class Times:
    """Counted by the coordinator's thread alone; by (queue, type), `ran` by (queue, type, outcome), too."""

    def __init__(self) -> None:
        self.waited, self.retries = dict[tuple[str, str], Tally](), Counter[tuple[str, str]]()
        self.ran = dict[tuple[str, str, str], Tally]()
        self._begun = dict[Lease, tuple[str, str, int]]()

    def leased(self, task: Claimed, now: int) -> None:
        """It has waited until now, UTC in microseconds; a task that is tried again has waited before."""
        kind = task.queue, task.type
        self._begun[task.lease] = (*kind, now)
        if task.lease.attempt == 1:
            self.waited.setdefault(kind, Tally(BOUNDS)).add(max(0, now - task.submitted_at) / 1e6)

    def ended(self, lease: Lease, outcome: Outcome, now: int) -> None:
        """It is over."""
        queue, type_, at = self._begun.pop(lease)
        self.ran.setdefault((queue, type_, outcome), Tally(BOUNDS)).add(max(0, now - at) / 1e6)
        self.retries[queue, type_] += outcome == "retried"
