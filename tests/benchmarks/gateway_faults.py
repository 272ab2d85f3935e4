"""The benchmark `gateway-faults`: questions of which every third meets a fault that the seed picks.

A fault stays with its question: all requests of that question meet it, so that the program's own retries do not hide
it, unless it is one that passes; then the second request is answered as if nothing had been, and so is the question.

Two askers at a time, one in the shared conversation that is cleared, one in a named one that is kept. After each
failure its asker resets the breaker, as a person would. A question that the other's fault has let meet a closed
breaker was never asked; that end is counted apart (`gated`), and it is asked again under a new id.
"""

import json
import os
import random
import re
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Final, Literal

from actors.claude.sessions import Heard
from messages.addresses import Refused, ReplyTo
from messages.claude import Answered, Cancel, Cause, Done, Failed, Profile, Reset
from tests.benchmarks.gateway_desk import Noted, NotedSession, Running, asking, profile_of, running
from tests.benchmarks.gateway_process import Json, child, place, programs, resident, soon
from tests.benchmarks.measure import Benchmark, Figures
from tests.ended import ended
from tests.stub import behaviours, failures
from tests.stub.analyst import Analyst, parsed, view
from tests.stub.client import FACTS
from tests.stub.exchange import Behaviour, Exchange
from tests.stub.server import Stub

QUESTIONS, BEFORE, SEED = 1_000, 100, 3
"""How many; after how many memory is first looked at; what picks the faults."""
CONVERSATIONS: Final = (None, "a talk")
"""Of the askers: the shared one, and a named one."""
CLIENTS: Final = 3
QUIET: Final = 3.0
"""Seconds of silence after which the gateway gives up here. A retry of the program's own takes up to one."""
WITHIN: Final = 60.0
_NUMBER: Final = re.compile(r"question-(\d+)")


@dataclass(frozen=True, slots=True)
class Fault:
    """What the stub does, and the end that fits; None is an answer. `act` is done as soon as something was heard."""

    name: str
    behaviour: Behaviour
    cause: Cause | None
    passes: bool = False
    act: Literal["kill", "cancel"] | None = None


FAULTS: Final = (
    Fault("rate limited for an hour", failures.rate_limited(3600), Cause.RATE_LIMITED),
    Fault("rate limited, not said how long", failures.rate_limited(None), Cause.RATE_LIMITED),
    Fault("overloaded", failures.overloaded(), Cause.OVERLOADED),
    Fault("server error", failures.server_error(), Cause.SERVER),
    Fault("unavailable", failures.unavailable(), Cause.SERVER),
    Fault("not signed in", failures.not_signed_in(), Cause.AUTHENTICATION),
    Fault("forbidden", failures.forbidden(), Cause.AUTHENTICATION),
    Fault("no credit", failures.no_credit(), Cause.BILLING),
    Fault("unknown model", failures.unknown_model(), Cause.MODEL),
    Fault("prompt too long", failures.prompt_too_long(), Cause.TOO_LONG),
    Fault("too large", failures.too_large(), Cause.TOO_LONG),
    Fault("bad request", failures.bad_request(), Cause.REFUSED),
    Fault("reset", behaviours.Resets(), Cause.NETWORK),
    Fault("cut", behaviours.Cuts(), Cause.NETWORK),
    Fault("error in the stream", behaviours.ErrorInStream(), Cause.OVERLOADED),
    Fault("max tokens", behaviours.RunsOut(), Cause.NO_STRUCTURED_ANSWER),
    Fault("prose", behaviours.prose(), Cause.NO_STRUCTURED_ANSWER),
    Fault("error in prose", behaviours.error_prose(), Cause.NO_STRUCTURED_ANSWER),
    Fault("misfit", behaviours.misfits(), Cause.NO_STRUCTURED_ANSWER),
    Fault("refusal", behaviours.refuses(), Cause.REFUSED),
    Fault("huge", behaviours.huge(), Cause.NO_STRUCTURED_ANSWER),
    Fault("no header", behaviours.SaysNothing(), Cause.TIMEOUT),
    Fault("stall", behaviours.Stalls(), Cause.TIMEOUT),
    Fault("stall with pings", behaviours.Stalls(pings=True), Cause.TIMEOUT),
    Fault("killed", behaviours.Stalls(), Cause.CRASH, act="kill"),
    Fault("cancelled", behaviours.Stalls(), Cause.CANCELLED, act="cancel"),
    Fault("overloaded once", failures.overloaded(), None, passes=True),
    Fault("reset once", behaviours.Resets(), None, passes=True),
    Fault("cut once", behaviours.Cuts(), None, passes=True),
    Fault("misfit once", behaviours.misfits(), None, passes=True),
)


