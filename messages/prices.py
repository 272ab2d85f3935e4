"""What Claude's models cost."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class ModelPrice:
    """Dollars per million tokens; `cache_write` is for five minutes."""

    input: Decimal
    output: Decimal
    cache_write: Decimal
    cache_read: Decimal
