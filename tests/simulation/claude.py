"""The gateway, its books and its programs in a storm that a seed picks: who asks, who dies, and what must be so."""

import random
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from actors.claude.gateway import ClaudeGateway, Message
from actors.claude.sessions import Cleared, Fault, Opened
from actors.domain.breaker import Breaker
from actors.kernel.me import Me
from actors.kernel.supervision import CRASHES, State
from actors.kernel.testing import InjectedCrash, Probe, TestSystem
from messages.addresses import Refused
from messages.claude import Answered, Cause, Done, Failed, Prepared, Profile, Progress, Question
from messages.database import Committed, Write
from messages.values import CorrelationId
from storage import breaker, questions
from storage.connections import Reader
from storage.home import Home
from storage.questions import QuestionRow
from tests.actors.claude.gateways import OTHER, PROSE, RICH, End, Gateways, text
from tests.ended import ended
from tests.sessions import Answer, said

PROFILES: Final = (PROSE, OTHER)
TALKS: Final = (None, None, "a", "b", "c")
ROUNDS: Final = tuple(CorrelationId(letter * 32) for letter in "ab")
DAY: Final = 86_400.0
LONGEST: Final = 150.0
"""Seconds that any question may take."""
AFTER_A_CRASH: Final = 200.0
"""Seconds after which an actor that was down is back."""


class Killed(BaseException):
    """SIGKILL."""


class Mortal(TestSystem):
    """Is killed when so many more messages were taken."""

    __test__ = False
    left = -1

    def turn(self) -> bool:
        """See TestSystem."""
        self.left -= 1
        if self.left == 0:
            raise Killed
        return super().turn()


class Life(Gateways):
    """One desk of several on the same files, seen from inside."""

    watched: Callable[[ClaudeGateway], None]

    def _gateway(self, me: Me[Message]) -> ClaudeGateway:
        gateway = super()._gateway(me)
        self.watched(gateway)
        return gateway


@dataclass(slots=True)
class Asked:
    """A question, and what has come of it; `crashes` is how often its gateway had crashed when it came."""

    id: str
    number: int
    profile: Profile
    talk: str | None
    round: CorrelationId
    probe: Probe[End]
    life: int
    watches: list[Probe[Progress | Refused]] = field(default_factory=list[Probe[Progress | Refused]])


