"""What goes wrong somewhere."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Error:
    component: Literal["portfolio", "claude", "database"]
    text: str
