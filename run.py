"""The command line of Troupe; `run.py --help` shows it."""

import logging
import os
import secrets
import signal
import sys
import time
import tomllib
from functools import partial
from pathlib import Path
from typing import Annotated, Final, Literal

import typer

from actors import process
from actors.commands import amend, approve, cancel, halt, mandate, orders, real_money, reject, resume
from actors.console.grounding_command import grounding
from actors.console.lots_command import lots
from actors.console.options import HomeOption, JsonOption, OnStopOption, home_of
from actors.console.performance_command import performance
from actors.console.trace_command import trace
from messages.errors import TroupeError, sentence

SWITCH: Final = 5e-4
"""Seconds a thread may keep the interpreter. Measured: beside one busy Python thread 8-row commits rise from about 70 a
second (p99 50 ms, at Python's 5e-3) to 1,240-1,490 (p99 2 ms); what pure Python lost was within the noise."""
INTERRUPTED: Final = 130
"""The exit code by which typer says that it was interrupted."""

app = typer.Typer(
    help="Troupe: a self-hosted trading desk made of actors.",
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: rich's way of drawing it takes as long again as all the rest of --help
    invoke_without_command=True,
    add_completion=False,
)


def main() -> None:
    """Run the command line; an error of ours is one line on standard error and exit code 1."""
    sys.setswitchinterval(SWITCH)
    os.umask(0o077)  # whatever a desk writes is its owner's alone
    logging.basicConfig(handlers=[logging.NullHandler()])  # until there is a home to log in
    try:
        app(standalone_mode=True)
    except TroupeError as error:
        cause = error.__cause__
        sys.exit(_refused(sentence(cause if isinstance(cause, TroupeError) else error)))
    except OSError as error:  # a full device, a directory that is gone: not ours to mend, and not a bug
        logging.getLogger("troupe").exception("the command failed")
        sys.exit(_refused(f"{error.filename or 'standard output or the working directory'}: {error.strerror}"))
    except SystemExit as end:
        if end.code == INTERRUPTED:
            print("interrupted; what was committed is kept", file=sys.stderr)
        raise


def _refused(why: str) -> int:
    """Say why not, in one line whatever is in it; the exit code."""
    print("error:", "".join(c if c.isprintable() else repr(c)[1:-1] for c in why), file=sys.stderr)
    return 1


