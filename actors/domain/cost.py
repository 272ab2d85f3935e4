"""What a question to Claude may cost at most, and what one has cost that was killed before it could say so."""

from decimal import ROUND_CEILING, Decimal
from typing import Final

from messages.claude import Profile
from messages.prices import ModelPrice
from messages.values import UNIT

BYTES_PER_TOKEN: Final = 2
"""Fewer than any text of ours has: prose has about 4, a table of figures 2 to 3; newer models cut a third finer."""
OVERHEAD: Final = 3_000
"""Tokens of a request besides prompt, system prompt and schema: what the program adds."""
CONTINUATIONS: Final = 3
"""Requests that the program makes by itself where prose has reached its limit; no limit of turns stops them."""
MILLION: Final = 1_000_000


def estimate(price: ModelPrice, prompt_bytes: int, system_bytes: int, schema_bytes: int, profile: Profile) -> Decimal:
    """Dollars a question may cost at most, sizes in bytes of UTF-8; of a kept conversation its earlier talk too.

    Each request may think and write up to its limits, and each later one reads again, at the price of writing to the
    cache, what those before it have written. What tools return is not foreseen, nor a request that is cut and repeated.
    """
    requests = profile.turns + (CONTINUATIONS if profile.schema is None else 0)
    prompt = OVERHEAD + _tokens(prompt_bytes + system_bytes + schema_bytes)
    written = profile.thinking + profile.output
    read = requests * prompt + written * (requests * (requests - 1) // 2)
    return _dollars(read * _dearest_input(price) + requests * written * price.output)


def killed(price: ModelPrice, prompt_bytes: int, streamed_bytes: int) -> Decimal:
    """Dollars that a turn has cost which was killed after so much of its answer and thinking had come.

    `prompt_bytes` is all that was sent: prompt, system prompt and schema.
    """
    read = OVERHEAD + _tokens(prompt_bytes)
    return _dollars(read * _dearest_input(price) + _tokens(streamed_bytes) * price.output)


def _tokens(size: int) -> int:
    return -(-size // BYTES_PER_TOKEN)


def _dearest_input(price: ModelPrice) -> Decimal:
    return max(price.input, price.cache_write, price.cache_read)


def _dollars(millionths: Decimal) -> Decimal:
    return (millionths / MILLION).quantize(UNIT, ROUND_CEILING)
