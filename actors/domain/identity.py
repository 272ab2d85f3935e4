"""Which securities a text is about. Names of companies are not looked at, nor symbols in small letters."""

import re
import unicodedata
from typing import Final

_CLASS: Final = r"(?:[./-][A-Z]{1,2})?"
_TOKEN: Final = re.compile(rf"(?<![A-Za-z0-9])[A-Z]{{1,6}}{_CLASS}(?=s?(?![A-Za-z0-9]))")
_CASHTAG: Final = re.compile(r"\$\s?([A-Za-z]{1,6}(?:[.-][A-Za-z]{1,2})?)(?![A-Za-z0-9_])")
_EXCHANGES: Final = (
    r"NASDAQ(?:GS|GM|CM)?|NYSE(?: ?(?:ARCA|AMERICAN|MKT))?|AMEX|ARCA|LSE|LON|TSXV?|TSE|XETRA|ETR|FRA|FWB|SIX|SWX|ASX"
    r"|HKEX|HKG|SEHK|OTC(?:MKTS|QB|QX)?|CBOE|BATS|EPA|AMS|BIT|BME|STO|TYO|NSE|BSE|SGX|KRX|EURONEXT"
)
_EXCHANGE: Final = re.compile(rf"\b(?:{_EXCHANGES})\s*:\s*\$?([A-Z0-9]{{1,6}}(?:[./-][A-Z]{{1,2}})?)\b", re.IGNORECASE)
_SUFFIXED: Final = re.compile(
    r"(?<![\w.])([A-Z]{2,6}\.(?:DE|L|PA|AS|MI|MC|SW|HK|TO|AX|KS|SS|SZ|NS|BO|O|N|OQ|F|T|BR|CO|ST|HE|OL|VI|LS))(?![\w.])"
)
_QUOTED: Final = re.compile(
    r"\b(?:[Tt]icker|[Ss]ymbol|[Ss]hares (?:of|in)|[Ss]tock (?:of|in))(?: symbol)?:? ([A-Z]{1,5}(?:[./-][A-Z]{1,2})?)\b"
)
_BRACKETED: Final = re.compile(r"\b[A-Z][A-Za-z&.'-]*[a-z],? \(([A-Z]{1,5}(?:[./-][A-Z]{1,2})?)\)")

_TERMS: Final = (
    "RSI MACD ATR ADX SMA EMA MA DMA WMA BB DMI DI CCI OBV ROC VWAP USD EUR US USA UK EU GDP CPI FED FOMC SEC ECB IMF"
    " ETF ETFS ADR IPO CEO CFO COO CTO EPS PE PEG ROE ROI YOY QOQ YTD FY TTM EBIT EBITDA FX API AI IT PC TV OK ATH BUY"
    " SELL HOLD ABSTAIN SD VS EOD NYSE AMEX NASDAQ OTC SP CAGR IR PR HR QE AR VR NA TBD FYI ID CI DC MD"
)
TERMS: Final = frozenset(_TERMS.split())
"""What capitals otherwise mean in this trade; some of them are listed symbols too."""
_WORDS: Final = (
    "A I AN AS AT BE BY DO GO HE IF IN IS IT ME MY NO OF ON OR SO TO UP US WE ALL AND ANY ARE BIG BUT CAN CASH DAY"
    " EDGE EVER FAST FIVE FIX FLOW FOR FUN FUND GAIN GAP GOOD HAS HIGH HIT HOPE HOW ITS JUST KEY LAST LEAD LIFE LINE"
    " LIVE LONG LOSS LOVE LOW MAIN MAN MARK MIND MOVE MUST NEW NEXT NICE NOT NOW OLD ONE ONLY OPEN OUR OUT OVER OWN"
    " PEAK PLAY PLUS POST RANGE REAL RISK ROCK RUN SAFE SAVE SEE SELF SHE SHIP SIX SKY STAY STEP SUM SUN TALK TEAM"
    " TELL TEN THE THIS TOP TRUE TURN TWO VERY WAIT WANT WAS WAVE WELL WHO WHY WIN WITH WORK YET YOU ZERO"
)
WORDS: Final = frozenset(_WORDS.split())
"""English words that are listed symbols somewhere: in capitals they are words, unless marked as a symbol."""

_ALWAYS_WORDS: Final = frozenset({"A", "I", "AN", "ALL", "ANY", "BIG", "ITS", "OUR", "THE", "MY"})
"""What may stand after `shares of` without being a symbol."""


def foreign(text: str, allowed: frozenset[str], listed: frozenset[str]) -> tuple[str, ...]:
    """The symbols in a text that it may not be about, in order of the alphabet.

    Bare capitals count where they are `listed` and neither a term nor a word; a cashtag, an exchange before or after,
    `ticker TSLA`, `shares of TSLA` and `Tesla (TSLA)` count even where the symbol is not listed.
    """
    plain = unicodedata.normalize("NFKC", text)
    own, known = {_spelled(symbol) for symbol in allowed}, {_spelled(symbol) for symbol in listed}
    marked = [_spelled(name) for way in (_CASHTAG, _EXCHANGE) for name in way.findall(plain)]
    marked += map(_spelled, _SUFFIXED.findall(plain))
    marked += [name for name in map(_spelled, _QUOTED.findall(plain)) if name not in TERMS | _ALWAYS_WORDS]
    marked += [name for name in map(_spelled, _BRACKETED.findall(plain)) if name not in TERMS]
    bare = [name for token in _TOKEN.finditer(plain) for name in _bare(token, plain, own | known)]
    return tuple(sorted({name for name in marked if name not in own} | {name for name in bare if name in known - own}))


def _bare(token: re.Match[str], text: str, known: set[str]) -> tuple[str, ...]:
    """The symbol that capitals may be: with its class of shares, else each part; not a term, a word, the S of S&P."""
    name = _spelled(token[0])
    parts = (name,) if name in known else tuple(name.split("."))
    before, after = text[: token.start()], text[token.end() :]
    leads = before.endswith(("&", ".", "-", "/", "'", "\N{RIGHT SINGLE QUOTATION MARK}"))
    joined = leads or (after.startswith(("&", ".", "-", "/")) and after[1:2].isalnum())
    lone = joined or before.lower().endswith(("class ", "plan ", "series ", "grade "))
    return tuple(
        part for part in parts if part not in TERMS | WORDS and not (len(part) == 1 and (lone or len(parts) > 1))
    )


def _spelled(symbol: str) -> str:
    return symbol.upper().replace("-", ".").replace("/", ".")
