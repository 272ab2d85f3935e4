"""A child of the benchmark `gateway`: the gateway of a real system with real programs, and what is asked of it."""

import dataclasses
import json
import logging
import sys
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, Final
from weakref import WeakSet

from actors.claude.gateway import ClaudeGateway
from actors.claude.gateway import Message as GatewayMessage
from actors.claude.programs import Program, Programs
from actors.claude.sessions import Cleared, Fault, Heard, Opened, Said, Session, Sessions
from actors.database import DatabaseWriter
from actors.kernel.edges import Promise
from actors.kernel.system import STOP_DESK, System
from messages import database
from messages.addresses import Ref, Refused, ReplyTo
from messages.claude import Answered, Asking, Consent, Done, Profile, Progress, Question, Watch
from messages.database import Write
from messages.values import CorrelationId
from storage.connections import Operations, Reader
from storage.home import Home
from telemetry.hooks import CountingHooks
from tests.benchmarks.gateway_process import Json, resident, soon, told
from tests.benchmarks.measure import Callback

SWITCH: Final = 5e-4
"""As run.py has it."""
FREE: Final = Decimal(1_000_000)
"""A ceiling that is in nobody's way; the stub costs nothing."""
WITHIN: Final = 60.0
"""Seconds an answer may take here, apart from what the stub takes."""


@dataclass(slots=True)
class Noted:
    """Sessions whose programs can be seen from outside: which have started, were asked, and what they are saying."""

    inner: Sessions
    heard: Callable[["NotedSession", Heard], None] = lambda _, __: None
    made: WeakSet["NotedSession"] = field(default_factory=WeakSet["NotedSession"])

    def new(self, profile: Profile) -> "NotedSession":
        session = NotedSession(self, self.inner.new(profile))
        self.made.add(session)
        return session

    def reap(self) -> None:
        self.inner.reap()

    def alive(self) -> Mapping[str, int]:
        return self.inner.alive()


@dataclass(slots=True, eq=False, weakref_slot=True)
class NotedSession:
    """Hands everything on to the program's own session."""

    noted: Noted
    inner: Session
    opened: bool = False
    asked: int = 0

    def open(self, reply_to: ReplyTo[Opened | Fault | Refused]) -> None:
        def answered(answer: Any) -> None:
            self.opened = isinstance(answer, Opened)
            reply_to.tell(answer)

        self.inner.open(Callback(reply_to.about, answered))

    def ask(
        self, turn: str, prompt: str, heard: Callable[[Heard], None], reply_to: ReplyTo[Said | Fault | Refused]
    ) -> None:
        def noting(said: Heard) -> None:
            self.noted.heard(self, said)
            heard(said)

        self.asked += 1
        self.inner.ask(turn, prompt, noting, reply_to)

    def clear(self, reply_to: ReplyTo[Cleared | Fault | Refused]) -> None:
        self.inner.clear(reply_to)

    def kill(self) -> None:
        self.inner.kill()

    @property
    def pid(self) -> int:
        assert isinstance(self.inner, Program)
        return int((self.inner._place / "pid").read_text())  # pyright: ignore[reportPrivateUsage]


@dataclass(frozen=True, slots=True)
class Running:
    """A gateway that can be asked."""

    system: System
    gateway: Ref[GatewayMessage]
    read: Reader
    hooks: CountingHooks
    ids: "count[int]" = field(default_factory=count)

    def question(
        self, profile: Profile, prompt: str, conversation: str | None, reply_to: ReplyTo[Any], id_: str | None = None
    ) -> Question:
        return Question(
            id_ or f"question {next(self.ids)}", profile, prompt, "question", CorrelationId("benchmark"),
            self.system.clock.monotonic() + Asking().answer_within, reply_to, conversation=conversation,
        )  # fmt: skip

    def submit(self, profile: Profile, prompt: str, conversation: str | None = None) -> Promise:
        promise = Promise()
        self.gateway.tell(self.question(profile, prompt, conversation, promise))
        return promise

    def answer(self, promise: Promise, within: float = WITHIN) -> Answered:
        self.system.wait(within, promise.future, self.system.failed)
        answer = promise.future.result() if promise.future.done() else "nothing in time"
        if not isinstance(answer, Answered):
            raise SystemExit(f"a question has got no answer: {answer}; crashes: {dict(self.hooks.failures)}")
        return answer


@contextmanager
def running(
    where: Path, asking: Asking, noted: Callable[[Sessions], Sessions] = lambda made: made
) -> Generator[Running]:
    """Writer and gateway, put together as actors/desk.py does it."""
    home, hooks = Home(where / "desk"), CountingHooks()
    home.take()
    writer, gateway = Ref[database.Message]("database"), Ref[GatewayMessage]("claude")
    read, fixed = Reader(home.database), {"price_source": "sample", "currency": "USD"}
    system = System(hooks=hooks, flush=lambda settled: writer.tell(Write((), settled)))
    sessions = noted(Programs(read))
    system.add(writer, lambda me: DatabaseWriter(me, home, fixed, Operations()), STOP_DESK)
    system.add(gateway, lambda me: ClaudeGateway(me, gateway, writer, sessions, asking, read))
    system.start(within=30.0)
    agreed: Done | Refused = system.ask(gateway, lambda reply_to: Consent(asking.model, FREE, reply_to), within=30.0)
    assert isinstance(agreed, Done)
    try:
        yield Running(system, gateway, read, hooks)
    finally:
        late = system.stop(grace=10.0)
        home.release()
        if late or hooks.failures:
            print(f"late: {late}, crashed: {dict(hooks.failures)}", file=sys.stderr)


