"""What a person sees of Claude, of the desk's health and of the grounding."""

import datetime as dt
from decimal import Decimal
from typing import Final

from rich.text import Text

from actors.console.claude import Breaker, Live, State
from actors.console.doctor import Examined
from actors.console.grounding import Measured
from actors.console.terminal import grid, line, out
from storage.questions import Share
from storage.task_orders import WholeTask

COLOURS: Final = {"ok": "green", "warning": "yellow", "error": "red"}
DAY: Final = "%Y-%m-%d %H:%M:%S UTC"


def print_claude(state: State) -> None:
    """How it stands with Claude."""
    line(f"Model: {state.model}{_price(state)}")
    line(f"Consent: {_consent(state)}")
    line(f"Breaker: {_breaker(state.breaker)}")
    spent, ceilings = state.spent, state.ceilings
    line(
        f"Spent today: {_usd(spent.day)} of {_usd(ceilings.day)}; this month: {_usd(spent.month)} of "
        f"{_usd(ceilings.month)}; at most {_usd(ceilings.question)} a question and {_usd(ceilings.round)} a round"
    )
    for name, shares in (
        ("purpose", spent.of_month.by_purpose),
        ("model", spent.of_month.by_model),
        ("symbol", spent.of_month.by_symbol),
    ):
        if shares:
            line(f"  this month by {name} (questions): {', '.join(map(_share, shares))}")
    if state.failures:
        rows = grid("Last failures", "ended", "purpose", "symbol", "cause", ">cost")
        for each in state.failures:
            rows.add_row(_time(each.at), each.purpose, each.symbol or "", each.cause, _usd(each.cost_usd))
        out.print(rows)
    else:
        line("No question has failed.")
    _programs(state.live)


def _programs(live: Live | None) -> None:
    if live is None:
        line("Programs: no desk runs here.")
        return
    alive, asked = len(live.programs) or "none", live.questions or "no"
    line(f"Programs: {alive} alive; {asked} question{'s' if live.questions > 1 else ''} waiting or under way")
    if live.programs:
        rows = grid("", "conversation", "model", "state", ">asked", ">unused")
        for each in live.programs:
            rows.add_row(each.conversation, each.model, each.state, str(each.asked), f"{each.unused:.0f} s")
        out.print(rows)


def _price(state: State) -> str:
    if state.price is None:
        return ", whose price is not known, so it is not asked; set another under [claude] model in desk.toml"
    return f", {state.price.input} $ in and {state.price.output} $ out per million tokens"


def _consent(state: State) -> str:
    given = state.consent
    if given is None:
        return "not given, so Claude is not asked; `run.py once --claude on` agrees"
    said = f"{given.model} for up to {_usd(given.usd_per_round)} a round, given {_time(given.at)}"
    return said if given.holds else f"{said}; does not cover the settings of now: `run.py once --claude on` agrees anew"


def _breaker(breaker: Breaker) -> str:
    if breaker.state == "closed":
        return "closed; Claude may be asked"
    until = "" if breaker.retry_at is None else f", until {_time(breaker.retry_at)}"
    said = "half-open: one question is tried" if breaker.state == "half_open" else f"open{until}"
    return f"{said} ({breaker.cause}): {breaker.sentence}; `run.py claude --reset` closes it"


def _share(share: Share) -> str:
    return f"{share.name or 'none'} {_usd(share.cost)} ({share.count})"


def print_task(whole: WholeTask) -> None:
    """One task, with all there is of it."""
    task, tried = whole.task, "once" if whole.task.attempts == 1 else f"{whole.task.attempts} times"
    share = "" if task.progress is None else f", {task.progress:.0%} of it done"
    line(f"Task {task.id}: {task.type} {whole.version}, {task.state}{share}; tried {tried}")
    claude = ", needs Claude" if whole.requires_claude else ""
    line(f"Queue {task.queue}, priority {whole.priority}{claude}; key {task.key}; round {task.correlation_id}")
    line(f"Payload: {whole.payload}")
    ended = "" if task.ended_at is None else f", ended {_time(task.ended_at)}"
    due = f", not before {_time(task.run_after)}" if task.run_after else ""
    line(f"Submitted {_time(task.submitted_at)}{due}{ended}")
    if task.error:
        line(f"Error: {task.error}")
    for what, others in (("Needs", whole.needs), ("Needed by", whole.needed_by)):
        if others:
            line(f"{what}: {', '.join(f'{each.id} {each.key} ({each.state})' for each in others)}")


def print_doctor(examined: Examined) -> None:
    """One line a check."""
    width = max(len(check.name) for check in examined.checks)
    for check in examined.checks:
        todo = f"; {check.todo}" if check.todo else ""
        said = f"{check.name:<{width}}  {check.found}{todo}"
        out.print(Text.assemble((f"{check.verdict:<9}", COLOURS[check.verdict]), said), soft_wrap=True)


def print_grounding(measured: Measured) -> None:
    """How often the grounding is wrong, and how often Claude has no view."""
    line(f"Kept corpus: {measured.good} good and {measured.bad} bad answers, judged by the checks themselves")
    for what, names, rate, whole in (
        ("False accepts", measured.false_accepts, measured.false_accept_rate, f"{measured.bad} bad"),
        ("False rejects", measured.false_rejects, measured.false_reject_rate, f"{measured.good} good"),
    ):
        line(f"{what}: {len(names)} of {whole} ({rate:.1%}){''.join(f'; {name}' for name in names)}")
    if measured.abstain_rate is None:
        line("Abstained: Claude has decided nothing in this home yet")
        return
    causes = ", ".join(f"{cause} {count}" for cause, count in measured.causes.items())
    share = f"{measured.abstained} of {measured.decisions} ({measured.abstain_rate:.1%})"
    line(f"Abstained: {share} of Claude's decisions in this home{f'; causes: {causes}' if causes else ''}")


def _usd(dollars: Decimal) -> str:
    return f"{dollars:.2f} $" if dollars == round(dollars, 2) else f"{dollars:.4f} $"


def _time(micros: int) -> str:
    return dt.datetime.fromtimestamp(micros // 1_000_000, dt.UTC).strftime(DAY)
