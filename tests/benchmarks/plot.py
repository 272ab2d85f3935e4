"""A result as bars of text, each against what is wanted of it."""

import re
from typing import Final

from tests.benchmarks.measure import Benchmark, Result

WIDTH, WANTED_AT = 48, 24
"""Characters of a bar at most, and of one that is just as wanted."""
_WANTED: Final = re.compile(r"(\d+(?:\.\d+)?) or (less|more)")


def as_bars(result: Result, benchmark: Benchmark) -> str:
    """The part up to `|` is what is wanted at most; `█` ends at the median, `░` at the highest.

    Where more is wanted the bar is longer, too. A figure of which nothing is wanted has none.
    """
    lines, width = list[str](), max(20, *map(len, result.medians))
    for key, median in result.medians.items():
        found = _WANTED.match(benchmark.wanted[key])
        if found is None:
            continue
        wanted, most = float(found[1]), result.spread[key][1]
        to_median, to_highest = (min(WIDTH, max(0, round(WANTED_AT * each / wanted))) for each in (median, most))
        bar = ("█" * to_median + "░" * (to_highest - to_median)).ljust(WIDTH)
        lines.append(f"{key:<{width}} {bar[:WANTED_AT]}|{bar[WANTED_AT:]} {median:.3g}, wanted {found[0]}")
    return "\n".join(lines)