def profile_of(plan: Json) -> Profile:
    return Profile(**plan["profile"] | {"tools": tuple(plan["profile"]["tools"])})


def asking(**changed: Any) -> Asking:
    """The desk's own, but that nothing is too dear."""
    free = Asking(
        max_usd_per_question=FREE, max_usd_per_round=FREE, max_usd_per_day=FREE, max_usd_per_month=FREE
    )  # fmt: skip
    return replace(free, **changed)


def line(plan: Json) -> Json:
    """All questions at once; seconds until the last answer is there, and memory then."""
    import claude_agent_sdk  # noqa: F401  # pyright: ignore[reportUnusedImport]  # the bare loop has it beforehand, too

    profile, prompts = profile_of(plan), plan["prompts"]
    with running(Path(plan["place"]), asking()) as desk:
        began = time.perf_counter()
        promises = [desk.submit(profile, prompt, plan["conversation"]) for prompt in prompts]
        for promise in promises:
            desk.answer(promise, WITHIN + plan["seconds"] * len(prompts))
        seconds = time.perf_counter() - began
        return {"seconds": seconds, "memory": resident()}


def another(plan: Json) -> Json:
    """Seconds to the first answer in a conversation that is new, on a desk that has had one before."""
    profile, prompt = profile_of(plan), plan["prompts"][0]
    noted = list[Noted]()

    def note(made: Sessions) -> Sessions:
        noted.append(Noted(made))
        return noted[0]

    with running(Path(plan["place"]), asking(standby=plan["standby"], max_clients=4), note) as desk:
        desk.answer(desk.submit(profile, prompt, "one"))
        wanted = 1 if plan["standby"] else 0
        if not soon(lambda: sum(each.opened and not each.asked for each in tuple(noted[0].made)) >= wanted, 15.0):
            raise SystemExit("with standby on no spare program has come to be ready within 15 s")
        time.sleep(0.2)  # let it come to rest, with and without
        began = time.perf_counter()
        desk.answer(desk.submit(profile, prompt, "another"))
        return {"seconds": time.perf_counter() - began, "programs": len(noted[0].made)}


def chunks(plan: Json) -> Json:
    """For each chunk the seconds from when the SDK has yielded it until an edge has seen it, or one after it."""
    profile, delays = profile_of(plan), list[float]()
    yielded = list[tuple[int, float]]()

    def heard(_: NotedSession, said: Heard) -> None:
        yielded.append((len(said.text), time.perf_counter()))

    with running(Path(plan["place"]), asking(), partial(Noted, heard=heard)) as desk:
        for number, prompt in enumerate(plan["prompts"]):
            yielded.clear()
            seen = watched(desk, profile, prompt)
            if number:  # the first one starts the program
                delays += [next(at for length, at in seen if length >= upto) - begun for upto, begun in yielded]
    return {"delays": delays}


def watched(desk: Running, profile: Profile, prompt: str) -> list[tuple[int, float]]:
    """How long the text was, and when that was seen."""
    promise, id_, seen, after = Promise(), f"watched {next(desk.ids)}", list[tuple[int, float]](), 0
    desk.gateway.tell(desk.question(profile, prompt, None, promise, id_))

    def watch(reply_to: ReplyTo[Progress | Refused]) -> Watch:
        return Watch(id_, after, reply_to)

    while True:
        progress = desk.system.ask(desk.gateway, watch, within=WITHIN)
        if isinstance(progress, Refused):
            raise SystemExit(f"a question cannot be watched: {progress.sentence}")
        seen.append((len(progress.text), time.perf_counter()))
        after = progress.number
        if progress.ended:
            break
    desk.answer(promise)
    return seen


def options(plan: Json) -> Json:
    """The options with which the desk starts a program, for the bare loop."""
    where = Path(plan["place"])
    program = Programs(Reader(where / "none")).new(profile_of(plan))
    made = program._options()  # pyright: ignore[reportPrivateUsage]  # or the two would drift apart
    values = {each.name: getattr(made, each.name) for each in dataclasses.fields(made)}
    kept = {
        name: str(value) if isinstance(value, Path) else value
        for name, value in values.items()
        if value is not None and name not in {"stderr", "debug_stderr"}
    }
    return {"options": kept}


def faulty(plan: Json) -> Json:
    """Questions of which every third meets a fault."""
    from tests.benchmarks.gateway_faults import ask_all  # brings the stub, whose memory is not the desk's

    return ask_all(plan)


WORK: Final[dict[str, Callable[[Json], Json]]] = {
    "line": line, "another": another, "chunks": chunks, "options": options, "faulty": faulty,
}  # fmt: skip


def main() -> None:
    plan = told()
    logging.basicConfig(level=logging.ERROR)
    logging.getLogger("claude_agent_sdk").setLevel(logging.CRITICAL)  # it complains of each program that was killed
    sys.setswitchinterval(SWITCH)
    print(json.dumps(WORK[plan["work"]](plan)))
