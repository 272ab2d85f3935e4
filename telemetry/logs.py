"""Logs: lines of text or of JSON. Each says when, how grave, who, and what the work belongs to; none shows a secret."""

import datetime as dt
import json
import logging
import logging.handlers
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, Literal, TextIO

from messages.correlation import TRACE

Format = Literal["text", "json"]
Level = Literal["debug", "info", "warning", "error"]
LARGEST: Final = 5_000_000
"""Bytes of a file; then it becomes the one before, which is kept."""
HIDDEN: Final = "[secret]"
LEAST: Final = 4
"""Characters a known secret has; what is shorter stands everywhere, and hides nothing."""
_NAMED: Final = re.compile(r"(?:^|_)(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?)(?:_|$)", re.IGNORECASE)
_QUOTED: Final = re.compile(r"""["']([^"'\n]+)["']""")
_LOOKS_LIKE_ONE: Final = re.compile(
    r"""(?P<kept>
        (?: (?:api|secret|access|private)[-_]?key(?:[-_]id)? | token | secret | password | authorization )
            ["']? \s* [:=] \s* (?: (?:bearer|basic) \s+ )?
        | \b bearer \s+
        | :// (?= [^/\s@]+ @ )
    ) (?: "[^"\n]*" | '[^'\n]*' | [^\s"',;)}&@]+ )
    | \b sk-[a-z]+-[\w-]{4,}""",
    re.IGNORECASE | re.VERBOSE,
)
_COLOURS: Final = {"debug": "\033[2m", "warning": "\033[33m", "error": "\033[31m", "critical": "\033[31m"}
_PLAIN: Final = "\033[0m"
_CONTROL: Final = {number: repr(chr(number))[1:-1] for number in (*range(32), *range(127, 160)) if number != 10}


def log_to(file: Path, form: Format, level: Level, hide: "Redactor") -> None:
    """From now on write what is logged into this file, and nowhere else. Raises OSError where that cannot be done."""
    logging.raiseExceptions = False  # a log that cannot be written, on a full disk, is no reason to print stacks
    kept = logging.handlers.RotatingFileHandler(file, maxBytes=LARGEST, backupCount=1, encoding="utf-8")
    kept.setFormatter(Lines(form, hide))
    logging.basicConfig(level=level.upper(), handlers=[kept], force=True)


def show_on(stream: TextIO, form: Format, hide: "Redactor") -> None:
    """From now on write the same there, too; in colours if it is a terminal."""
    shown = logging.StreamHandler(stream)
    shown.setFormatter(Lines(form, hide, colours=stream.isatty()))
    logging.getLogger().addHandler(shown)


def known_secrets(world: Mapping[str, str], *files: Path) -> Iterable[str]:
    """Of the environment what is named as a secret is, and all that stands in quotes in files of keys."""
    yield from (value for name, value in world.items() if _NAMED.search(name))
    for file in files:
        try:
            yield from _QUOTED.findall(file.read_text("utf-8", "replace"))
        except OSError:
            continue  # it is not there, or not ours to read; then nothing here has read it either


class Redactor:
    """Hides the secrets that are known, and whatever looks like one."""

    def __init__(self, secrets: Iterable[str]) -> None:
        known = sorted({text for text in secrets if len(text) >= LEAST}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    def __call__(self, text: str) -> str:
        """The text without them."""
        if self._known is not None:
            text = self._known.sub(HIDDEN, text)
        return _LOOKS_LIKE_ONE.sub(lambda found: f"{found['kept'] or ''}{HIDDEN}", text)


class Lines(logging.Formatter):
    """Makes a line of JSON, or one of text and, behind a bar, what else a message or an exception has to say."""

    def __init__(self, form: Format, hide: Redactor, *, colours: bool = False) -> None:
        super().__init__()
        self._json, self._hide, self._colours = form == "json", hide, colours

    def format(self, record: logging.LogRecord) -> str:
        """On the thread that logs, since it asks what that is working for."""
        trace, at = TRACE.get(), dt.datetime.fromtimestamp(record.created, dt.UTC)
        said = {
            "time": at.isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "actor": record.threadName or "",
            "correlation_id": self._hide(trace.correlation_id) or None if trace else None,
            "message": self._hide(record.getMessage()),
        }
        if (exception := self._exception(record)) is not None:
            said["exception"] = self._hide(exception)
        return json.dumps(said, ensure_ascii=False) if self._json else self._text(said)

    def _exception(self, record: logging.LogRecord) -> str | None:
        parts = [self.formatException(record.exc_info)] if record.exc_info else []
        parts += [self.formatStack(record.stack_info)] if record.stack_info else []
        return "\n".join(parts) or None

    def _text(self, said: Mapping[str, str | None]) -> str:
        *about, message = (said[name] or "-" for name in list(said)[:6])
        first, *rest = f"{message}\n{said.get('exception') or ''}".rstrip("\n").translate(_CONTROL).split("\n")
        line = " ".join((*(name.translate(_CONTROL).replace("\n", " ") for name in about), first))
        if self._colours and (colour := _COLOURS.get(about[1])):
            line = f"{colour}{line}{_PLAIN}"
        return "\n".join((line, *(f"    | {each}" for each in rest)))
