from dataclasses import replace

from actors.console.grounding import Rates, judge, rates
from storage.corpus import load


def test_no_bad_answer_of_the_corpus_is_accepted_and_at_most_one_good_one_is_rejected() -> None:
    measured = rates()

    assert measured.false_accepts == ()
    assert len(measured.false_rejects) <= 1, measured.false_rejects


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

    measured = rates(
        [good, bad, replace(good, name="accepted", verdict="bad"), replace(bad, name="rejected", verdict="good")]
    )

    assert measured == Rates(2, 2, ("accepted",), ("rejected",), (("cited_differs", 1), ("misnamed_fact", 1)))
    assert measured.false_accept_rate == 0.5
    assert measured.false_reject_rate == 0.5


def test_no_answers_have_no_rates() -> None:
    nothing = rates([])

    assert (nothing.good, nothing.bad, nothing.false_accept_rate, nothing.false_reject_rate) == (0, 0, 0.0, 0.0)
