"""Curves as a picture: what the portfolio was worth by day, beside what it is compared with, in SVG written by hand."""

import datetime as dt
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from actors.console.performance import Shown

WIDTH, LEFT, RIGHT = 920, 84, 20
"""Pixels: of the picture, of the margins beside its panels."""
TOP, UPPER, GAP, LOWER, BOTTOM = 96, 300, 34, 110, 40
"""Pixels, from above: heading, panel of the equity, between them, panel of the falls, dates."""
OWN, ALONE, BENCHMARK, FALL, FLOW = "#1f5fa8", "#b0651d", "#4b8b3b", "#c0392b", "#888"
DATES: Final = 7
"""Dates below the panels, at most."""


@dataclass(frozen=True, slots=True)
class _Scale:
    """Where a value lies between two ends, in pixels."""

    low: float
    high: float
    begin: float
    end: float

    def __call__(self, value: float) -> float:
        share = 0.5 if self.high == self.low else (value - self.low) / (self.high - self.low)
        return round(self.begin + share * (self.end - self.begin), 1)


def as_svg(shown: Shown) -> str:
    """Equity in money above, its fall below the highest so far under it; both by calendar day.

    Dashed lines from top to bottom are what was put in or taken out, the first day's apart.
    """
    of, curve = shown.performance, shown.performance.curve
    days = [float(each.session.toordinal()) for each in curve]
    x = _Scale(days[0], days[-1], LEFT, WIDTH - RIGHT)
    lines = [("this desk", OWN, [float(each.equity) for each in curve], of.own.total)]
    lines.append(("the same holdings left alone", ALONE, [float(each.alone) for each in curve], of.alone.total))
    if of.benchmark is not None and shown.benchmark is not None:
        worth = [float(each.benchmark) for each in curve if each.benchmark is not None]
        lines.append((f"the same money in {shown.benchmark}", BENCHMARK, worth, of.benchmark.total))
    height = TOP + UPPER + GAP + LOWER + BOTTOM
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
        'font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="{LEFT}" y="26" font-size="16">Equity from {of.first} to {of.last}, in {escape(shown.currency)}, '
        "net of fees; per cent are time-weighted</text>",
        *_legend([(name, colour, values[-1], total) for name, colour, values, total in lines]),
        *_dates([each.session for each in curve], x),
    ]
    low, high = _ends([value for _, _, values, _ in lines for value in values])
    y = _Scale(low, high, TOP + UPPER, TOP)
    parts += _rules(_ticks(low, high), y, lambda value: f"{value:,.{_places(low, high)}f}")
    for each in curve[1:]:
        if each.flow:
            at = x(each.session.toordinal())
            parts.append(
                f'<line x1="{at}" y1="{TOP}" x2="{at}" y2="{TOP + UPPER}" stroke="{FLOW}" stroke-dasharray="3 3">'
                f"<title>{each.session}: {each.flow:,.2f} put in</title></line>"
            )
    for _, colour, values, _ in reversed(lines):
        parts.append(_line(list(zip(map(x, days), map(y, values), strict=True)), colour))
    parts += _falls(shown, x)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _legend(lines: Sequence[tuple[str, str, float, float | None]]) -> Iterator[str]:
    for number, (name, colour, last, total) in enumerate(lines):
        y = 48 + 18 * number
        change = "" if total is None else f" ({total * 100:+.2f} %)"
        yield f'<line x1="{LEFT}" y1="{y - 4}" x2="{LEFT + 22}" y2="{y - 4}" stroke="{colour}" stroke-width="3"/>'
        yield f'<text x="{LEFT + 30}" y="{y}">{escape(name)}: {last:,.2f}{change}</text>'


def _dates(sessions: Sequence[dt.date], x: _Scale) -> Iterator[str]:
    """Sessions at even distances, the first and the last among them."""
    bottom, steps = TOP + UPPER + GAP + LOWER, min(DATES, len(sessions)) - 1
    for number in range(steps + 1):
        session = sessions[round(number * (len(sessions) - 1) / steps) if steps else 0]
        at = x(session.toordinal())
        anchor = "middle" if 0 < number < steps or not steps else "start" if number == 0 else "end"
        yield f'<line x1="{at}" y1="{TOP}" x2="{at}" y2="{bottom}" stroke="#eee"/>'
        yield f'<text x="{at}" y="{bottom + 18}" text-anchor="{anchor}" fill="#555">{session}</text>'


def _rules(ticks: Sequence[float], y: _Scale, say: Callable[[float], str]) -> Iterator[str]:
    for tick in ticks:
        at = y(tick)
        yield f'<line x1="{LEFT}" y1="{at}" x2="{WIDTH - RIGHT}" y2="{at}" stroke="#ddd"/>'
        yield f'<text x="{LEFT - 8}" y="{at + 4}" text-anchor="end" fill="#555">{say(tick)}</text>'


def _falls(shown: Shown, x: _Scale) -> Iterator[str]:
    """How far below its highest the time-weighted growth is, as an area that hangs from 0."""
    top = TOP + UPPER + GAP
    yield f'<text x="{LEFT}" y="{top - 10}" fill="#555">below its highest so far, time-weighted</text>'
    falls = [(float(each.session.toordinal()), each.drawdown) for each in shown.performance.curve]
    known = [(day, fall * 100) for day, fall in falls if fall is not None]
    if not known:
        yield f'<text x="{LEFT}" y="{top + 20}">{escape(shown.performance.own.missing["total"])}</text>'
        return
    low = min(-1.0, *(fall for _, fall in known)) * 1.05
    y = _Scale(low, 0.0, top + LOWER, top)
    yield from _rules(_ticks(low, 0.0, 4), y, lambda value: f"{value:g} %")
    points = [(x(day), y(fall)) for day, fall in known]
    area = [(points[0][0], y(0.0)), *points, (points[-1][0], y(0.0))]
    yield f'<polygon points="{_points(area)}" fill="{FALL}" fill-opacity="0.25"/>'
    yield _line(points, FALL)


def _line(points: Sequence[tuple[float, float]], colour: str) -> str:
    if len(points) == 1:
        return f'<circle cx="{points[0][0]}" cy="{points[0][1]}" r="4" fill="{colour}"/>'
    return f'<polyline points="{_points(points)}" fill="none" stroke="{colour}" stroke-width="1.6"/>'


def _points(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x},{y}" for x, y in points)


def _ends(values: Sequence[float]) -> tuple[float, float]:
    """Of the scale: a little beyond the values, and not a single one."""
    low, high = min(values), max(values)
    room = (high - low) * 0.05 or max(abs(high) * 0.05, 1.0)
    return low - room, high + room


def _step(low: float, high: float, wanted: int) -> float:
    """1, 2 or 5 times a power of ten, so that about so many steps lie between the ends."""
    rough = (high - low) / wanted
    power: float = 10.0 ** math.floor(math.log10(rough))
    return next(power * each for each in (1, 2, 5, 10) if power * each >= rough)


def _ticks(low: float, high: float, wanted: int = 6) -> list[float]:
    step = _step(low, high, wanted)
    return [number * step for number in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _places(low: float, high: float) -> int:
    """Decimals that tell one tick from the next."""
    return max(0, -math.floor(math.log10(_step(low, high, 6))))
