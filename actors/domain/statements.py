"""Figures that a text writes itself, instead of naming the fact: digits, number words, signs that change a value.

Known limits: wrong words about right figures pass, and so do number words of other languages, small counts of things
(`two averages`, `level three`), names of months without a digit, Roman numerals in small letters, and sums of facts.
"""

import datetime as dt
import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Final

from messages.research import Fact

PLACEHOLDER: Final = re.compile(r"\{(f[1-9][0-9]*)\}")
_FACT: Final = "\x00"
"""Stands for a placeholder, while a text is looked at."""
_HYPHENS: Final = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2212", "-"))
_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_INDICATORS: Final = {"sma": "SMA|MA|DMA|moving average", "rsi": "RSI", "atr": "ATR", "adx": "ADX"}
"""Names that are customarily followed by their sessions: RSI 14, SMA(200)."""
_SPELLED: Final = {
    "14": "fourteen-day",
    "21": "twenty-one-day|one-month",
    "50": "fifty-day",
    "63": "sixty-three-day|three-month",
    "200": "two-hundred-day|two hundred-day|two hundred day",
    "252": "twelve-month",
}
_SMALL: Final = "one|two|three|four|five|six|seven|eight|nine|ten"
_UNIT: Final = (
    r"per ?cent|percent\w*|pct|points?|bps|basis|dollars?|cents?|euros?|pounds?|bucks?|usd|eur|times|fold|x|multiples?"
    r"|trading|days?|sessions?|weeks?|months?|quarters?|years?|hours?|atrs?|(?:standard )?deviations?|sigmas?"
    r"|\N{GREEK SMALL LETTER SIGMA}|shares?"
    r"|thirds?|fourths?|fifths?|sixths?|sevenths?|eighths?|ninths?|tenths?|halves|ticks?|to-one|to one|notch\w*|digits?"
)
_WORDS: Final = re.compile(
    "|".join(
        (
            r"\b(?:eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen)(?:th|s)?\b",
            r"\b(?:twent|thirt|fort|fourt|fift|sixt|sevent|eight|ninet)(?:y|ies|ieth|ieths)\b(?:-\w+)?",
            r"\b(?:hundred|thousand|million|billion|trillion)(?:s|th|ths)?\b|\bdozens?\b|\bteens\b",
            rf"\b(?:zero|{_SMALL})[ -]+point[ -]+(?:zero|{_SMALL})\b",
            rf"\b(?:zero|{_SMALL})(?:[ -]+(?:zero|{_SMALL}))+\b",
            rf"\b(?:zero|nought|{_SMALL})[ -]+(?:full |whole |more |or more |or so |such )?(?:{_UNIT})\b(?<!one-day)"
            r"(?<!one day)(?<!one week)(?<!one-week)(?<!one month)(?<!one-month)(?<!one quarter)(?<!one year)"
            r"(?<!one-year)(?<!one session)(?<!one-session)",
            rf"\b(?:at|above|below|over|under|near|around|about|roughly|nearly|almost|to|by|is|from|reads|hits?|reached)"
            rf" (?:{_SMALL})(?=\s*(?:[.,;:)]|$)| (?:and|or|but|while|which|today|now|on)\b)",
            r"\b(?:two|three|four|five|six|seven|eight|nine|ten|hundred|many)-?fold\b",
            rf"\b(?:{_SMALL}) (?:in|in every|out of|to|or|of) (?:{_SMALL})\b",
            r"\b(?:down|up|off|by|lost|gained|shed) (?:almost |nearly |about )?a (?:quarter|third|fifth|tenth)\b",
            r"(?<!first )(?<!second )(?<!latter )(?<!former )(?<!upper )(?<!lower )(?<!top )(?<!bottom )"
            r"\bhalf\b(?!-hearted)",
            r"\bhalv(?:e|es|ed|ing)\b|\bdoubl(?:e|es|ed|ing)\b(?! tops?\b| bottoms?\b)|\btwice\b|\bthrice\b",
            r"\btripl(?:e|es|ed|ing)\b(?! tops?\b| bottoms?\b)|\bquadrupl\w*|\b(?:single|double|triple|\w+)-digits?\b",
            r"\b(?:a|an|one|two|three|four)[ -](?:thirds?|fourths?|fifths?|sixths?|eighths?|tenths?)\b",
            r"\b(?:a|one|three)[ -]quarters? (?:of|lower|higher|above|below|off|down|up)\b|\bthree[ -]quarters\b",
            rf"\b(?:{_SMALL}) (?:straight|consecutive|successive|in a row)\b|\btimes (?:{_SMALL})\b",
            r"\b(?:squared|cubed)\b",
            r"\b(?:third|fourth|fifth|sixth|seventh|eighth|ninth|tenth) (?:straight|consecutive|successive|day|session"
            r"|week|month|time|year|red|green)\b",
            r"\b(?:percentile|decile|quartile|quintile)s?\b|\b(?:four|five|six|seven)-figures?\b",
            r"\bper[ -]?cents?\b|\bpct\b|\bbps\b|\bbasis points?\b|\bpercentage points?\b|[%‰‱]",
        )
    ),
    re.IGNORECASE,
)
_ROMAN: Final = re.compile(
    r"(?<![\w&.])(?!CC?I\b|DC\b|MD\b|DI\b|MI\b|CD\b|CV\b)(?=[IVXLCDM]{2})"
    r"M{0,3}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})(?![\w&])"
)
_SIGNS: Final = re.compile(
    rf"(?:^|[\s(\[])[-+~±]{_FACT}|\bnegative {_FACT}|(?:^|[(,:;.] ?|\b(?:is|was|at|of|to|by|or|now) )minus {_FACT}"
    rf"|[\w\\^*]{_FACT}|{_FACT}[\w\\^*]|{_FACT}[.,:']{{0,3}}{_FACT}"  # what would run into the value
    rf"|[^\W\d_]*[€£¥₹¢₿]{_FACT}?|{_FACT} ?(?:k|m|mn|bn|b|x)\b"
)
_LABELS: Final[Mapping[str, tuple[str, ...]]] = {
    "RSI": ("rsi",),
    "ADX": ("adx",),
    "ATR": ("atr",),
    "MACD": ("macd",),
    "close": ("close",),
    "closing price": ("close",),
    "moving average": ("sma",),
    "day average": ("sma",),
    "SMA": ("sma",),
    "volatility": ("volatility", "atr"),
    "drawdown": ("drawdown",),
    "return": ("return",),
    "correlation": ("correlation",),
    "weight": ("weight",),
    "signal line": ("macd_signal",),
    "histogram": ("macd_histogram",),
    "upper band": ("bollinger_upper",),
    "lower band": ("bollinger_lower",),
    "middle band": ("bollinger_middle",),
}
"""What is called so directly before a placeholder has one of these in its name."""
_LABELLED: Final = re.compile(
    rf"\b(?:(?P<sessions>\d+)[ -]?(?:day|session|period|d)?[ -])?(?:simple |exponential )?"
    rf"\b(?P<label>{'|'.join(sorted(_LABELS, key=len, reverse=True))})(?: ?\(?(?P<after>\d+)\)?)?"
    r"(?: now| currently| today)?(?: of| at| is| is at| stands at| sits at| reads| near| around| =|:|,)* ?\(?"
    r"\$?\{(?P<id>f[1-9][0-9]*)\}",
    re.IGNORECASE,
)


