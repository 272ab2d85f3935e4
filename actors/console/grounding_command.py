"""The command that measures the check of Claude's answers."""

import typer

from actors.console.options import HomeOption, JsonOption, home_of


def grounding(context: typer.Context, home: HomeOption = None, json: JsonOption = False) -> None:
    """Measure the check of Claude's answers on the kept corpus, and count how often Claude abstains here."""
    from actors.console import terminal
    from actors.console.grounding import measured
    from actors.console.pages import print_grounding
    from storage.migrations import open_for_reading

    place = home_of(context, home)
    found = measured(open_for_reading(place)[0] if place.holds_a_desk() else None)
    terminal.as_json(found) if json else print_grounding(found)
