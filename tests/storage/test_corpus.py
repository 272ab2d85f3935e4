import json
from collections import Counter
from pathlib import Path

import pytest

from actors.domain.bars import until
from actors.domain.grounding import Code
from actors.market.sample import SampleSource
from messages.values import Symbol
from storage.corpus import Case, CorpusUnreadable, load
from storage.files import Unreadable
from tests.actors.domain.making import sheet_of

LINE: dict[str, object] = {"name": "n", "sheet": "s", "allowed": [], "answer": {}, "verdict": "good", "why": "w"}
SHEETS = '{"listed": ["B"], "sheets": {"s": {"symbol": "A", "as_of": "2013-03-01", "facts": [], "missing": []}}}'


def written(folder: Path, *lines: str) -> tuple[Case, ...]:
    (folder / "sheets.json").write_text(SHEETS)
    (folder / "answers.jsonl").write_text("\n".join(lines))
    return load(folder)


def test_there_are_enough_answers_of_both_kinds_and_of_every_action() -> None:
    cases = load()

    verdicts = Counter(case.verdict for case in cases)
    actions = Counter(
        json.loads(case.answer)["action"] for case in cases if case.verdict == "good" and case.answer[0] == "{"
    )

    assert verdicts["good"] >= 40
    assert verdicts["bad"] >= 40
    assert set(actions) == {"BUY", "SELL", "HOLD", "ABSTAIN"}
    assert min(actions.values()) >= 4


def test_each_answer_has_a_name_of_its_own_and_a_reason() -> None:
    cases = load()

    assert [name for name, count in Counter(case.name for case in cases).items() if count > 1] == []
    assert [case.name for case in cases if not case.why] == []


def test_each_bad_answer_names_the_fault_that_it_has_and_each_that_an_answer_can_have_is_there() -> None:
    cases = load()

    assert {case.code for case in cases if case.verdict == "good"} == {None}
    assert {case.code for case in cases if case.verdict == "bad"} == set(Code) - {Code.CHANGED_FIELD}


def test_the_sheets_are_those_of_the_sample_prices() -> None:
    source = SampleSource()
    prices = source._all()  # pyright: ignore[reportPrivateUsage]
    for kept in {case.sheet.symbol + str(case.sheet.as_of): case.sheet for case in load()}.values():
        cut = {symbol: until(bars, kept.as_of) for symbol, bars in prices.items()}

        assert sheet_of(kept.symbol, kept.as_of, cut[kept.symbol], cut, dict.fromkeys(cut, 0.2)) == kept


def test_an_answer_is_kept_as_it_was_written(tmp_path: Path) -> None:
    number = '{"name":"n","sheet":"s","allowed":["A"],"answer":{"target": 1e400 , "a":1.10},"verdict":"bad","why":"w"}'
    text = json.dumps(LINE | {"answer": "no {JSON}", "verdict": "bad", "code": "schema"})

    first, second = written(tmp_path, number, text, "")

    assert first.answer == '{"target": 1e400 , "a":1.10}'
    assert (first.allowed, first.listed, first.sheet.symbol) == (frozenset("A"), frozenset("B"), Symbol("A"))
    assert (second.answer, second.code) == ("no {JSON}", "schema")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "answers.jsonl, line 2: cannot be read"),
        (json.dumps(LINE | {"sheet": "x"}), "answers.jsonl, line 2: there is no sheet x; there are s"),
        (json.dumps(LINE | {"verdict": "so-so"}), "answers.jsonl, line 2: cannot be read"),
        (json.dumps(LINE | {"more": 1}), "answers.jsonl, line 2: cannot be read"),
    ],
)
def test_a_line_that_cannot_be_read_names_itself(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(CorpusUnreadable, match=message):
        written(tmp_path, json.dumps(LINE), line)


def test_a_corpus_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match=r"sheets\.json"):
        load(tmp_path)
