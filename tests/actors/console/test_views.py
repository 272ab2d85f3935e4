"""Status and why, from what is stored."""

import json

import pytest

from actors.claude.sessions import Opened
from actors.console import queues
from actors.console.views import NotFound, QueueState, status, why
from actors.domain.question import SYSTEM
from messages.values import CorrelationId
from storage import decisions, task_orders, tasks
from storage.connections import Reader
from storage.tasks import TaskRow
from tests.desks import StagedDesk

HOLDINGS = "symbol,quantity,cost\nAAPL,10,100\nIBM,1,1\n"


@pytest.fixture
def ran(desk: StagedDesk) -> StagedDesk:
    """A desk after one round."""
    desk.import_text(HOLDINGS)
    desk.once()
    return desk


def test_status_counts_tasks_by_queue_and_state(ran: StagedDesk) -> None:
    found = status(ran.read, "here", "sample", 7)

    assert (found.home, found.source, found.pid, found.actors) == ("here", "sample", 7, ())
    assert found.queues == (
        QueueState("analysis", {"done": 4}),
        QueueState("data", {"done": 2}),
        QueueState("portfolio", {"done": 1}),
    )


def test_a_new_desk_has_no_tasks(desk: StagedDesk) -> None:
    assert status(desk.read, "here", "sample").queues == ()


def test_why_shows_a_recommendation_with_its_facts_and_the_tasks_that_led_to_it(ran: StagedDesk) -> None:
    correlation_id = ran.begin()
    [record, _] = decisions.together(ran.read, correlation_id)

    found = why(ran.read, record.id, "sample")

    assert (found.correlation_id, found.decided_at) == (correlation_id, record.at)
    assert (found.recommendation.symbol, found.recommendation.hindsight) == ("AAPL", True)
    assert len(found.recommendation.facts) > 15
    assert [row.type for row in found.tasks] == ["value_portfolio", "facts", "recommendation"]
    assert all("/IBM/" not in row.key for row in found.tasks)


def test_why_of_a_decision_by_rules_has_nothing_of_claude(ran: StagedDesk) -> None:
    [record, _] = decisions.together(ran.read, ran.begin())

    found = why(ran.read, record.id, "sample")

    assert (found.stand_in, found.inquiry, found.system, found.questions) == (None, None, None, ())


def test_why_of_a_decision_by_claude_has_prompts_raw_answers_checks_and_cost(ran: StagedDesk) -> None:
    made = ran.once(claude="on").recommendations[0]

    found = why(ran.read, made.id, "sample")

    assert found.inquiry is not None
    assert found.inquiry.model == "claude-sonnet-5"
    assert "symbol: AAPL" in found.inquiry.prompts[0]
    assert json.loads(found.inquiry.answers[0])["action"] == made.action
    assert found.inquiry.checks == ("",)
    assert found.system == SYSTEM
    assert [(row.symbol, row.outcome, row.cost) for row in found.questions] == [("AAPL", "answered", made.cost_usd)]
    assert found.stand_in is None


def test_why_of_a_decision_by_rules_in_claudes_place_says_why(ran: StagedDesk) -> None:
    ran.sessions.opens = lambda: Opened(None, None)
    made = ran.once(claude="auto").recommendations[0]

    found = why(ran.read, made.id, "sample")

    assert found.stand_in is not None
    assert found.stand_in.startswith("authentication: nobody is signed in")
    assert (found.inquiry, found.recommendation.analyst) == (None, "rules")


def test_the_beginning_of_an_id_in_any_case_is_enough(ran: StagedDesk) -> None:
    [record, _] = decisions.together(ran.read, ran.begin())

    assert why(ran.read, f" {record.id[:6].upper()} ", "sample").recommendation.id == record.id


@pytest.mark.parametrize("id_", ["", "%", "____", "zzzz", "no such id"])
def test_what_is_not_an_id_is_said_to_be_none(ran: StagedDesk, id_: str) -> None:
    with pytest.raises(
        NotFound, match=rf"^why {id_}: is not the id of a recommendation; `run\.py once` prints their ids$"
    ):
        why(ran.read, id_, "sample")


def test_three_characters_are_too_few(ran: StagedDesk) -> None:
    [record, _] = decisions.together(ran.read, ran.begin())

    with pytest.raises(NotFound, match="is not the id"):
        why(ran.read, record.id[:3], "sample")


def test_a_beginning_that_several_ids_share_is_refused(ran: StagedDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.console.views.SHORTEST", 0)

    with pytest.raises(NotFound, match="begins more than one recommendation"):
        why(ran.read, "", "sample")


def test_status_is_of_one_moment(ran: StagedDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    original = task_orders.paused

    def paused(read: Reader) -> set[str]:
        queues.order(ran.access, "pause", "data")
        return original(read)

    monkeypatch.setattr(task_orders, "paused", paused)

    assert [each.paused for each in status(ran.read, "here", "sample").queues] == [False] * 3
    assert original(ran.read) == {"data"}


def test_why_is_of_one_moment(ran: StagedDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    [record, _] = decisions.together(ran.read, ran.begin())
    original = tasks.together

    def together(read: Reader, correlation_id: CorrelationId) -> list[TaskRow]:
        ran.system.manual.manual.now += 91 * 86_400  # at one blow, not by all that is due meanwhile
        ran.system.advance(1)  # by then they have been pruned
        return original(read, correlation_id)

    monkeypatch.setattr(tasks, "together", together)

    assert [row.type for row in why(ran.read, record.id, "sample").tasks] == [
        "value_portfolio", "facts", "recommendation"
    ]  # fmt: skip
    assert original(ran.read, record.correlation_id) == []