@app.callback()
def bare(
    context: typer.Context,
    home: HomeOption = None,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Troupe: a self-hosted trading desk made of actors. Without a command it serves."""
    context.obj = home
    if version:
        project = tomllib.loads((Path(__file__).parent / "pyproject.toml").read_text("utf-8"))
        print(project["project"]["version"])
    elif context.invoked_subcommand is None:
        serve(context)


@app.command()
def once(
    context: typer.Context,
    home: HomeOption = None,
    json: JsonOption = False,
    again: Annotated[bool, typer.Option("--again", help="Make a new round where there is one already.")] = False,
    claude: Annotated[Literal["auto", "off", "on"], typer.Option(help="Whether Claude is asked.")] = "auto",
) -> None:
    """Run one full round - prices, value, facts, recommendations - and print it."""
    from actors.console import doors, terminal
    from actors.console.report import FAILED, report
    from actors.console.rounds import Asked

    with process.door(home_of(context, home)) as door:
        terminal.opening(door.source, json=json)
        mode = "off" if claude == "off" else terminal.consent(door, claude, terminal.round_terms)
        with terminal.progress("Running a round") as show:
            correlation_id = door.begin(Asked(again, mode))
            doors.follow(door, correlation_id, show)
        made = report(door.read, correlation_id, door.source)
    if json:
        terminal.as_json(made)
    else:
        terminal.print_report(made)
    if claude == "on" and made.claude.state in FAILED:
        raise TroupeError(f"--claude on: Claude has answered nothing; {made.claude.cause}; `--again` asks anew")


@app.command()
def ask(
    context: typer.Context,
    question: Annotated[str, typer.Argument(help="What you want to know of this desk.")],
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Ask Claude about this desk; it may look things up, and do nothing else."""
    from actors.console import terminal
    from actors.console.talking import Wanted

    with process.door(home_of(context, home)) as door:
        terminal.opening(door.source, json=json)
        terminal.consent(door, "auto", terminal.question_terms)
        terminal.answer(door.ask(Wanted(question)), json=json, hindsight=door.source == "sample")


@app.command()
def chat(context: typer.Context, home: HomeOption = None) -> None:
    """Talk with Claude about this desk, line by line, until `exit`."""
    from actors.console import terminal
    from actors.console.asking import NOT_AGREED
    from actors.console.talking import NotAnswered, Wanted

    with process.door(home_of(context, home)) as door:
        terminal.opening(door.source, json=False)
        if terminal.consent(door, "auto", terminal.question_terms) == "off":
            raise TroupeError(NOT_AGREED)
        talk, begun, hindsight = secrets.token_hex(16), False, door.source == "sample"
        for said in terminal.spoken("> ", door.pause):
            try:
                begun = terminal.answer(door.ask(Wanted(said, talk)), json=False, begun=begun, hindsight=hindsight)
            except NotAnswered as error:  # the talk may go on, with the next question
                _refused(str(error))


@app.command(name="import")
def import_(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="CSV with the header symbol,quantity,cost[,acquired].", readable=False)],
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Replace the holdings by those in a CSV file, all or nothing."""
    from actors.console import terminal
    from actors.console.imports import read_file

    text = read_file(file)
    with process.door(home_of(context, home)) as door:
        terminal.opening(door.source, json=json)
        done = door.import_holdings(text, str(file))
    if json:
        terminal.as_json(done)
    else:
        holdings = "1 holding" if done.holdings == 1 else f"{done.holdings} holdings"
        terminal.line(f"Imported {holdings} and {done.cash} of cash; `run.py once` values them.")


@app.command()
def tasks(
    context: typer.Context,
    home: HomeOption = None,
    json: JsonOption = False,
    task: Annotated[str | None, typer.Argument(help="A task's number: show all there is of it.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many, newest first.")] = 20,
    pause: Annotated[str | None, typer.Option(metavar="QUEUE", help="Begin nothing of this queue any more.")] = None,
    resume: Annotated[str | None, typer.Option(metavar="QUEUE", help="Begin tasks of this queue again.")] = None,
    cancel: Annotated[str | None, typer.Option(metavar="TASK", help="Do not do this task, or stop doing it.")] = None,
    requeue: Annotated[str | None, typer.Option(metavar="TASK", help="Have this dead task run again.")] = None,
) -> None:
    """Show the newest tasks, and why those are dead that are; or one, or order something of a task or a queue."""
    from actors.console import pages, queues, terminal
    from storage import task_orders
    from storage import tasks as stored

    place = home_of(context, home)
    wishes: dict[queues.What, str | None] = {"pause": pause, "resume": resume, "cancel": cancel, "requeue": requeue}
    wanted: list[tuple[queues.What, str]] = [(what, of) for what, of in wishes.items() if of is not None]
    if len(wanted) + (task is not None) > 1:
        raise typer.BadParameter("give one of TASK, --pause, --resume, --cancel and --requeue")
    if wanted:
        process.reader(place)  # where no desk has run there is nothing to order
        with process.door(place) as door:
            terminal.opening(door.source, json=json)
            done = door.order(*wanted[0])
        terminal.as_json(done) if json else terminal.line(f"{done.sentence[:1].upper()}{done.sentence[1:]}.")
        return
    read, source = process.reader(place)
    terminal.opening(source, json=json)
    if task is not None:
        found = task_orders.whole(read, queues.number(task))
        terminal.as_json(found) if json else pages.print_task(found)
    else:
        rows = stored.newest(read, limit)
        terminal.as_json({"tasks": rows}) if json else terminal.print_tasks(rows)


@app.command()
def why(
    context: typer.Context,
    id: Annotated[str, typer.Argument(help="The id of a recommendation or an order, or how it begins.")],  # noqa: A002
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Show how a recommendation or an order came about, and what became of it."""
    from actors.console import terminal, trading, views
    from actors.console.trading_pages import print_why_order
    from actors.settings import reading

    place = home_of(context, home)
    read, source = process.reader(place)
    terminal.opening(source, json=json)
    if trading.is_order(read, id):
        order = trading.why_order(read, id, source, reading.load(place).trading.real_money)
        terminal.as_json(order) if json else print_why_order(order)
        return
    found = views.why(read, id, source)
    terminal.as_json(found) if json else terminal.print_why(found)