def fault_of(number: int, seed: int) -> Fault | None:
    """The fault that this question meets, counted from 1; in either process the same."""
    return random.Random(f"{seed} {number}").choice(FAULTS) if number % 3 == 0 else None


def prompt_of(number: int) -> str:
    """Each question has facts of its own, so that another one's answer would be seen."""
    return f"question-{number}\n{FACTS.replace('430.47', f'{400 + number / 100:.2f}')}"


# The stub's side


class ByQuestion:
    """Answers each request as the question it belongs to is to be answered."""

    def __init__(self, seed: int) -> None:
        self._seed, self._seen, self._lock = seed, Counter[int](), threading.Lock()

    def __call__(self, exchange: Exchange) -> None:
        number = int(_NUMBER.findall(json.dumps(exchange.body["messages"]))[-1])
        with self._lock:
            self._seen[number] += 1
            first = self._seen[number] == 1
        fault = fault_of(number, self._seed)
        behaviour = Analyst() if fault is None or (fault.passes and not first) else fault.behaviour
        exchange.answered_by(behaviour)
        behaviour(exchange)


# The desk's side


class Ends(ReplyTo[Any]):
    """A return address that passes on all it is told, though there should be but one."""

    __slots__ = ("_answers", "_told")

    def __init__(self, id_: str, answers: SimpleQueue[tuple[str, Any]], told: Counter[str]) -> None:
        super().__init__(id_)
        self._answers, self._told = answers, told

    def send(self, answer: object, /) -> None:
        id_ = str(self.about)
        self._told[id_] += 1
        self._answers.put((id_, answer))


@dataclass(slots=True)
class Asker:
    """Asks one question after the other in a conversation of its own.

    Of each end it keeps the cause alone: what is measured is the desk's memory.
    """

    desk: Running
    profile: Profile
    seed: int
    conversation: str | None
    answers: SimpleQueue[tuple[str, Any]] = field(default_factory=SimpleQueue[tuple[str, Any]])
    told: Counter[str] = field(default_factory=Counter[str])
    outcomes: dict[str, str] = field(default_factory=dict[str, str])
    talked: bool = False
    gated: int = 0
    wrong: list[str] = field(default_factory=list[str])

    def ask(self, number: int) -> None:
        """Ask it until it was asked, and look whether its end fits."""
        answer = self.once(number, 1)
        for attempt in count(2):
            if not isinstance(answer, Failed) or answer.cause is not Cause.CIRCUIT_OPEN:
                break
            self.gated += 1
            answer = self.once(number, attempt)
        self.look(number, answer)
        self.talked = isinstance(answer, Answered)

    def once(self, number: int, attempt: int) -> object:
        """Its end under this id; after a failure the breaker is closed again."""
        id_, until = f"{number}.{attempt}", time.monotonic() + WITHIN
        reply_to = Ends(id_, self.answers, self.told)
        self.desk.gateway.tell(self.desk.question(self.profile, prompt_of(number), self.conversation, reply_to, id_))
        answer: object = f"nothing within {WITHIN:g} s"
        with suppress(Empty):
            while True:
                about, told = self.answers.get(timeout=max(0.0, until - time.monotonic()))
                if about == id_:
                    answer = told
                    break
        self.outcomes[id_] = answer.cause if isinstance(answer, Failed) else "answered"
        if not isinstance(answer, Answered):
            self.reset()
        return answer

    def look(self, number: int, answer: object) -> None:
        fault = fault_of(number, self.seed)
        cause = fault.cause if fault else None
        if cause is Cause.TOO_LONG and self.talked and self.conversation is not None:
            cause = Cause.CONVERSATION_FULL
        name = fault.name if fault else "no fault"
        match answer:
            case Answered(value=str() as value) if cause is None:
                if json.loads(value) != view(parsed(prompt_of(number))):
                    self.wrong.append(f"question {number} ({name}) has another one's answer: {value}")
            case Failed() if answer.cause is cause:
                pass
            case _:
                self.wrong.append(f"question {number} ({name}) should end as {cause or 'answered'}: {answer}")

    def reset(self) -> None:
        def make(reply_to: ReplyTo[Done | Refused]) -> Reset:
            return Reset(reply_to)

        self.desk.system.ask(self.desk.gateway, make, within=WITHIN)


