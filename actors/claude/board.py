"""How far each question is: the latest of each, for whoever asks, whenever they ask."""

from dataclasses import replace
from typing import Final

from actors.claude.scanner import completed
from actors.claude.sessions import Heard
from actors.kernel.scheduler import Clock
from messages.claude import Progress, Question, Watch

KEPT: Final = 100
"""Questions whose progress is kept after they have ended, so that nobody misses an end."""


class Board:
    """Of each question the latest wins: who is slow sees fewer steps but each end, and slows nobody."""

    def __init__(self, clock: Clock) -> None:
        self._now, self._number = clock.monotonic, 0
        self._latest, self._watches = dict[str, Progress](), list[Watch]()

    def show(self, question: Question, heard: Heard | None, *, ended: bool = False) -> None:
        """A question is this far; tell those who watch it."""
        said = heard or Heard(question.id, "", "", "", 0, 0)
        self._number = max(self._number + 1, round(self._now() * 1e6))  # goes on growing in the next incarnation
        values = completed(said.structured) if question.profile.schema else ()
        self._latest.pop(question.id, None)
        self._latest[question.id] = Progress(
            None, question.id, question.correlation_id, question.symbol,
            self._number, said.text, said.thinking, values, ended,
        )  # fmt: skip
        while len(self._latest) > KEPT:
            del self._latest[next(iter(self._latest))]
        watches, self._watches = self._watches, []
        for watch in watches:
            self.watch(watch)

    def watch(self, watch: Watch) -> None:
        """Tell at once what is new, or as soon as there is something."""
        if watch.reply_to.told:  # it was late
            return
        new = [
            each
            for each in self._latest.values()
            if watch.of in (each.question, each.correlation_id) and each.number > watch.after
        ]
        if new:  # of several questions the one that has waited longest, or a slow watcher would miss an end
            watch.reply_to.tell(replace(min(new, key=lambda each: each.number), about=watch.reply_to.about))
        else:
            self._watches = [*(each for each in self._watches if not each.reply_to.told), watch]
