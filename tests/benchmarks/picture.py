"""A result as a picture: a bar for each ratio on a logarithmic scale, with its spread, in SVG written by hand."""

import math
from html import escape
from typing import Final

from tests.benchmarks.measure import Benchmark, Result

LINE, LEFT, WIDTH, TOP = 22, 250, 560, 56
"""Pixels: of a line, of the names, of the scale, and of the heading."""
COLOURS: Final = ("#4e79a7", "#9c755f", "#59a14f", "#b07aa1")


def as_svg(result: Result, benchmark: Benchmark) -> str:
    """Bars begin at 1, which is as fast as what it is measured against; only ratios that are above 0 have one.

    The colour of a bar goes with what its name ends in; a thin line is the spread from lowest to highest.
    """
    ratios = {key: median for key, median in result.medians.items() if "_vs_" in key and min(result.spread[key]) > 0}
    endings = list(dict.fromkeys(key.partition("_")[2] for key in ratios))
    values = [1.0, *(each for key in ratios for each in result.spread[key])]
    low, high = math.floor(math.log10(min(values))), max(1, math.ceil(math.log10(max(values))))

    def x(value: float) -> float:
        return round(LEFT + WIDTH * (math.log10(value) - low) / (high - low), 1)

    bottom = TOP + LINE * len(ratios)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 90}" height="{bottom + 36}" '
        'font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="8" y="22" font-size="14">{escape(result.name)}: {escape(benchmark.about)}</text>',
        '<text x="8" y="40" fill="#555">times as fast, medians; thin lines from lowest to highest</text>',
    ]
    for power in range(low, high + 1):
        at = x(10.0**power)
        stroke = "#333" if power == 0 else "#ddd"
        parts.append(f'<line x1="{at}" y1="{TOP}" x2="{at}" y2="{bottom}" stroke="{stroke}"/>')
        parts.append(f'<text x="{at}" y="{bottom + 16}" text-anchor="middle" fill="#555">{10.0**power:g}</text>')
    for number, (key, median) in enumerate(ratios.items()):
        y, (lowest, highest) = TOP + LINE * number, result.spread[key]
        colour = COLOURS[endings.index(key.partition("_")[2]) % len(COLOURS)]
        left, right = sorted((x(1.0), x(median)))
        parts += [
            f'<text x="{LEFT - 8}" y="{y + 15}" text-anchor="end">{escape(key)}</text>',
            f'<rect x="{left}" y="{y + 4}" width="{round(right - left, 1)}" height="{LINE - 8}" fill="{colour}"/>',
            f'<line x1="{x(lowest)}" y1="{y + LINE / 2}" x2="{x(highest)}" y2="{y + LINE / 2}" stroke="#000"/>',
            f'<text x="{max(right, x(highest)) + 6}" y="{y + 15}">{median:.3g}</text>',
        ]
    return "\n".join([*parts, "</svg>"]) + "\n"
