"""Whether this machine and this home are as a desk needs them, and what to do where they are not.

Nothing is changed, nothing is asked of Claude, and nothing is spent.
"""

import datetime as dt
import os
import platform
import shutil
import stat
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from actors.console.calendars import ENOUGH, described, market
from actors.console.claude import Consent, consent
from messages.claude import Asking
from messages.errors import TroupeError
from storage import audit, balance, breaker, chain, model_prices
from storage.connections import Reader
from storage.home import Home
from storage.migrations import open_for_reading

OLDEST: Final = (3, 11)
"""The Python that is needed."""
LITTLE: Final = 1 << 30
"""Bytes of free disk below which there is a warning."""
TOO_LITTLE: Final = 100 << 20
"""And below which there is an error."""
AGREE: Final = "`run.py once --claude on` agrees"

Verdict = Literal["ok", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Check:
    """One check: its verdict, what was found, and what to do where that is not well."""

    name: str
    verdict: Verdict
    found: str
    todo: str = ""


@dataclass(frozen=True, slots=True)
class Examined:
    """All checks, and the worst verdict among them."""

    verdict: Verdict
    checks: tuple[Check, ...]


class Chosen(Protocol):
    """Settings, as far as they are looked at."""

    @property
    def source(self) -> str:
        """Where prices are from."""
        ...

    @property
    def fixed(self) -> dict[str, str]:
        """What a home can never change."""
        ...

    @property
    def calendar(self) -> str | None:
        """Whose sessions count; None on sample prices."""
        ...

    @property
    def notify(self) -> tuple[str, ...]:
        """How a person is told."""
        ...

    @property
    def claude(self) -> Asking:
        """How Claude is asked."""
        ...


@dataclass(frozen=True, slots=True)
class World:
    """What is handed in: all of it may raise TroupeError but `endpoint`, where questions go, and `which`.

    `login` starts the Claude program and says how it is signed in, None if nobody is; `utc` is in microseconds.
    """

    settings: Callable[[], Chosen]
    versions: Callable[[], str]
    login: Callable[[Asking], str | None]
    endpoint: str
    which: Callable[[str], str | None] = shutil.which
    free: Callable[[str], int] = lambda path: shutil.disk_usage(path).free
    utc: Callable[[], int] = lambda: time.time_ns() // 1_000


def examine(home: Home, world: World, *, whole: bool = False) -> Examined:
    """Look at everything, whatever is wrong with some of it; at the `whole` of the books or at their sums."""
    read, stored, fixed = _database(home)
    chosen, settings = _settings(world, fixed)
    asking = Asking() if chosen is None else chosen.claude
    given = None if read is None else consent(read, asking)
    checks = [
        _python(),
        _home(home),
        _lock(home),
        _disk(home, world),
        stored,
        *_books(read, whole=whole),
        settings,
        _calendar(read, chosen, world),
        _price(asking),
        _launcher(world),
        *_notice(chosen, world),
        *_program(world, asking, agreed=given is not None and given.holds),
        _consent(given, asking),
        _breaker(read),
    ]
    verdicts = {check.verdict for check in checks}
    worst: Verdict = "error" if "error" in verdicts else "warning" if "warning" in verdicts else "ok"
    return Examined(worst, tuple(checks))


def _python() -> Check:
    found = f"{platform.python_version()} on {platform.system()}"
    if sys.version_info < OLDEST:
        return Check("Python", "error", found, f"install Python {OLDEST[0]}.{OLDEST[1]} or newer")
    return Check("Python", "ok", found)


def _home(home: Home) -> Check:
    try:
        about = home.path.stat()
    except FileNotFoundError:
        todo = "`run.py once` makes it, or name yours with --home"
        return Check("home", "warning", f"{home.path} does not exist", todo)
    except OSError as error:
        return Check("home", "error", f"{home.path} cannot be read ({error.strerror})", "choose another with --home")
    if not stat.S_ISDIR(about.st_mode):
        return Check("home", "error", f"{home.path} is not a directory", "choose another with --home")
    mode = stat.S_IMODE(about.st_mode)
    if mode & 0o077:
        found = f"{home.path} has mode {mode:o}: others can look into it"
        return Check("home", "warning", found, f"`chmod 700 {home.path}`")
    return Check("home", "ok", f"{home.path}, mode {mode:o}")


def _lock(home: Home) -> Check:
    pid = home.owner()
    found = "free: no desk runs here" if pid is None else f"held by process {pid}, which runs this desk"
    return Check("lock", "ok", found)


def _disk(home: Home, world: World) -> Check:
    place = next(path for path in (home.path, *home.path.parents) if os.path.exists(path))
    try:
        free = world.free(str(place))
    except OSError as error:
        found = f"{place} cannot be looked at ({error.strerror})"
        return Check("disk", "error", found, "choose another home with --home")
    found = f"{free / 1e9:,.1f} GB free"
    if free >= LITTLE:
        return Check("disk", "ok", found)
    return Check("disk", "error" if free < TOO_LITTLE else "warning", found, "make room: a full disk stops the desk")


def _database(home: Home) -> tuple[Reader | None, Check, dict[str, str]]:
    try:
        if not home.holds_a_desk():
            return None, Check("database", "warning", "there is none yet", "`run.py once` makes it"), {}
        read, fixed = open_for_reading(home)
        damage = read.damage()
    except TroupeError as error:
        return None, _broken("database", error), {}
    if damage is not None:
        todo = "put a backup in its place or start in a new home"
        return None, Check("database", "error", f"{home.database} is damaged: {damage}", todo), {}
    size = home.database.stat().st_size
    return read, Check("database", "ok", f"{home.database.name} is whole, {size / 1e6:.1f} MB"), fixed


def _books(read: Reader | None, *, whole: bool) -> list[Check]:
    """The invariant of the ledger, or each of its entries, each decision, and the chain."""
    if read is None:
        return [Check("books", "warning", "cannot be known without the database", "see to that first")]
    fault = audit.audit(read) if whole else None
    faults = balance.check(read) if fault is None else [fault]
    if not faults:
        head = chain.head(read)
        looked = "each entry, decision and link fits" if whole else "entries sum to zero and to holdings and cash"
        return [Check("books", "ok", f"{looked}; link {head.number} of the chain is {head.hash[:16]}")]
    damaged = [each for each in faults if each.damage]
    first = (damaged or faults)[0]
    if damaged:
        todo = "`run.py restore` a backup" if whole else "`run.py doctor --audit` names the first break"
        return [Check("books", "error", str(first), f"trade no more; {todo}")]
    return [Check("books", "warning", str(first), "pay in cash, or buy what is owed; nothing is lost")]


def _settings(world: World, fixed: dict[str, str]) -> tuple[Chosen | None, Check]:
    try:
        chosen = world.settings()
    except TroupeError as error:
        return None, _broken("settings", error)
    for name, was in fixed.items():
        if (now := chosen.fixed.get(name, was)) != was:
            found = f"{name} is {now}, but this home was begun with {was}"
            return chosen, Check("settings", "error", found, "set it back or choose another home with --home")
    return chosen, Check("settings", "ok", f"valid; prices: {chosen.source}")


def _calendar(read: Reader | None, chosen: Chosen | None, world: World) -> Check:
    if chosen is not None and chosen.calendar is None:
        return Check("calendar", "ok", "none is needed: on sample prices it is always the close of their last session")
    now = world.utc()
    if read is None or chosen is None or (found := market(read, chosen.calendar, now)) is None:
        return Check("calendar", "warning", "cannot be known without settings and database", "see to those first")
    if found.state == "unknown" and found.horizon is None:
        return Check("calendar", "warning", described(found), "`run.py once` works it out")
    if found.state == "unknown":
        return Check(
            "calendar", "error", described(found), "`run.py once` works it out anew; a newer release knows more"
        )
    today = dt.datetime.fromtimestamp(now // 10**6, dt.UTC).date()
    if found.horizon is not None and found.horizon - today < ENOUGH:
        return Check("calendar", "warning", described(found), "`run.py once` works it out anew; see whether it goes on")
    return Check("calendar", "ok", described(found))


def _price(asking: Asking) -> Check:
    try:
        price = model_prices.price(asking.model)
    except TroupeError as error:
        return _broken("price", error)
    as_of = model_prices.table().as_of
    found = f"{asking.model}: {price.input} $ in and {price.output} $ out per million tokens, as of {as_of}"
    return Check("price", "ok", found)


def _launcher(world: World) -> Check:
    lacking = [name for name in ("setsid", "setpriv") if world.which(name) is None]
    if not lacking:
        return Check("launcher", "ok", "setsid and setpriv are there: a Claude program dies with the desk")
    found = f"no {' and no '.join(lacking)}: a Claude program of a killed desk ends when its input closes, not at once"
    return Check("launcher", "warning", found, "install util-linux, where your system has it")


def _notice(chosen: Chosen | None, world: World) -> list[Check]:
    if chosen is None or not chosen.notify:
        return []
    program = chosen.notify[0]
    if world.which(program) is None:
        return [Check("notice", "error", f"{program} is no program here, so nobody is told", "mend [notify] command")]
    return [Check("notice", "ok", f"{program} is run with what you should know")]


def _program(world: World, asking: Asking, *, agreed: bool) -> tuple[Check, Check]:
    try:
        versions = world.versions()
        account = world.login(asking)
    except TroupeError as error:
        todo = "set the desk up again as README.md says; `--claude off` works without it"
        failed = Check("program", "error", f"the Claude program does not start: {error}", todo)
        return failed, Check("login", "warning", "cannot be known without the program")
    program = Check("program", "ok", f"{versions} starts")
    if account is None:
        todo = "sign in with `claude`, or set ANTHROPIC_API_KEY; until then the rules answer"
        return program, Check("login", "error" if agreed else "warning", "nobody is signed in to Claude", todo)
    found = f"by {account}; questions go to {world.endpoint}; whether it is valid only a question shows"
    return program, Check("login", "ok", found)


def _consent(given: Consent | None, asking: Asking) -> Check:
    now = f"{asking.model} for up to {asking.max_usd_per_round:.2f} $ a round"
    if given is None:
        return Check("consent", "warning", "nobody has agreed that Claude is asked; the rules answer", AGREE)
    if given.holds:
        return Check("consent", "ok", f"given for {now}")
    was = f"{given.model} for up to {given.usd_per_round:.2f} $"
    return Check("consent", "warning", f"given for {was}, the settings now say {now}", AGREE)


def _breaker(read: Reader | None) -> Check:
    row = None if read is None else breaker.latest(read)
    if row is None or row.state == "closed":
        return Check("breaker", "ok", "closed")
    todo = "mend that, then `run.py claude --reset`, or wait"
    return Check("breaker", "warning", f"{row.state.replace('_', '-')} ({row.cause}): {row.sentence}", todo)


def _broken(name: str, error: TroupeError) -> Check:
    """An error of ours says what to do after its last semicolon."""
    found, _, todo = str(error).rpartition("; ")
    return Check(name, "error", found or todo, todo if found else "")
