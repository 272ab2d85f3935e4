"""What a person sees of how the portfolio has done."""

from collections.abc import Callable
from decimal import Decimal
from typing import Final

from actors.console.performance import Shown
from actors.console.terminal import grid, line, out
from actors.domain.performance import Figures, Performance, Trading
from actors.domain.ratios import Drawdown

DAYS: Final = 10
"""Sessions that are printed, the last ones; all are in the JSON."""
ROWS: Final[tuple[tuple[str, Callable[[Figures], str]], ...]] = (
    ("value at the end", lambda of: _money(of.value)),
    ("time-weighted return", lambda of: _percent(of.total)),
    ("  a year", lambda of: _percent(of.annual)),
    ("money-weighted return", lambda of: _percent(of.money_weighted)),
    ("  a year", lambda of: _percent(of.money_weighted_annual)),
    ("volatility a year", lambda of: _percent(of.volatility, sign=False)),
    ("Sharpe ratio", lambda of: _ratio(of.sharpe)),
    ("Sortino ratio", lambda of: _ratio(of.sortino)),
    ("Calmar ratio", lambda of: _ratio(of.calmar)),
    ("deepest fall", lambda of: _percent(None if of.drawdown is None else of.drawdown.depth)),
    ("  from, to", lambda of: _fell(of.drawdown)),
    ("  made up for", lambda of: _recovered(of.drawdown)),
)
"""Of each row its title and what it shows."""
NAMES: Final = {
    "total": "time-weighted return",
    "annual": "return a year",
    "money_weighted": "money-weighted return",
    "money_weighted_annual": "money-weighted return a year",
    "volatility": "volatility",
    "sharpe": "Sharpe ratio",
    "sortino": "Sortino ratio",
    "calmar": "Calmar ratio",
    "drawdown": "fall",
}
"""What a figure is called where it is missing."""


def print_performance(shown: Shown) -> None:
    """The figures side by side, then what was put in, paid and traded, and what is not as it should be."""
    of = shown.performance
    sessions = "1 session" if of.sessions == 1 else f"{of.sessions} sessions"
    line(f"Performance from {of.first} to {of.last}, {sessions}, in {shown.currency}, net of fees")
    curves = {"this desk": of.own, "left alone": of.alone}
    if of.benchmark is not None and shown.benchmark is not None:
        curves[shown.benchmark] = of.benchmark
    table = grid("", "", *(f">{name}" for name in curves))
    for title, say in ROWS:
        table.add_row(title, *map(say, curves.values()))
    out.print(table)
    _print_missing(curves)
    _print_money(shown)
    _print_trading(of)
    _print_days(shown)
    for stale in of.stale:
        since = f"its close of {stale.session} stood in for missing ones"
        line(f"{stale.symbol}: {since}, up to {stale.sessions} sessions later; bring its prices up to date")
    for split in of.unbooked:
        line(
            f"{split.symbol}: prices show a split of {split.ratio:g} new shares for an old one on {split.session} that "
            "the books do not have; from then on the figures are wrong"
        )


def _print_missing(curves: dict[str, Figures]) -> None:
    """Why a figure is not there, each reason once."""
    reasons = dict[str, tuple[dict[str, None], dict[str, None]]]()
    for name, figures in curves.items():
        for key, why in figures.missing.items():
            names, keys = reasons.setdefault(why, ({}, {}))
            names[name], keys[NAMES[key]] = None, None
    for why, (names, keys) in reasons.items():
        whose = "" if len(names) == len(curves) else f" of {', '.join(names)}"
        line(f"No {', '.join(keys)}{whose}: {why}")


def _print_money(shown: Shown) -> None:
    of = shown.performance
    fees = f"fees {_money(of.fees)}: {_percent(of.before_fees)} before them"
    line(f"Put in {_money(of.put_in)}, gained {_money(of.gained)}; {fees}")
    if shown.claude_counts:
        line(f"Claude has cost {_money(of.claude)}: {_percent(of.after_claude)} with that paid too")
    else:
        line(f"What Claude has cost, in dollars, is not set against {shown.currency}")
    against = {"the same holdings left alone": of.alone.total}
    if of.benchmark is not None:
        against[f"the same money in {shown.benchmark}"] = of.benchmark.total
    for name, total in against.items():
        if total is not None and of.own.total is not None:
            line(f"Against {name}: {(of.own.total - total) * 100:+.2f} points")


def _print_trading(of: Performance) -> None:
    traded: Trading = of.trading
    line(
        f"Traded {traded.trades} times, {traded.trades_per_session:.2f} a session: bought {_money(traded.bought)}, "
        f"sold {_money(traded.sold)}; turnover {_percent(traded.turnover, sign=False)}"
    )
    won = f"hit rate {_percent(traded.hit_rate, sign=False)}, win/loss {_ratio(traded.win_loss)}"
    line(f"Closed {traded.closed}, realised {_money(traded.realised)}; {won}")
    net = _percent(of.net_exposure, sign=False)
    line(f"Exposure {_percent(of.exposure, sign=False)} of equity in the mean, {net} net")


def _print_days(shown: Shown) -> None:
    other = [] if shown.benchmark is None else [f">{shown.benchmark}"]
    table = grid(
        "By day" if len(shown.performance.curve) <= DAYS else f"The last {DAYS} days; `--json` has all",
        "session",
        ">equity",
        ">put in",
        ">left alone",
        *other,
        ">below its highest",
    )
    for each in shown.performance.curve[-DAYS:]:
        benchmark = [] if each.benchmark is None else [_money(each.benchmark)]
        flow = _money(each.flow) if each.flow else ""
        table.add_row(
            each.session.isoformat(), _money(each.equity), flow, _money(each.alone), *benchmark, _percent(each.drawdown)
        )
    out.print(table)


def _fell(of: Drawdown | None) -> str:
    return "-" if of is None else f"{of.peak}, {of.trough}"


def _recovered(of: Drawdown | None) -> str:
    return "-" if of is None else str(of.recovered or "not yet")


def _percent(ratio: float | None, *, sign: bool = True) -> str:
    if ratio is None:
        return "-"
    return f"{round(ratio * 100, 2) + 0:{'+' if sign else ''},.2f} %"


def _ratio(ratio: float | None) -> str:
    return "-" if ratio is None else f"{round(ratio, 2) + 0:.2f}"


def _money(amount: Decimal) -> str:
    return f"{round(amount, 2) + 0:,.2f}"
