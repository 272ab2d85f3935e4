"""The command that shows how the portfolio has done."""

import datetime as dt
from pathlib import Path
from typing import Annotated

import typer

from actors.console.options import HomeOption, JsonOption, home_of


def performance(
    context: typer.Context,
    home: HomeOption = None,
    json: JsonOption = False,
    since: Annotated[str | None, typer.Option(metavar="DATE", help="Begin at the last close up to this day.")] = None,
    benchmark: Annotated[str | None, typer.Option(metavar="SYMBOL", help="Compare with this symbol, too.")] = None,
    plot: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw the curves, into FILE.svg.")] = None,
) -> None:
    """Show how the portfolio has done, beside the same holdings left alone."""
    from actors.console import terminal
    from actors.console.chart import as_svg
    from actors.console.performance import measured
    from actors.console.performance_page import print_performance
    from storage.migrations import open_for_reading

    day = _day(since)
    if plot is not None and plot.suffix.lower() != ".svg":
        raise typer.BadParameter(f"--plot {plot}: write a name that ends in .svg; only SVG is drawn")
    read, fixed = open_for_reading(home_of(context, home))
    terminal.opening(fixed["price_source"], json=json)
    with terminal.progress("Measuring"):
        shown = measured(read, fixed, day, benchmark)
        if plot is not None:
            plot.write_text(as_svg(shown), encoding="utf-8")
    if json:
        terminal.as_json(shown)
    else:
        print_performance(shown)
        if plot is not None:
            terminal.line(f"The curves are drawn in {plot}.")


def _day(text: str | None) -> dt.date | None:
    from actors.domain.rows import day

    try:
        return None if text is None else day(text)
    except ValueError as error:
        raise typer.BadParameter(f"--since: {error}") from None
