"""What a person sees at the terminal."""

import datetime as dt
import os
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from select import select
from typing import Final, Literal

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from actors.console.asking import SENT, Mode, Terms
from actors.console.calendars import described
from actors.console.doors import Door
from actors.console.encoding import encoded
from actors.console.report import Recommendation, Report
from actors.console.talking import Reply, Step
from actors.console.views import Status, Why
from actors.domain.figures import shown
from messages.errors import TroupeError
from messages.research import Fact
from storage.tasks import TaskRow

SAMPLE: Final = "Sample desk: prices end 2013-03-01, not today's."
HINDSIGHT: Final = "Claude may know what came later; these answers are never scored."
YES: Final = frozenset({"y", "yes"})
PIPED: Final = 200
"""Columns where standard output is not a terminal, so that what is searched for is not broken."""


class NoTerminal(TroupeError):
    """What a person has to type comes from elsewhere."""


out = Console(highlight=False, width=None if sys.stdout.isatty() else PIPED)
err = Console(stderr=True, highlight=False)


def opening(source: str, *, json: bool) -> None:
    """What every print opens with on sample prices; beside JSON it goes to standard error."""
    if source == "sample":
        (err if json else out).print(SAMPLE)


def real_money(account: str | None, *, json: bool) -> None:
    """What everything about orders opens with where money is real; beside JSON it goes to standard error."""
    if account is not None:
        (err if json else out).print(f"REAL MONEY: orders go to account {account}.", markup=False, soft_wrap=True)


def typed(question: str, *, json: bool) -> str:
    """What a person answers at this terminal; from nowhere else, so that no program answers. Raises NoTerminal."""
    if not sys.stdin.isatty():
        raise NoTerminal("standard input is no terminal; a person types this, and nobody and nothing else")
    (err if json else out).print(question, markup=False, soft_wrap=True)
    return sys.stdin.readline().strip()


def line(text: str) -> None:
    """One line as it stands, whatever is in it and however long it is."""
    out.print(text, markup=False, soft_wrap=True)


def as_json(value: object) -> None:
    """One JSON object on standard output; amounts are strings, exact."""
    sys.stdout.write(encoded(value).decode() + "\n")


@contextmanager
def progress(what: str) -> Generator[Callable[[str], None]]:
    """A line on standard error that says how far it is, where that is a terminal."""
    with err.status(what) as shown_line:
        yield lambda how_far: shown_line.update(f"{what}: {how_far}")


def answer(told: Iterator[Step | Reply], *, json: bool, hindsight: bool, begun: bool = False) -> bool:
    """An answer as it comes in, or, as JSON, when it is there; in a talk that has begun it is said if that was lost."""
    shown = ""
    for each in told:
        if isinstance(each, Step):
            shown = shown if json else _go_on(shown, each.text)
        elif json:
            as_json(each)
        else:
            _go_on(shown, each.answer)
            lost = "what was said before is lost to Claude; " if begun and each.anew else ""
            out.print()
            err.print(f"({lost}{each.cost_usd:.4f} $)", markup=False)
            if hindsight:
                out.print(HINDSIGHT)
    return True


def _go_on(shown: str, text: str) -> str:
    """Write what is new of a text; one that has started over begins on a line of its own."""
    text = "".join(c for c in text if c.isprintable() or c in "\n\t")  # no escapes: they would steer the terminal
    if not text.startswith(shown):
        out.print()
        shown = ""
    out.print(text[len(shown) :], end="", markup=False, soft_wrap=True)
    out.file.flush()
    return text


def spoken(prompt: str, pause: Callable[[float], None]) -> Iterator[str]:
    """The lines a person types, until `exit` or the end of the input; `pause` may raise if the desk stops meanwhile."""
    typed, ended = b"", False
    while not ended or typed:
        if b"\n" not in typed and not ended:
            err.print(prompt, end="", markup=False)
            err.file.flush()
        while b"\n" not in typed and not ended:
            while not select([0], [], [], 0)[0]:
                pause(0.05)
            more = os.read(0, 65_536)
            typed, ended = typed + more, not more
        said, _, typed = typed.partition(b"\n")
        text = said.decode(errors="replace").strip()
        if text in {"exit", "quit"}:
            return
        if text:
            yield text


