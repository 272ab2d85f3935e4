"""A person's question to Claude, from an edge: asked, watched while it is answered, cancelled if nobody waits."""

import secrets
from collections.abc import Generator
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any

from actors.console.access import Access, DeskFailed, DeskRefused
from actors.console.asking import NOT_AGREED, terms
from actors.domain import profiles
from actors.kernel.edges import Promise
from messages.addresses import Refused
from messages.claude import Answered, Cancel, Failed, Progress, Purpose, Question, Watch
from messages.correlation import Trace, within
from messages.errors import TroupeError
from messages.values import CorrelationId
from storage import questions

LOOK = 0.25
"""Seconds an edge waits for a step before it looks whether anybody still wants the answer."""
GLANCE = 0.02
"""Seconds it takes to see how far a question is."""
OVERTIME = 5.0
"""Seconds after the end of a question in which its answer is committed."""


class NotAnswered(TroupeError):
    """Claude has not answered, and why."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a person asks; `talk` names a conversation that is kept, which is also its correlation id."""

    text: str
    talk: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """How far the answer is; a text that does not begin with the last one has started over."""

    text: str
    thinking: str


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer; `anew` is true where the talk it should have gone on is lost."""

    answer: str
    question: str
    cost_usd: Decimal
    anew: bool


def ask(access: Access, wanted: Wanted) -> Generator[Step | Reply]:
    """Ask, yield how far it is, and at last the answer. Closed before that, it cancels the question.

    The same step comes again every quarter of a second, so that whoever hands it on sees if nobody listens any more.

    Raises NotAnswered, DeskRefused, DeskFailed.
    """
    if not terms(access, 0).agreed:
        raise NotAnswered(NOT_AGREED)
    id_, answered, clock = secrets.token_hex(8), Promise(), access.system.clock
    deadline = clock.monotonic() + access.asking.answer_within
    profile = profiles.assistant(access.asking)
    purpose: Purpose = "question" if wanted.talk is None else "chat"
    about = CorrelationId(wanted.talk or secrets.token_hex(16))
    begins = wanted.talk is None or not questions.of_round(access.read, about)
    with within(Trace(about, begins=begins)):
        access.claude.tell(
            Question(id_, profile, wanted.text, purpose, about, deadline, answered, conversation=wanted.talk)
        )
    try:
        after, ended, step = 0, False, Step("", "")
        while not ended and not answered.future.done():
            if (progress := _watch(access, id_, after, LOOK)) is not None:
                after, ended, step = progress.number, progress.ended, Step(progress.text, progress.thinking)
            yield step
        yield _reply(access, answered)
    finally:
        if not answered.future.done():
            access.claude.tell(Cancel(id_, "nobody waits for the answer any more"))


def glance(access: Access, of: str, after: int) -> Progress | None:
    """How far the questions of this correlation id are, if further than that; it is no matter if nobody can say."""
    try:
        return _watch(access, of, after, GLANCE)
    except DeskRefused:
        return None


def _watch(access: Access, of: str, after: int, within: float) -> Progress | None:
    answer: Any = access.system.ask(access.claude, partial(Watch, of, after), within=within)
    if isinstance(answer, Progress):
        return answer
    if isinstance(answer, Refused) and answer.code == "late":
        access.pause(0)
        return None
    raise DeskRefused(answer)


def _reply(access: Access, answered: Promise) -> Reply:
    access.system.wait(OVERTIME, answered.future, access.system.failed)
    if access.system.failed.done() and not answered.future.done():
        raise DeskFailed(f"the desk has stopped: {access.system.failed.result()}")
    answer: Answered | Failed | Refused = answered.now_or_late("claude", OVERTIME)
    if isinstance(answer, Failed):
        raise NotAnswered(f"Claude has not answered ({answer.cause}): {answer.sentence}")
    if isinstance(answer, Refused):
        raise DeskRefused(answer)
    return Reply(answer.text, answer.question, answer.cost, answer.anew)
