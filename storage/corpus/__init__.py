"""Answers with their verdicts, kept to measure how often the grounding is wrong.

Written by hand, in the ways in which a language model writes and errs; not by the code that they judge. `sheets.json`
holds the fact sheets of the sample prices that they are about, and the symbols that are listed.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeVar

import msgspec

from messages.errors import TroupeError
from messages.research import Sheet
from storage.files import read_text

T = TypeVar("T")

HERE: Final = Path(__file__).parent
LARGEST: Final = 1_000_000


class CorpusUnreadable(TroupeError):
    """A line of the corpus is not what this release can read."""


@dataclass(frozen=True, slots=True)
class Case:
    """An answer as text, what it is about, and whether it may be accepted; `code` is the fault that a bad one has.

    `allowed` are the symbols it may name, `listed` all that there are.
    """

    name: str
    sheet: Sheet
    allowed: frozenset[str]
    listed: frozenset[str]
    answer: str
    verdict: Literal["good", "bad"]
    code: str | None
    why: str


def listed() -> frozenset[str]:
    """Symbols that are listed somewhere: none of them may stand in an answer about another. Raises CorpusUnreadable."""
    return _decoded(_Sheets, read_text(HERE / "sheets.json", LARGEST, "sheets of the corpus"), "sheets.json").listed


def load(folder: Path = HERE) -> tuple[Case, ...]:
    """All cases, in the order of the file. Raises CorpusUnreadable, Unreadable."""
    sheets = _decoded(_Sheets, read_text(folder / "sheets.json", LARGEST, "the corpus"), "sheets.json")
    lines = read_text(folder / "answers.jsonl", LARGEST, "the corpus").split("\n")
    found = list[Case]()
    for number, line in enumerate(lines, 1):
        if line:
            found.append(_case(_decoded(_Line, line, f"answers.jsonl, line {number}"), sheets, number))
    return tuple(found)


class _Sheets(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    listed: frozenset[str]
    sheets: dict[str, Sheet]


class _Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`answer` is an object, kept as it is written; or a text, where it is no JSON."""

    name: str
    sheet: str
    allowed: frozenset[str]
    answer: msgspec.Raw
    verdict: Literal["good", "bad"]
    why: str
    code: str | None = None


def _case(line: _Line, known: _Sheets, number: int) -> Case:
    if line.sheet not in known.sheets:
        names = ", ".join(sorted(known.sheets))
        raise CorpusUnreadable(f"answers.jsonl, line {number}: there is no sheet {line.sheet}; there are {names}")
    raw = bytes(line.answer).decode()
    answer = msgspec.json.decode(raw, type=str) if raw.startswith('"') else raw
    sheet = known.sheets[line.sheet]
    return Case(line.name, sheet, line.allowed, known.listed, answer, line.verdict, line.code, line.why)


def _decoded(kind: type[T], text: str, what: str) -> T:
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise CorpusUnreadable(f"{what}: cannot be read ({error})") from error