def round_terms(terms: Terms) -> str:
    """What a round with Claude would be."""
    return (
        f"one question for each of {terms.symbols} symbols and one repair of each at most, for up to "
        f"{terms.usd_per_round:.2f} $. Sent are {SENT}"
    )


def question_terms(terms: Terms) -> str:
    """What a question of a person's would be."""
    return f"for up to {terms.usd_per_question:.2f} $ a question. Sent are the question, and what its tools read here"


def consent(door: Door, mode: Literal["auto", "on"], say: Callable[[Terms], str]) -> Mode:
    """Say what asking Claude would mean, and ask whether it may be where nobody has agreed to it yet."""
    terms = door.terms()
    if mode == "auto" and not terms.agreed and not (sys.stdin.isatty() and err.is_terminal):
        return "off"
    err.print(f"Claude: {terms.model}, {say(terms)}.", markup=False, soft_wrap=True)
    if not terms.agreed:
        if (
            mode == "auto"
            and next(spoken("Ask Claude, now and from now on? [y/N] ", door.pause), "").lower() not in YES
        ):
            return "off"
        door.agree()
    return mode


def print_report(report: Report) -> None:
    """A round: the portfolio, and what is recommended."""
    table = grid("", "symbol", ">quantity", ">price", ">value", ">weight", ">unrealised")
    for each in report.positions:
        weight = f"{each.weight:.1%}"
        table.add_row(
            each.symbol, _plain(each.quantity), *map(_money, (each.price, each.value)), weight, _money(each.unrealised)
        )
    table.add_row("cash", "", "", _money(report.cash), "", "")
    out.print(f"Portfolio at the closes of {report.as_of}: {_money(report.value)} {report.currency}")
    out.print(table)
    out.print(f"Recommendations ({escape(report.claude.cause or f'by Claude, for {report.claude.cost_usd:.4f} $')})")
    table = grid("", "id", "symbol", "action", "analyst", ">conviction", ">sessions", ">target", ">stop")
    for made in report.recommendations:
        table.add_row(made.id, made.symbol, made.action, made.analyst, *_levels(made))
    out.print(table)
    for made in report.recommendations:
        out.print(Padding(f"[bold]{made.symbol}[/bold] {escape(made.thesis or made.cause or '')}", (0, 0, 0, 2)))
    if report.source == "sample" and any(made.analyst == "claude" for made in report.recommendations):
        out.print(HINDSIGHT)
    out.print("`run.py why ID` shows the facts behind one of them.")


def _levels(each: Recommendation) -> list[str]:
    conviction = "" if each.conviction is None else f"{each.conviction:.2f}"
    return [conviction, *("" if level is None else str(level) for level in (each.horizon_days, each.target, each.stop))]


def print_why(why: Why) -> None:
    """A recommendation, the facts it rests on and the tasks that led to it."""
    each = why.recommendation
    out.print(f"{each.symbol}: {each.action} by {each.analyst}, decided {_time(why.decided_at)} UTC")
    out.print(escape(each.thesis or each.cause or ""))
    levels = (
        ("conviction", each.conviction),
        ("sessions", each.horizon_days),
        ("target", each.target),
        ("stop", each.stop),
    )
    out.print("   ".join(f"{name} {value}" for name, value in levels if value is not None))
    _print_inquiry(why)
    table = grid("Facts; * cited", "", "id", "fact", ">value", "unit", "as of", "source")
    for fact in each.facts:
        table.add_row(*_fact(fact, each.cited))
    for lack in each.missing:
        table.add_row("", "", lack.name, "missing", "", "", f"needs {lack.needs} sessions, there are {lack.has}")
    out.print(table)
    print_tasks(why.tasks, f"Tasks of round {why.correlation_id}")


