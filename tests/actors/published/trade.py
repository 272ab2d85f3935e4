"""What happens to a trade."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Placed:
    symbol: str


@dataclass(frozen=True, slots=True)
class Filled:
    symbol: str
    quantity: int
