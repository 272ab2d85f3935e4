"""The command that shows what is held and what was realised."""

from pathlib import Path
from typing import Annotated

import typer

from actors.console.options import HomeOption, JsonOption, home_of


def lots(
    context: typer.Context,
    home: HomeOption = None,
    json: JsonOption = False,
    csv: Annotated[Path | None, typer.Option("--csv", help="Write what was realised to this file.")] = None,
) -> None:
    """Show what is held and what was realised, lot by lot."""
    from actors.console import lots as shown
    from actors.console import terminal
    from storage.migrations import open_for_reading

    read, fixed = open_for_reading(home_of(context, home))
    terminal.opening(fixed["price_source"], json=json)
    found = shown.lots(read)
    if csv is not None:
        shown.write(csv, found.realised)
    if json:
        terminal.as_json(found)
    elif csv is not None:
        count = "1 realised lot" if len(found.realised) == 1 else f"{len(found.realised)} realised lots"
        terminal.line(f"Wrote {count} to {csv}. {shown.NOTE}")
    else:
        shown.print_lots(found)
