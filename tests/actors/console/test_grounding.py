from dataclasses import replace

import pytest

from actors.console.grounding import Rates, judge, measured, rates
from storage.corpus import load
from tests.desks import StagedDesk


def test_no_bad_answer_of_the_corpus_is_accepted_and_at_most_one_good_one_is_rejected() -> None:
    found = rates()

    assert found.false_accepts == ()
    assert len(found.false_rejects) <= 1, found.false_rejects


def test_each_bad_answer_is_rejected_for_its_own_fault() -> None:
    assert [
        (case.name, case.code, [fault.sentence for fault in judge(case)])
        for case in load()
        if case.verdict == "bad" and case.code not in {fault.code for fault in judge(case)}
    ] == []


def test_every_fault_is_told_in_one_line() -> None:
    for case in load():
        for fault in judge(case):
            assert fault.sentence == " ".join(fault.sentence.split())
            assert fault.sentence.isprintable()
            assert len(fault.sentence) < 250


def test_wrong_verdicts_are_counted_by_name() -> None:
    good, bad = (next(case for case in load() if case.verdict == verdict) for verdict in ("good", "bad"))

    found = rates(
        [good, bad, replace(good, name="accepted", verdict="bad"), replace(bad, name="rejected", verdict="good")]
    )

    assert found == Rates(2, 2, ("accepted",), ("rejected",), (("cited_differs", 1), ("misnamed_fact", 1)))
    assert found.false_accept_rate == 0.5
    assert found.false_reject_rate == 0.5


def test_no_answers_have_no_rates() -> None:
    nothing = rates([])

    assert (nothing.good, nothing.bad, nothing.false_accept_rate, nothing.false_reject_rate) == (0, 0, 0.0, 0.0)


def test_measured_says_the_rates_and_how_claude_has_decided_in_a_home(desk: StagedDesk) -> None:
    desk.import_text("symbol,quantity,cost\nAAPL,10,100\nFB,1,1\n")
    desk.once(claude="on")

    found = measured(desk.read)

    assert (found.good, found.bad) == (45, 92)
    assert (found.false_accept_rate, found.false_reject_rate) == (0.0, 0.0)
    assert sum(found.codes.values()) >= found.bad
    assert (found.decisions, found.abstained, found.abstain_rate) == (2, 1, 0.5)
    assert found.causes == {"abstained": 1}


@pytest.mark.parametrize("home_with_rules", [True, False])
def test_without_decisions_of_claudes_there_is_no_abstain_rate(desk: StagedDesk, home_with_rules: bool) -> None:
    if home_with_rules:
        desk.import_text("symbol,quantity,cost\nFB,1,1\n")
        desk.once()

    found = measured(desk.read if home_with_rules else None)

    assert (found.decisions, found.abstained, found.abstain_rate, found.causes) == (0, 0, None, {})