@app.command()
def status(context: typer.Context, home: HomeOption = None, json: JsonOption = False) -> None:
    """Show the desk at a glance."""
    import msgspec

    from actors.console import calendars, terminal, views
    from actors.console.client import NoAnswer, call
    from actors.settings import reading

    place = home_of(context, home)
    read, source = process.reader(place)
    terminal.opening(source, json=json)
    try:
        found = msgspec.convert(call(place.socket, "GET", "/status"), views.Status)
    except NoAnswer:
        chosen = reading.load(place)
        market = calendars.market(read, chosen.calendar, time.time_ns() // 1_000)
        found = views.status(read, str(place.path), source, market=market, real_money=chosen.trading.real_money)
    if json:
        terminal.as_json(found)
    else:
        terminal.print_status(found)


@app.command(name="claude")
def claude_(
    context: typer.Context,
    home: HomeOption = None,
    json: JsonOption = False,
    reset: Annotated[bool, typer.Option("--reset", help="Close the breaker: what was wrong is mended.")] = False,
) -> None:
    """Show whether Claude can be asked, what it may cost and has cost."""
    import msgspec

    from actors.console import terminal
    from actors.console.claude import State, state
    from actors.console.client import NoAnswer, call
    from actors.console.pages import print_claude
    from actors.settings import reading

    place = home_of(context, home)
    read, source = process.reader(place)
    terminal.opening(source, json=json)
    if reset:
        with process.door(place) as door:
            door.reset()
    try:
        found = msgspec.convert(call(place.socket, "GET", "/claude"), State)
    except NoAnswer:
        found = state(read, reading.load(place).claude, time.time_ns() // 1_000)
    if json:
        terminal.as_json(found)
    else:
        print_claude(found)


@app.command()
def backup(context: typer.Context, home: HomeOption = None, json: JsonOption = False) -> None:
    """Copy the database, beside a desk that runs too, and verify the copy."""
    from actors.console import doors, terminal
    from storage.backups import part_of

    place = home_of(context, home)
    process.reader(place)
    with process.door(place) as door:
        terminal.opening(door.source, json=json)
        whole = place.database.stat().st_size
        with terminal.progress("Making a backup") as show:
            begun = door.back_up()
            made, part = place.backups / begun.name, part_of(place.backups / begun.name)

            def share(_: str) -> None:
                if part.exists():
                    show(f"{min(1.0, part.stat().st_size / whole):.0%} copied")

            doors.follow(door, begun.correlation_id, share)
    if json:
        terminal.as_json({"file": str(made), "bytes": made.stat().st_size})
    else:
        terminal.line(f"Backup {made}, {made.stat().st_size / 1e6:.1f} MB, is whole; `run.py restore` puts it back.")


@app.command()
def restore(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A backup made by `run.py backup`.", readable=False)],
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Put a backup in the place of the database, which is kept beside it; not while a desk runs."""
    from actors.console import terminal

    place = home_of(context, home)
    with terminal.progress("Verifying"):
        kept = process.restored(place, file)
    if json:
        terminal.as_json({"restored": str(file), "replaced": str(kept) if kept else None})
    else:
        was = f"; what was there is {kept}" if kept else ""
        terminal.line(f"Restored {file}{was}.")


@app.command()
def doctor(
    context: typer.Context,
    home: HomeOption = None,
    json: JsonOption = False,
    audit: Annotated[bool, typer.Option("--audit", help="Check each entry and decision and the hash chain.")] = False,
) -> None:
    """Check this machine, this home and the Claude program, without a question, and say what to do."""
    from actors.claude.environment import endpoint
    from actors.claude.login import login, versions
    from actors.console import terminal
    from actors.console.doctor import World, examine
    from actors.console.pages import print_doctor
    from actors.settings import reading

    place = home_of(context, home)
    with terminal.progress("Checking"):
        world = World(partial(reading.load, place), versions, partial(login, place), endpoint())
        examined = examine(place, world, whole=audit)
    terminal.as_json(examined) if json else print_doctor(examined)
    if examined.verdict == "error":
        raise typer.Exit(1)


for _command in (
    orders, approve, reject, cancel, amend, mandate, halt, resume, lots, performance, real_money, trace, grounding,
):  # fmt: skip
    app.command()(_command)


@app.command(name="serve")
def serve(context: typer.Context, home: HomeOption = None, on_stop: OnStopOption = None) -> None:
    """Run the desk until SIGINT or SIGTERM; a second signal ends it at once."""
    from actors.console import stopping, terminal
    from actors.console.access import DeskRefused
    from actors.console.imports import import_sample

    place = home_of(context, home)
    signals = list[int]()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: os._exit(128 + number) if signals else signals.append(number))
    with process.desk_in(place, serve=True) as (desk, settings, hooks):
        try:
            import_sample(desk.access)
        except DeskRefused:
            if not desk.system.failed.done():
                raise  # or else it is started anew below
        with process.metrics_of(desk, place, hooks, settings) as metrics:
            terminal.opening(settings.source, json=False)
            terminal.line(f"Desk {place.path} runs as process {os.getpid()}; {metrics}; Ctrl-C stops it.")
            while not signals and not desk.system.failed.done():
                desk.system.wait(0.1, desk.system.failed)
            if signals:
                told = on_stop or settings.trading.on_stop
                stopping.wind_up(desk, stopping.chosen(told, desk.access, interrupted=signals[0] == signal.SIGINT))
        failed = None if signals else desk.system.failed.result()
    if failed:
        process.run_anew(place, failed, lambda: bool(signals))


if __name__ == "__main__":
    main()
