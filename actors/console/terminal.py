"""What a person sees at the terminal."""

import datetime as dt
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Final, Literal

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.prompt import Confirm
from rich.table import Table

from actors.console.asking import SENT, Mode, Terms
from actors.console.encoding import encoded
from actors.console.report import Recommendation, Report
from actors.console.views import Status, Why
from actors.domain.figures import shown
from messages.research import Fact
from storage.tasks import TaskRow

SAMPLE: Final = "Sample desk: prices end 2013-03-01, not today's."
HINDSIGHT: Final = "Claude may know what came later; these answers are never scored."
PIPED: Final = 200
"""Columns where standard output is not a terminal, so that what is searched for is not broken."""
out = Console(highlight=False, width=None if sys.stdout.isatty() else PIPED)
err = Console(stderr=True, highlight=False)


def opening(source: str, *, json: bool) -> None:
    """What every print opens with on sample prices; beside JSON it goes to standard error."""
    if source == "sample":
        (err if json else out).print(SAMPLE)


def line(text: str) -> None:
    """One line as it stands, whatever is in it and however long it is."""
    out.print(text, markup=False, soft_wrap=True)


def as_json(value: object) -> None:
    """One JSON object on standard output; amounts are strings, exact."""
    sys.stdout.write(encoded(value).decode() + "\n")


@contextmanager
def progress(what: str) -> Generator[Callable[[int, int], None]]:
    """A line on standard error that says how far it is, where that is a terminal."""
    with err.status(what) as shown_line:
        yield lambda done, whole: shown_line.update(f"{what}: {done} of {whole} tasks done")


def consent(mode: Literal["auto", "on"], terms: Terms, agree: Callable[[], None]) -> Mode:
    """Say what asking Claude would mean, and ask whether it may be where nobody has agreed to it yet."""
    if mode == "auto" and not terms.agreed and not (sys.stdin.isatty() and err.is_terminal):
        return "off"
    err.print(
        f"Claude: {terms.model}, one question for each of {terms.symbols} symbols and one repair of each at most, "
        f"for up to {terms.usd_per_round:.2f} $. Sent are {SENT}.",
        soft_wrap=True,
    )
    if not terms.agreed:
        if mode == "auto" and not Confirm.ask("Ask Claude, now and from now on?", console=err, default=False):
            return "off"
        agree()
    return mode


def print_report(report: Report) -> None:
    """A round: the portfolio, and what is recommended."""
    table = _table("", "symbol", ">quantity", ">price", ">value", ">weight", ">unrealised")
    for each in report.positions:
        weight = f"{each.weight:.1%}"
        table.add_row(
            each.symbol, _plain(each.quantity), *map(_money, (each.price, each.value)), weight, _money(each.unrealised)
        )
    table.add_row("cash", "", "", _money(report.cash), "", "")
    out.print(f"Portfolio at the closes of {report.as_of}: {_money(report.value)} {report.currency}")
    out.print(table)
    out.print(f"Recommendations ({escape(report.claude.cause or f'by Claude, for {report.claude.cost_usd:f} $')})")
    table = _table("", "id", "symbol", "action", "analyst", ">conviction", ">sessions", ">target", ">stop")
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
    table = _table("Facts; * cited", "", "id", "fact", ">value", "unit", "as of", "source")
    for fact in each.facts:
        table.add_row(*_fact(fact, each.cited))
    for lack in each.missing:
        table.add_row("", "", lack.name, "missing", "", "", f"needs {lack.needs} sessions, there are {lack.has}")
    out.print(table)
    print_tasks(why.tasks, f"Tasks of round {why.correlation_id}")


def _fact(fact: Fact, cited: Sequence[str]) -> list[str]:
    star = "*" if fact.id in cited else ""
    return [star, fact.id, fact.name, shown(fact.value), fact.unit, fact.as_of.isoformat(), fact.source]


def print_tasks(rows: Sequence[TaskRow], title: str = "Tasks, newest first") -> None:
    """Tasks, and why those are dead that are."""
    table = _table(title, ">id", "type", "of", "state", ">tried", "submitted", ">took", "error")
    for row in rows:
        of = "" if row.type == "value_portfolio" else f"{row.key}/".split("/")[1]
        took = "" if row.ended_at is None else f"{(row.ended_at - row.submitted_at) / 1e6:.2f} s"
        error = escape(row.error or "")
        table.add_row(str(row.id), row.type, of, row.state, str(row.attempts), _time(row.submitted_at), took, error)
    out.print(table)


def print_status(status: Status) -> None:
    """The desk at a glance."""
    running = f"running as process {status.pid}" if status.pid else "not running"
    line(f"Desk {status.home}: {running}; prices: {status.source}")
    table = _table("", "queue", "tasks")
    for queue in status.queues:
        table.add_row(queue.queue, ", ".join(f"{count} {state}" for state, count in queue.tasks.items()))
    out.print(table)
    if status.actors:
        table = _table("", "actor", "state", ">waiting", "cause")
        for actor in status.actors:
            table.add_row(actor.actor, actor.state, str(actor.waiting), escape(actor.cause))
        out.print(table)


def _table(title: str, *columns: str) -> Table:
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