def malformed(text: str) -> tuple[str, ...]:
    """Braces that are no placeholder: what `thesis.fill` would leave as they are."""
    plain = unicodedata.normalize("NFKC", PLACEHOLDER.sub(" ", text))
    return tuple(re.findall(r"\S*[{}]\S*", plain))


def figures(text: str, cited: Iterable[str], dates: Iterable[dt.date], counts: Iterable[int] = ()) -> tuple[str, ...]:
    """What reads as a figure of the text's own, in its order and its words; nothing where it is clean.

    Digits are allowed in placeholders, in the names of the `cited` facts, in these dates and as these `counts`.
    """
    bare = PLACEHOLDER.sub(_FACT, text)
    found = [c for c in bare if not c.isascii() and unicodedata.numeric(c, None) is not None]
    plain = unicodedata.normalize("NFKC", bare).translate(_HYPHENS)
    for allowed in (*(_date(date) for date in dates), *(_name(name) for name in cited)):
        plain = re.sub(allowed, " ", plain, flags=re.IGNORECASE)
    for count in counts:
        plain = re.sub(rf"(?<![\w.,$-]){count}(?![\w%]|[.,]\d|-\d| ?(?:per|%))", " ", plain)
    for pattern in (re.compile(rf"[^\s{_FACT}]*\d[^\s{_FACT}]*"), _WORDS, _ROMAN, _SIGNS):
        found += [match[0].strip().replace(_FACT, "{…}") for match in pattern.finditer(plain)]
    return tuple(dict.fromkeys(found))


def misnamed(text: str, facts: Mapping[str, Fact]) -> tuple[str, ...]:
    """Placeholders directly after the name of another fact: `RSI at {f11}` where f11 is adx_14."""
    found = list[str]()
    for match in _LABELLED.finditer(text.translate(_HYPHENS)):
        fact = facts.get(match["id"])
        sessions = match["sessions"] or match["after"]
        label = next(names for name, names in _LABELS.items() if name.lower() == match["label"].lower())
        if fact is not None and (
            not any(name in fact.name for name in label) or (sessions and sessions not in fact.name.split("_"))
        ):
            found.append(f"{match[0]} names {fact.name}")
    return tuple(found)


def _date(date: dt.date) -> str:
    """The ways to write this date, whole, or without its day or year."""
    month = rf"(?:{_MONTHS[date.month - 1]}|{_MONTHS[date.month - 1][:3]}\.?)"
    day = rf"0?{date.day}(?:st|nd|rd|th)?"
    ways = (
        rf"{date.isoformat()}",
        rf"(?:the )?{day}(?: of)? {month}(?:,? {date.year})?",
        rf"{month} {day}(?:,? {date.year})?",
        rf"{month},? {date.year}",
    )
    return rf"(?<![\w.,$-])(?:{'|'.join(ways)})(?!\w|[.,:]\d|[-/]\d|%)"


def _name(name: str) -> str:
    """The ways to write a fact's name that has a number: sma_200, 200-day, the last 200 sessions, SMA(200)."""
    parts = name.split("_")
    ways = [rf"\b{name}\b"]
    if (number := parts[-1]).isdecimal():
        own = rf"(?<![\w.,$-]){number}"
        ways += [
            rf"{own}[ -]?(?:trading[ -])?(?:day|session|period|bar|d|dma)\b",
            rf"{own}(?:-(?= (?:and|or) \d)|/(?=\d+-day))",
            rf"\b(?:past|last|previous|prior|trailing|preceding) {number} (?:trading )?(?:days|sessions)\b",
            *(rf"\b(?:{way})\b" for way in _SPELLED.get(number, "").split("|") if way),
        ]
        if indicator := _INDICATORS.get(parts[-2]):
            ways.append(rf"{own}[ -](?:{indicator})\b")
            ways.append(
                rf"\b(?:{indicator})(?:[-_]?{number}(?![\w.,%]\d|\w|%)| ?\({number}\)| {number}(?= [^\W\d]| \())"
            )
    return "|".join(ways)