def _print_inquiry(why: Why) -> None:
    """How Claude was asked and what the checks said of each answer, or why the rules have answered instead."""
    if why.stand_in is not None:
        line(f"The rules stand in for Claude: {why.stand_in}")
    if (asked := why.inquiry) is None:
        return
    questions = "1 question" if len(asked.prompts) == 1 else f"{len(asked.prompts)} questions, the last a repair"
    cost = f"{why.recommendation.cost_usd:f} $"
    line(f"Claude, {asked.model}: {questions}, {cost}; `--json` has the prompts and the raw answers")
    for number, check in enumerate(asked.checks, 1):
        line(f"  answer {number}: {check or 'passed all checks'}")
    for row in why.questions:
        if row.outcome not in (None, "answered"):
            line(f"  {_time(row.asked_at)} UTC: {row.outcome}, {row.reserved if row.cost is None else row.cost:f} $")


def _fact(fact: Fact, cited: Sequence[str]) -> list[str]:
    star = "*" if fact.id in cited else ""
    return [star, fact.id, fact.name, shown(fact.value), fact.unit, fact.as_of.isoformat(), fact.source]


def print_tasks(rows: Sequence[TaskRow], title: str = "Tasks, newest first") -> None:
    """Tasks, and why those are dead that are."""
    table = grid(title, ">id", "type", "of", "state", ">tried", "submitted", ">took", "error")
    for row in rows:
        state = row.state
        if state == "leased" and row.progress is not None:
            state += f" {row.progress:.0%}"
        of = "" if row.type == "value_portfolio" else f"{row.key}/".split("/")[1]
        took = "" if row.ended_at is None else f"{(row.ended_at - row.submitted_at) / 1e6:.2f} s"
        error = escape(row.error or "")
        table.add_row(str(row.id), row.type, of, state, str(row.attempts), _time(row.submitted_at), took, error)
    out.print(table)


def print_status(status: Status) -> None:
    """The desk at a glance."""
    real_money(status.real_money, json=False)
    running = f"running as process {status.pid}" if status.pid else "not running"
    line(f"Desk {status.home}: {running}; prices: {status.source}")
    if status.market:
        line(f"Market: {described(status.market)}")
    if status.held:
        line(f"Nothing is committed, and trading is HALTED, until this is mended: {status.held}")
    if (health := status.health) is not None:
        line("Ready." if health.ready else f"Not ready: {'; '.join(health.reasons)}")
        for note in health.notes:
            line(f"Note: {note}")
    table = grid("", "queue", "tasks")
    for queue in status.queues:
        counts = ", ".join(f"{count} {state}" for state, count in queue.tasks.items())
        table.add_row(queue.queue, f"paused; {counts}" if queue.paused else counts)
    out.print(table)
    if status.actors:
        table = grid("", "actor", "state", ">waiting", "cause")
        for actor in status.actors:
            table.add_row(actor.actor, actor.state, str(actor.waiting), escape(actor.cause))
        out.print(table)


def grid(title: str, *columns: str) -> Table:
    """A table without lines; a column whose name begins with > is set to the right."""
    table = Table(title=title or None, title_justify="left", box=None, pad_edge=False)
    for column in columns:
        right = column.startswith(">")
        table.add_column(column.lstrip(">"), justify="right" if right else "left", overflow="fold")
    return table


def _money(amount: Decimal) -> str:
    return f"{round(amount, 2) + 0:,.2f}"  # + 0, or a loss of a hundredth of a cent is -0.00


def _plain(amount: Decimal) -> str:
    return f"{amount:f}"


def _time(micros: int) -> str:
    return dt.datetime.fromtimestamp(micros / 1e6, dt.UTC).strftime("%m-%d %H:%M:%S")
