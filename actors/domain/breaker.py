"""The breaker before Claude: what an outcome does to it, and who is let through.

overloaded, server, network, time-out, crash   count; three in a row open it for 30 s, twice as long after each
                                               probe that fails, 10 minutes at most
rate limited                                   is no failure; closes the gate until its retry-after, else for 60 s
authentication, billing, model                 open it at once: a person has to act; tried again after 10 minutes
all others                                     say nothing about Claude, and change nothing

Open, it lets nobody through until its time has come; then exactly one question, the probe, whose outcome decides.
"""

from dataclasses import dataclass, replace
from typing import Final, Literal

from messages.claude import Cause

SECOND: Final = 1_000_000
COUNTED: Final = frozenset({Cause.OVERLOADED, Cause.SERVER, Cause.NETWORK, Cause.TIMEOUT, Cause.CRASH})
FOR_A_PERSON: Final = {
    Cause.AUTHENTICATION: "Claude is not signed in: sign in with `claude`, or set ANTHROPIC_API_KEY",
    Cause.BILLING: "Claude's account has no credit: look at its billing page",
    Cause.MODEL: "Claude has no such model: set another under [claude] model in desk.toml",
}
"""Causes that only a person can mend, and what to do."""
THRESHOLD: Final = 3
"""Failures in a row that open it."""
OPEN_FOR, OPEN_AT_MOST = 30 * SECOND, 600 * SECOND
GATED_FOR: Final = 60 * SECOND
"""After 429 without a retry-after."""
LOOK_AGAIN: Final = 5 * SECOND
"""After which whoever came while a probe was under way may come again."""


@dataclass(frozen=True, slots=True)
class Breaker:
    """Its state. `failures` are those in a row, `retry_at` is UTC in microseconds and there while it is not closed."""

    state: Literal["closed", "open", "half_open"] = "closed"
    failures: int = 0
    cause: str = ""
    sentence: str = ""
    retry_at: int | None = None


@dataclass(frozen=True, slots=True)
class Admission:
    """Whether a question may be asked: as any other, as the probe, or not before `retry_at`."""

    verdict: Literal["go", "probe", "refused"]
    retry_at: int | None = None


def admits(breaker: Breaker, now: int) -> Admission:
    """What a question that comes now is told. Whoever lets the probe through goes on with `probing`."""
    if breaker.state == "closed":
        return Admission("go")
    if breaker.state == "half_open":
        return Admission("refused", now + LOOK_AGAIN)
    if breaker.retry_at is None or now >= breaker.retry_at:
        return Admission("probe")
    return Admission("refused", breaker.retry_at)


def probing(breaker: Breaker) -> Breaker:
    """The probe is under way."""
    return replace(breaker, state="half_open")


def after(
    breaker: Breaker,
    outcome: Cause | None,
    now: int,
    retry_at: int | None = None,
    sentence: str = "",
    *,
    probe: bool = True,
) -> Breaker:
    """What this outcome makes of it; None is an answer, and closes it.

    `probe` is False for a question that was let through before it opened, or that was never asked: while a probe is
    under way its failure changes nothing, since the probe decides, and does not free the probe's place.
    """
    if outcome is None:
        return Breaker()
    if breaker.state == "half_open" and not probe:
        return breaker
    if outcome in FOR_A_PERSON:
        said = "; ".join(filter(None, (FOR_A_PERSON[outcome], sentence)))
        return Breaker("open", breaker.failures, outcome.value, said, now + OPEN_AT_MOST)
    if breaker.state == "open" and breaker.cause in FOR_A_PERSON:
        return breaker
    if outcome is Cause.RATE_LIMITED:
        return _gated(breaker, now + GATED_FOR if retry_at is None else retry_at, sentence)
    if outcome in COUNTED:
        return _failed(breaker, outcome, now, sentence)
    return replace(breaker, state="open", retry_at=now) if breaker.state == "half_open" else breaker


def recovered(breaker: Breaker, now: int) -> Breaker:
    """After a rebuild or a restart: a probe that was under way is lost, so that another may be let through."""
    return replace(breaker, state="open", retry_at=now) if breaker.state == "half_open" else breaker


def reset() -> Breaker:
    """A person has mended what was wrong."""
    return Breaker()


def _gated(breaker: Breaker, until: int, sentence: str) -> Breaker:
    if breaker.state == "open" and breaker.retry_at is not None and breaker.retry_at >= until:
        return breaker
    return Breaker("open", breaker.failures, Cause.RATE_LIMITED.value, sentence, until)


def _failed(breaker: Breaker, outcome: Cause, now: int, sentence: str) -> Breaker:
    if breaker.state == "open":  # it was asked before; what has opened the breaker already is not counted twice
        return breaker
    failures = breaker.failures + 1
    if breaker.state == "half_open":
        failures = max(failures, THRESHOLD)
    if failures < THRESHOLD:
        return Breaker(failures=failures, cause=outcome.value, sentence=sentence)
    open_for = min(OPEN_FOR << min(failures - THRESHOLD, 10), OPEN_AT_MOST)
    return Breaker("open", failures, outcome.value, sentence, now + open_for)
