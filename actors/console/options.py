"""Options that every command has."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from storage.home import Home

HomeOption = Annotated[
    Path | None,
    typer.Option("--home", help="The directory of the desk's state.", show_default="./desk", readable=False),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
OnStopOption = Annotated[
    Literal["ask", "leave", "cancel", "flatten"] | None,
    typer.Option("--on-stop", help="What then becomes of orders and positions; as set where it is left out."),
]


def home_of(context: typer.Context, home: Path | None) -> "Home":
    """The home that was named, behind the command or before it, or ./desk."""
    from storage.home import Home

    return Home(home or context.obj or Path("desk"))
