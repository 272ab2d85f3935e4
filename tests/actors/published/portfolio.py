"""What happens to a portfolio."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Updated:
    value: int
