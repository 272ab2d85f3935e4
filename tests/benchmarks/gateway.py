"""What Claude's gateway costs above a bare loop on the SDK: the real package and the real program against the stub.

Each side runs in a process of its own with a throw-away home and no address but the stub's, taking turns in who is
first. Both get the same options and the same prompts, and both clear between two questions.
"""

import dataclasses
import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

from actors.domain import profiles
from messages.claude import Asking, Profile
from tests.benchmarks.gateway_process import Json, child, place
from tests.benchmarks.measure import Benchmark, Figures
from tests.stub.analyst import Analyst
from tests.stub.behaviours import Says
from tests.stub.client import FACTS
from tests.stub.exchange import Behaviour, Request
from tests.stub.server import Stub

T = TypeVar("T")
WITHIN: Final = 120.0
"""Seconds a child may take apart from what the stub's answers take."""
PIECE: Final = 6
"""Characters of a chunk."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """So many questions of so many seconds in a line; so many chunks in so many seconds, watched so many times."""

    questions: int = 10
    seconds: float = 1.0
    chunks: int = 100
    streaming: float = 2.0
    watched: int = 2


def analyst() -> Json:
    """The profile with which the desk asks about a symbol, as a child is told it."""
    return dataclasses.asdict(profiles.analyst(Asking()))


def prose() -> Json:
    """A profile whose answer is seen as it comes."""
    return dataclasses.asdict(Profile(Asking().model, "You answer in prose.", None, (), 0, 4000, 1))


@dataclass(frozen=True, slots=True)
class Line:
    """What one side did with a line of questions: its seconds, the share in which nothing was asked, memory in MB."""

    seconds: float
    idle: float
    memory: float


def idle_share(requests: Sequence[Request]) -> float:
    """Of the time between the first request's begin and the last one's end the share without any in flight."""
    begun = min(request.begun for request in requests)
    busy, upto = 0.0, begun
    for request in sorted(requests, key=lambda each: each.begun):
        assert request.ended is not None, "a request has not ended"
        busy += max(0.0, request.ended - max(upto, request.begun))
        upto = max(upto, request.ended)
    return 1 - busy / (upto - begun)


def bare(sizes: Sizes, *, clears: bool = True) -> Line:
    """The loop; it clears between two questions, or goes on in one conversation."""
    with place() as where, Stub(Analyst(sizes.seconds)) as stub:
        plan: Json = {"work": "options", "profile": analyst()}
        options = child("gateway_desk", plan, stub.address, where, WITHIN)
        report = child("gateway_bare", options | _line(sizes) | {"clears": clears}, stub.address, where, _limit(sizes))
        return _ended(stub, sizes, report)


def gateway(sizes: Sizes, conversation: str | None = None) -> Line:
    """All questions at once to the gateway; in the conversation of this name, if there is one."""
    plan = {"work": "line", "profile": analyst(), "conversation": conversation} | _line(sizes)
    with place() as where, Stub(Analyst(sizes.seconds)) as stub:
        return _ended(stub, sizes, child("gateway_desk", plan, stub.address, where, _limit(sizes)))


def another(*, standby: bool) -> float:
    """Seconds to the first answer in a new conversation."""
    plan = {"work": "another", "profile": analyst(), "prompts": [FACTS], "standby": standby}
    seconds: float = _asked("gateway_desk", plan, Analyst(), WITHIN)["seconds"]
    return seconds


def chunks(sizes: Sizes) -> list[float]:
    """Milliseconds from chunk to watcher, sorted."""
    text = "word. " * (sizes.chunks * PIECE // 6)
    prompts = ["Say something."] * (1 + sizes.watched)
    plan = {"work": "chunks", "profile": prose(), "prompts": prompts}
    says = Says(text, sizes.streaming, fragment=PIECE)
    delays = _asked("gateway_desk", plan, says, WITHIN + sizes.streaming * len(prompts))["delays"]
    return sorted(1000 * delay for delay in delays)


def rounds(repeats: int, *, sizes: Sizes) -> Iterator[Figures]:
    """Pairs take turns in who is first."""
    for number in range(repeats):
        loop, line = _pair(number, partial(bare, sizes), partial(gateway, sizes))
        cold, warm = _pair(number, partial(another, standby=False), partial(another, standby=True))
        kept, named = _pair(number, partial(bare, sizes, clears=False), partial(gateway, sizes, "a talk"))
        delays = chunks(sizes)
        yield {
            "idle_over_bare": line.idle - loop.idle,
            "idle_named": named.idle,
            "time_vs_bare": line.seconds / loop.seconds,
            "memory_mb": line.memory - loop.memory,
            "warm_vs_cold": warm / cold,
            "chunk_ms": statistics.median(delays),
            "chunk_p99_ms": delays[math.ceil(0.99 * len(delays)) - 1],
            "idle_bare": loop.idle,
            "idle_bare_named": kept.idle,
            "cold_s": cold,
        }


def _pair(number: int, one: Callable[[], T], other: Callable[[], T]) -> tuple[T, T]:
    if number % 2:
        second = other()
        return one(), second
    return one(), other()


def _line(sizes: Sizes) -> Json:
    prompts = [f"Question {number}.\n{FACTS}" for number in range(1, sizes.questions + 1)]
    return {"prompts": prompts, "seconds": sizes.seconds}


def _limit(sizes: Sizes) -> float:
    return WITHIN + 3 * sizes.questions * (sizes.seconds + 1)


def _asked(module: str, plan: Json, behaviour: Behaviour, within: float) -> Json:
    with place() as where, Stub(behaviour) as stub:
        return child(module, plan, stub.address, where, within)


def _ended(stub: Stub, sizes: Sizes, report: Json) -> Line:
    if len(stub.requests) != sizes.questions or stub.asides:
        raise SystemExit(f"{sizes.questions} questions were {len(stub.requests)} requests, {len(stub.asides)} asides")
    return Line(report["seconds"], idle_share(stub.requests), report["memory"])


WANTED: Final = {
    "idle_over_bare": "0.02 or less, share of time without a request, above the bare loop's",
    "idle_named": "0.02 or less, share of time without a request, in a named conversation",
    "time_vs_bare": "1.03 or less, times the bare loop's, from the first question to the last answer",
    "memory_mb": "10 or less, MB above the bare loop's process, without the program",
    "warm_vs_cold": "0.7 or less, first answer of a new conversation, with standby over without",
    "chunk_ms": "5 or less, ms from the SDK to whoever watches, half of all chunks",
    "chunk_p99_ms": "for comparison: the same, 99 of 100 chunks",
    "idle_bare": "for comparison: the bare loop's share of time without a request",
    "idle_bare_named": "for comparison: the same in one conversation",
    "cold_s": "for comparison: seconds to the first answer of a new conversation, without standby",
}
ABOUT: Final = "Claude's gateway against a bare loop on the SDK, with the real program and a stub of its service"
GATEWAY = Benchmark(ABOUT, WANTED, partial(rounds, sizes=Sizes()), repeats=7)
SMALL = Benchmark(ABOUT, WANTED, partial(rounds, sizes=Sizes(2, 0.2, 10, 0.2, 1)), repeats=1)