def ask_all(plan: Json) -> Json:
    """All of them; what was wrong, what was left, and memory after the first and after the last."""
    where, seed, acted = Path(plan["place"]), int(plan["seed"]), set[str]()
    gateways = list[Running]()

    def heard(session: NotedSession, said: Heard) -> None:
        fault = fault_of(int(said.turn.split(".")[0]), seed)
        if fault is None or fault.act is None or said.turn in acted:
            return
        acted.add(said.turn)
        if fault.act == "kill":
            os.kill(session.pid, signal.SIGKILL)
        else:
            gateways[0].gateway.tell(Cancel(said.turn, "nobody wants it any more"))

    told = asking(
        max_clients=CLIENTS, side_by_side=len(CONVERSATIONS), silence=QUIET, first_token_within=QUIET
    )  # fmt: skip
    with running(where, told, partial(Noted, heard=heard)) as desk:
        gateways.append(desk)
        askers = [Asker(desk, profile_of(plan), seed, conversation) for conversation in CONVERSATIONS]
        together(askers, range(1, plan["before"] + 1))
        before = resident()
        together(askers, range(plan["before"] + 1, plan["questions"] + 1))
        after = resident()
        wrong = [line for asker in askers for line in (*asker.wrong, *kept(desk, asker))]
        soon(lambda: len(programs(where)) <= CLIENTS)
        left = max(0, len(programs(where)) - CLIENTS)
    soon(lambda: not programs(where))
    return {
        "wrong": wrong, "left": left + len(programs(where)), "before": before, "after": after,
        "gated": sum(asker.gated for asker in askers), "crashes": sum(desk.hooks.failures.values()),
    }  # fmt: skip


def together(askers: Sequence[Asker], numbers: range) -> None:
    """Have them asked side by side, each by whoever is free, and wait for all."""
    waiting, errors = SimpleQueue[int](), list[BaseException]()
    for number in numbers:
        waiting.put(number)

    def work(ask: Callable[[int], None]) -> None:
        try:
            while True:
                ask(waiting.get_nowait())
        except Empty:
            pass
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(asker.ask,)) for asker in askers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def kept(desk: Running, asker: Asker) -> list[str]:
    """Whose end was told more than once, or is not what was kept of it; called when all have ended."""
    rows = {row.id: row.outcome for row in ended(desk.read)}
    wrong = [f"question {id_} was told {times} ends" for id_, times in asker.told.items() if times > 1]
    for id_, outcome in asker.outcomes.items():
        if outcome != Cause.CIRCUIT_OPEN and rows.get(id_) != outcome:
            wrong.append(f"question {id_} was told {outcome}, and is kept as {rows.get(id_)}")
    return wrong


# The benchmark


def rounds(repeats: int, *, asked: int = QUESTIONS, before: int = BEFORE) -> Iterator[Figures]:
    """Each repeat with a seed of its own."""
    from tests.benchmarks.gateway import analyst  # which imports what a child needs not have

    for seed in range(SEED, SEED + repeats):
        plan = {"work": "faulty", "profile": analyst(), "questions": asked, "before": before, "seed": seed}
        with place() as where, Stub(ByQuestion(seed)) as stub:
            report = child("gateway_desk", plan, stub.address, where, 120 + 4 * asked)
            directories = len(list((where / "tmp").glob("troupe-claude-*")))
        for line in report["wrong"][:20]:
            print(line, flush=True)
        yield {
            "wrong_ends": len(report["wrong"]) + report["crashes"],
            "left_programs": report["left"],
            "memory_growth": report["after"] / report["before"] - 1,
            "gated": report["gated"],
            "left_directories": directories,
        }


WANTED: Final = {
    "wrong_ends": f"0 of {QUESTIONS:,} questions, with crashes of the gateway",
    "left_programs": "0 programs, before the desk stops and after",
    "memory_growth": f"0.05 or less, as a share, from question {BEFORE} to the last",
    "left_directories": "for comparison: directories of programs, after the process of the desk has ended",
    "gated": "for comparison: refused by a breaker that another one's fault had opened",
}
GATEWAY_FAULTS = Benchmark(
    f"{QUESTIONS:,} questions to Claude's gateway, every third with a fault", WANTED, rounds, repeats=1
)
SMALL = Benchmark(GATEWAY_FAULTS.about, WANTED, partial(rounds, asked=30, before=10), repeats=1)
