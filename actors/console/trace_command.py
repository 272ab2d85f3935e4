"""The command that shows a trace."""

from typing import Annotated

import typer

from actors.console.options import HomeOption, JsonOption, home_of


def trace(
    context: typer.Context,
    id: Annotated[  # noqa: A002
        str, typer.Argument(help="A correlation id, or the id of a task, question, recommendation or order.")
    ],
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Show all that has come of a round or request, with times, each thing below what it is due to."""
    from actors.console import terminal
    from actors.console import trace as stored
    from actors.console.trace_page import print_trace
    from storage.migrations import open_for_reading

    read, fixed = open_for_reading(home_of(context, home))
    terminal.opening(fixed["price_source"], json=json)
    found = stored.trace(read, id)
    terminal.as_json(found) if json else print_trace(found)
