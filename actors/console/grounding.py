"""How often the grounding is wrong, measured on the kept corpus of answers by the check itself."""

from collections.abc import Iterable
from dataclasses import dataclass

from actors.domain.grounding import Fault, faults, parse
from storage import decisions
from storage.connections import Reader
from storage.corpus import Case, load
from storage.decisions import Views


@dataclass(frozen=True, slots=True)
class Rates:
    """Answers by their verdict, and the names of those that were judged wrongly.

    `codes` counts, for each code, the bad answers that have such a fault.
    """

    good: int
    bad: int
    false_accepts: tuple[str, ...]
    false_rejects: tuple[str, ...]
    codes: tuple[tuple[str, int], ...]

    @property
    def false_accept_rate(self) -> float:
        """Of the bad answers, 0 to 1."""
        return len(self.false_accepts) / self.bad if self.bad else 0.0

    @property
    def false_reject_rate(self) -> float:
        """Of the good answers, 0 to 1."""
        return len(self.false_rejects) / self.good if self.good else 0.0


@dataclass(frozen=True, slots=True)
class Measured:
    """The rates, and how Claude's decisions of a home came out; `abstain_rate` is None where there are none.

    `causes` counts those that are ABSTAIN by the code of their cause.
    """

    good: int
    bad: int
    false_accepts: tuple[str, ...]
    false_accept_rate: float
    false_rejects: tuple[str, ...]
    false_reject_rate: float
    codes: dict[str, int]
    decisions: int
    abstained: int
    abstain_rate: float | None
    causes: dict[str, int]


def measured(read: Reader | None) -> Measured:
    """Judge the corpus, and count the decisions of this home, if there is one. Raises CorpusUnreadable, Unreadable."""
    of_corpus = rates()
    of_home = Views(0, {}) if read is None else decisions.views(read)
    return Measured(
        of_corpus.good, of_corpus.bad, of_corpus.false_accepts, of_corpus.false_accept_rate, of_corpus.false_rejects,
        of_corpus.false_reject_rate, dict(of_corpus.codes), of_home.made, sum(of_home.abstained.values()),
        of_home.abstain_rate, of_home.abstained,
    )  # fmt: skip


def rates(cases: Iterable[Case] | None = None) -> Rates:
    """Judge these answers, or all of the corpus. Raises CorpusUnreadable, Unreadable."""
    judged = [(case, judge(case)) for case in (load() if cases is None else cases)]
    bad = [(case, found) for case, found in judged if case.verdict == "bad"]
    good = [(case, found) for case, found in judged if case.verdict == "good"]
    seen = [code for _, found in bad for code in {fault.code.value for fault in found}]
    return Rates(
        good=len(good),
        bad=len(bad),
        false_accepts=tuple(case.name for case, found in bad if not found),
        false_rejects=tuple(case.name for case, found in good if found),
        codes=tuple((code, seen.count(code)) for code in sorted(set(seen))),
    )


def judge(case: Case) -> tuple[Fault, ...]:
    """What is wrong with its answer, as for an answer of today."""
    answer = parse(case.answer)
    return answer if isinstance(answer, tuple) else faults(answer, case.sheet, case.allowed, case.listed)