class Tale:
    """What befalls one gateway; it always ends in peace."""

    def __init__(self, seed: int, place: Path, template: Path) -> None:
        self.seed, self.place, self.chance, self.hits = seed, place, random.Random(seed), Counter[str]()
        self.asked, self.others = dict[str, Asked](), list[Probe[Any]]()
        self.turns, self.probes, self.lives = Counter[str](), list[object](), 0
        self.let_through = set[str]()
        """Those that had been let through when the last probe was, and it."""
        self.crowded = self.chance.random() < 0.4
        chance = self.chance
        poor, scarce = Decimal("0.25"), Decimal("1.5")
        self.asking = replace(
            RICH,
            side_by_side=chance.choice((1, 1, 2, 3)),
            max_clients=chance.choice((1, 2, 3, 3, 5)),
            standby=chance.random() < 0.3,
            max_usd_per_round=poor if chance.random() < 0.2 else RICH.max_usd_per_round,
            max_usd_per_day=scarce if chance.random() < 0.2 else RICH.max_usd_per_day,
        )
        shutil.copytree(template, place / "0")
        self.calm = False
        self.desk = self._open(Home(place / "0"), 0.0)

    def tell(self) -> Counter[str]:
        """Live through it; what was hit."""
        for _ in range(self.chance.randrange(15, 45)):
            self._safely(self._act)
            self._safely(lambda: self.desk.advance(self.chance.choice((0.0, 0.02, 0.1, 0.5, 1.0, 3.0))))
            self._must_be_so()
        self._calm_down()
        self._safely(lambda: self.desk.advance(AFTER_A_CRASH + LONGEST))
        self._must_be_so()
        self._all_have_ended()
        self._safely(self._one_more_is_answered)
        self._safely(lambda: self.desk.advance(2 * self.asking.idle + 60))
        assert self.desk.living == [], "a program that nobody uses is alive"
        self._books_are_right(quiet=True)
        self._die()
        self._safely(lambda: self.desk.advance(1))
        self._books_are_right(quiet=True)
        self._close()
        return self.hits

    def _calm_down(self) -> None:
        """Nothing goes wrong any more."""
        self.calm, system = True, self.desk.system
        assert isinstance(system, Mortal)
        system.left = -1
        system._crash_in.clear()  # pyright: ignore[reportPrivateUsage]

    # What happens

    def _act(self) -> None:
        acts: list[tuple[float, str]] = [
            (40, "ask"), (8, "cancel"), (8, "watch"), (2, "reset"), (3, "prepare"), (1, "consent"), (4, "crash"),
            (3, "kill"), (5, "crowd"), (3, "wait"), (2, "midnight"), (3, "haunt"), (0.5, "break"),
        ]  # fmt: skip
        act = self.chance.choices([name for _, name in acts], [weight for weight, _ in acts])[0]
        self.hits[act] += 1
        getattr(self, f"_{act}")()

    def _ask(self) -> None:
        for _ in range(self.chance.choice((1, 1, 2, 4))):
            number = len(self.asked)
            profile, talk = self.chance.choice(PROFILES), self.chance.choice(TALKS)
            id_, round_ = f"{self.seed}-{number}", self.chance.choice(ROUNDS)
            within = self.chance.choice((-1.0, 2.0, 20.0, *[LONGEST] * 7))
            if self.crowded and self.chance.random() < 0.3:
                self._crowd()
            asked = self.asked[id_] = Asked(id_, number, profile, talk, round_, Probe(id_), self.lives)
            deadline = self.desk.system.clock.monotonic() + within
            prompt = _prompt(profile, talk, id_)
            self.desk.claude.tell(Question(id_, profile, prompt, "question", round_, deadline, asked.probe, None, talk))
            if self.chance.random() < 0.5:
                self.desk.system.settle()

    def _cancel(self) -> None:
        of = self.chance.choice([*self._open_questions(), *ROUNDS])
        self.desk.cancel(of)

    def _watch(self) -> None:
        waiting = self._open_questions()
        for id_ in waiting[:3]:
            asked = self.asked[id_]
            seen = [watch.received[0] if watch.received else None for watch in asked.watches]
            if asked.probe.received:
                continue
            if not seen:
                asked.watches.append(self.desk.watch(id_))
            elif isinstance(last := seen[-1], Progress) and not last.ended:
                asked.watches.append(self.desk.watch(id_, last.number))
                self.hits["watched again"] += 1

    def _reset(self) -> None:
        self.others.append(self.desk.reset())

    def _prepare(self) -> None:
        self.others.append(self.desk.prepare(self.chance.choice(PROFILES)))

    def _consent(self) -> None:
        usd = self.chance.choice((Decimal(0), *[self.asking.max_usd_per_round] * 3))
        self.hits["agrees no more"] += not usd
        self.others.append(self.desk.consent(str(usd)))

    def _crash(self) -> None:
        self.desk.crash(self.chance.randrange(12))

    def _break(self) -> None:
        """It crashes so often that it is only tried again each minute."""
        for _ in range(CRASHES):
            self.desk.crash()
            self.desk.advance(1.0)

    def _kill(self) -> None:
        system = self.desk.system
        assert isinstance(system, Mortal)
        system.left = self.chance.randrange(1, 25)

    def _crowd(self) -> None:
        for _ in range(self.chance.randrange(1, 4)):
            self.desk.database.tell(Write((), Probe[Committed | Refused]("crowd")))

    def _wait(self) -> None:
        self.desk.advance(self.chance.choice((10.0, 35.0, 70.0, 700.0)))

    def _midnight(self) -> None:
        now = self.desk.system.clock.monotonic()
        self.desk.advance((now // DAY + 1) * DAY - now + self.chance.choice((-0.5, 0.0, 0.5)))

    def _haunt(self) -> None:
        self.desk.sessions.haunting = not self.desk.sessions.haunting

    # How programs behave

    def _answers(self, profile: Profile, prompt: str) -> Answer:
        id_ = prompt.split("|")[2]
        self._may_be_asked(profile, prompt, id_)
        chance, answer = self.chance, said(f"to {id_}", cost=f"0.00{self.chance.randrange(1, 9)}")
        half = (0.3, text("so", chance.randrange(200)))
        if self.calm:
            return Answer(answer)
        kind = chance.choices(("good", "slow", "hangs", "stops", "fault"), (45, 12, 6, 6, 31))[0]
        self.hits[kind] += 1
        match kind:
            case "good":
                return Answer(answer, chance.choice((0.0, 0.2, 1.0, 2.0)), (half,))
            case "slow":
                return Answer(answer, 50.0, tuple((at, text("x", at)) for at in range(1, 50, 9)))
            case "hangs":
                return Answer(None)
            case "stops":
                return Answer(None, heard=(half,))
            case _:
                counted = (Cause.SERVER, Cause.CRASH, Cause.OVERLOADED)
                cause = chance.choice(counted) if chance.random() < 0.7 else chance.choice(list(Cause))
                cost = chance.choice((None, Decimal(0), Decimal("0.002")))
                return Answer(Fault(None, cause, f"{cause}", cost, chance.choice((None, 3.0))), 0.5, (half,))

    def _opens(self) -> Opened | Fault | None:
        if self.calm or self.chance.random() < 0.9:
            return Opened(None, "a test")
        self.hits["opens badly"] += 1
        broken = Fault(None, Cause.CRASH, "it cannot start")
        return self.chance.choice((None, broken, broken, broken, Opened(None, None)))

    def _clears(self) -> Cleared | Fault | None:
        if self.calm or self.chance.random() < 0.85:
            return Cleared(None)
        self.hits["clears badly"] += 1
        return self.chance.choice((None, Fault(None, Cause.CRASH, "it cannot clear")))

    def _before(self) -> None:
        if self.crowded and not self.calm and self.chance.random() < 0.3:
            self._crowd()

    # What must be so whenever a program is asked

    def _may_be_asked(self, profile: Profile, prompt: str, id_: str) -> None:
        desk, asked = self.desk, self.asked[id_]
        busy = [session for session in desk.living if session.busy and session.talk]
        assert len(busy) <= self.asking.side_by_side, "too many are under way"
        [session] = [session for session in busy if session.talk[-1] == prompt]
        own = _prompt(profile, asked.talk, "")
        assert session.profile == profile == asked.profile
        assert all(said_.startswith(own) for said_ in session.talk), "another conversation's prompt"
        assert asked.talk is not None or len(session.talk) == 1, "it was not cleared"
        self.turns[id_] += 1
        assert self.turns[id_] == 1, "asked twice"
        [row] = [row for row in questions.of_round(desk.read, asked.round) if row.id == id_]
        assert row.outcome is None, "asked, and settled before"
        assert not asked.probe.received, "asked, and ended before"
        if desk.gateway._fuse._is.state == "half_open":  # pyright: ignore[reportPrivateUsage]
            assert id_ in self.let_through, "asked beside a probe"
        earlier = [
            each
            for each in self.asked.values()
            if (each.profile, each.talk, each.life) == (asked.profile, asked.talk, asked.life)
            and each.number < asked.number
            and not each.probe.received
        ]
        assert all(self.turns[each.id] or each.id not in self._in_line() for each in earlier), "out of order"

    def _in_line(self) -> set[str]:
        return set(self.desk.gateway._turns)  # pyright: ignore[reportPrivateUsage]

    def _spied_on(self, gateway: ClaudeGateway) -> None:
        """See that a probe is let through only when there is no other."""
        fuse = gateway._fuse  # pyright: ignore[reportPrivateUsage]
        keep, probe, stored = fuse.keep, fuse.probe, breaker.latest(self.desk.read)
        self.probes.clear()
        is_open = fuse._is.state == "open"  # pyright: ignore[reportPrivateUsage]
        assert is_open == (stored is not None and stored.state != "closed"), "the breaker has forgotten its state"

        def kept(after: Breaker, *others: Any, then: Any = None) -> None:
            if after.state == "closed":
                self.probes.clear()
            self.hits[f"breaker {after.state}"] += 1
            keep(after, *others, then=then)

        def probing(turn: object) -> None:
            alive = gateway._turns.values()  # pyright: ignore[reportPrivateUsage]
            assert not [each for each in self.probes if each in alive], "two probes"
            self.probes.append(turn)
            self.let_through = {each.question.id for each in alive if each.talk is not None}
            self.hits["probe"] += 1
            probe(turn)

        fuse.keep, fuse.probe = kept, probing  # type: ignore[method-assign]

    # What must be so between two acts

    def _must_be_so(self) -> None:
        desk = self.desk
        for asked in self.asked.values():
            assert len(asked.probe.received) <= 1, f"{asked.id} ended twice"
            assert all(len(probe.received) <= 1 for probe in asked.watches)
        assert all(isinstance(error, InjectedCrash) for _, error, _ in desk.system.recorder.crashes)
        assert not desk.system.failed.done()
        cell = next(cell for cell in desk.system.cells if cell.name == "claude")
        if cell.state is State.READY:
            known = [talk.session for talk in desk.gateway._talks._talks.values()]  # pyright: ignore[reportPrivateUsage]
            assert set(desk.living) == set(known), "a program that nobody knows of"
            assert len(known) <= self.asking.max_clients
        else:
            assert desk.living == []
            self.hits["rebuilding"] += 1

    def _all_have_ended(self) -> None:
        for asked in self.asked.values():
            assert asked.probe.received or asked.life < self.lives, f"{asked.id} has not ended"
            for answer in asked.probe.received:
                code = answer.code if isinstance(answer, Refused) else getattr(answer, "cause", "answered")
                self.hits[f"end {code}"] += 1
                self.hits["lost talk"] += isinstance(answer, Answered) and answer.anew
                assert not isinstance(answer, Refused) or answer.code in ("crashed", "down"), answer
                numbers = [
                    step.number for watch in asked.watches for step in watch.received if isinstance(step, Progress)
                ]
                assert numbers == sorted(set(numbers)), "not further than that"
            lost = asked.life < self.lives or isinstance(asked.probe.received[0], Refused)
            assert lost or all(watch.received for watch in asked.watches), "a watch without end"
        assert all(len(probe.received) == 1 for probe in self.others)
        assert all(isinstance(probe.received[0], Done | Prepared | Failed | Refused) for probe in self.others)

    def _one_more_is_answered(self) -> None:
        self.desk.reset()
        self.desk.consent(str(self.asking.max_usd_per_round))
        self.desk.advance(40 * DAY)  # no ceiling is in the way any more
        id_ = f"{self.seed}-{len(self.asked)}"
        asked = self.asked[id_] = Asked(
            id_, len(self.asked), PROSE, None, CorrelationId("z" * 32), Probe(id_), self.lives
        )
        self.desk.sessions.haunting = False
        asked.probe = self.desk.ask(_prompt(PROSE, None, id_), id_=id_, round_=asked.round)
        self.desk.advance(20)
        assert isinstance(asked.probe.received[0], Answered), asked.probe.received

    def _books_are_right(self, *, quiet: bool) -> None:
        rows = self._rows()
        if quiet:
            assert not [row for row in rows.values() if row.outcome is None], "not settled"
        for id_ in self.turns:
            assert id_ in rows, "asked, and not reserved"
        for asked in self.asked.values():
            row = rows.get(asked.id)
            for answer in asked.probe.received:
                if not isinstance(answer, Refused):
                    assert answer.cost == (row.cost if row else 0), "settled otherwise than told"
            if row and not self.turns[asked.id] and row.outcome != "crash":
                assert row.cost == 0, "never asked, and paid for"
        assert all((row.cost or 0) <= row.reserved for row in rows.values())
        for round_ in ROUNDS:
            spent_on_it = (row.cost or Decimal(0) for row in rows.values() if row.correlation_id == round_)
            assert sum(spent_on_it, Decimal(0)) <= self.asking.max_usd_per_round, "over a ceiling"
        days = Counter[int]()
        for row in rows.values():
            days[questions.starts(row.asked_at)[0]] += int((row.cost or Decimal(0)) * 10**9)
        assert all(spent <= self.asking.max_usd_per_day * 10**9 for spent in days.values())

    def _rows(self) -> dict[str, QuestionRow]:
        return {row.id: row for row in ended(self.desk.read)} | {
            row.id: row for round_ in ROUNDS for row in questions.of_round(self.desk.read, round_)
        }

    def _open_questions(self) -> list[str]:
        return [each.id for each in self.asked.values() if not each.probe.received and each.life == self.lives]

    # Lives

    def _safely(self, act: Callable[[], None]) -> None:
        try:
            act()
        except Killed:
            self._die()

    def _die(self) -> None:
        """The next desk finds the files as they are at this moment."""
        old = self.desk
        self.lives += 1
        self.others.clear()
        self.hits["desks"] += 1
        home = Home(self.place / str(self.lives))
        home.path.mkdir()
        for name in ("desk.sqlite3", "desk.sqlite3-wal"):
            if (file := old.home.path / name).exists():
                shutil.copyfile(file, home.path / name)
        self._close()
        self.hits["left open"] += questions.left(read := Reader(home.database))
        read.close()
        self.desk = self._open(home, old.system.clock.monotonic() + 1.0)

    def _open(self, home: Home, now: float) -> Life:
        capacity = self.chance.choice((1, 2)) if self.crowded else 1_000
        seed = 100 * self.seed + self.lives
        life = Life(home, self.asking, seed, now, capacity, system_type=Mortal)
        life.watched = self._spied_on
        sessions = life.sessions
        sessions.answers, sessions.opens, sessions.clears = self._answers, self._opens, self._clears
        sessions.before = self._before
        self.desk = life
        return life.start()  # type: ignore[return-value]

    def _close(self) -> None:
        desk = self.desk
        self.hits["full"] += desk.system.dead_letters["database", "full"]
        self.hits["crashed"] += len(desk.system.recorder.crashes)
        self.hits["programs"] += len(desk.sessions.made)
        desk.read.close()
        if (opened := desk.keeper._opened) is not None:  # pyright: ignore[reportPrivateUsage]
            opened.raw.close()


def _prompt(profile: Profile, talk: str | None, id_: str) -> str:
    return f"{PROFILES.index(profile)}|{talk or ''}|{id_}"
