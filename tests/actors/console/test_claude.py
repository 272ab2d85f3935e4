"""How it stands with Claude, from what is stored and from a running desk."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from actors.claude.sessions import Fault
from actors.console import asking
from actors.console.claude import SHOWN, Breaker, Ceilings, look, state
from actors.console.doors import Here
from actors.settings.reading import Settings
from messages.claude import Asking, Cause, Profile
from storage import questions
from storage.connections import Reader
from storage.home import Home
from storage.questions import Breakdown, Share
from tests.desks import StagedDesk
from tests.sessions import Answer

HOLDINGS = "symbol,quantity,cost\nAAPL,10,100\nIBM,1,1\n"
MARCH = 1_362_096_000_000_000
"""2013-03-01T00:00:00Z, when a staged desk's clock begins."""
NO_CREDIT = Answer(Fault(None, Cause.BILLING, "Credit balance is too low", Decimal(0)))


def always(answer: Answer) -> Callable[[Profile, str], Answer]:
    def answers(_profile: Profile, _prompt: str) -> Answer:
        return answer

    return answers


def test_a_desk_that_has_asked_nothing_has_no_consent_and_a_closed_breaker(desk: StagedDesk) -> None:
    found = state(desk.read, Asking(), MARCH)

    assert (found.model, found.consent, found.failures, found.live) == ("claude-sonnet-5", None, (), None)
    assert found.breaker == Breaker("closed", "", "", None, None)
    assert found.ceilings == Ceilings(Decimal("0.50"), Decimal("1.00"), Decimal("5.00"), Decimal("50.00"))
    assert (found.spent.day, found.spent.month, found.spent.of_month.by_model) == (Decimal(0), Decimal(0), ())
    assert found.price is not None
    assert found.price.input == 2


def test_a_model_without_a_price_has_none(desk: StagedDesk) -> None:
    assert state(desk.read, Asking(model="claude-of-tomorrow"), MARCH).price is None


def test_what_a_round_has_cost_is_divided_by_purpose_model_and_symbol(desk: StagedDesk) -> None:
    desk.import_text(HOLDINGS)
    desk.once(claude="on")

    found = state(desk.read, Asking(), desk.access.system.clock.utc())

    cost = Decimal("0.01")
    assert (found.spent.day, found.spent.month) == (2 * cost, 2 * cost)
    assert found.spent.of_month.by_purpose == (Share("recommendation", 2 * cost, 2),)
    assert found.spent.of_month.by_model == (Share("claude-sonnet-5", 2 * cost, 2),)
    assert found.spent.of_month.by_symbol == (Share("AAPL", cost, 1), Share("IBM", cost, 1))
    assert found.consent is not None
    assert (found.consent.model, found.consent.usd_per_round, found.consent.holds) == (
        "claude-sonnet-5",
        Decimal(1),
        True,
    )
    assert found.failures == ()


def test_a_consent_holds_for_its_model_and_up_to_its_ceiling(desk: StagedDesk) -> None:
    asking.agree(desk.access)

    def holds(settings: Asking) -> bool:
        found = state(desk.read, settings, MARCH)
        assert found.consent is not None
        return found.consent.holds

    assert holds(Asking(max_usd_per_round=Decimal("0.60")))
    assert not holds(Asking(max_usd_per_round=Decimal("1.01")))
    assert not holds(Asking(model="claude-opus-5-5"))


def test_what_failed_is_listed_and_what_an_open_breaker_held_back_is_not(desk: StagedDesk) -> None:
    desk.import_text(HOLDINGS)
    desk.sessions.answers = always(NO_CREDIT)

    desk.once(claude="on")
    found = state(desk.read, Asking(), desk.access.system.clock.utc())

    assert [(each.purpose, each.cause, each.cost_usd) for each in found.failures] == [
        ("recommendation", "billing", Decimal(0))
    ]
    assert (found.breaker.state, found.breaker.cause) == ("open", "billing")
    assert found.breaker.sentence.endswith("Credit balance is too low")
    assert found.breaker.retry_at is not None
    assert found.breaker.since is not None
    assert found.breaker.retry_at - found.breaker.since == 600_000_000


def test_the_newest_failures_are_shown_first_and_not_more_than_a_few(desk: StagedDesk) -> None:
    desk.import_text(HOLDINGS)
    refused = Answer(Fault(None, Cause.REFUSED, "no", Decimal("0.01")))
    desk.sessions.answers = always(refused)
    for _ in range(SHOWN):
        desk.once(again=True, claude="on")

    failures = state(desk.read, Asking(), MARCH).failures

    assert len(failures) == SHOWN
    assert [each.at for each in failures] == sorted((each.at for each in failures), reverse=True)
    assert {(each.cause, each.cost_usd) for each in failures} == {("refused", Decimal("0.01"))}


def test_a_reset_closes_the_breaker_and_the_next_round_is_asked(desk: StagedDesk) -> None:
    desk.import_text(HOLDINGS)
    answers = desk.sessions.answers
    desk.sessions.answers = always(NO_CREDIT)
    desk.once(claude="on")
    desk.sessions.answers = answers

    Here(desk.access).reset()

    assert state(desk.read, Asking(), MARCH).breaker.state == "closed"
    assert {each.analyst for each in desk.once(again=True, claude="on").recommendations} == {"claude"}


def test_of_a_running_desk_its_programs_are_shown(desk: StagedDesk) -> None:
    desk.import_text(HOLDINGS)
    before = look(desk.access)
    desk.once(claude="on")

    live = look(desk.access)

    assert before is not None
    assert (before.programs, before.questions) == ((), 0)
    assert live is not None
    assert [(each.conversation, each.model) for each in live.programs] == [("shared", "claude-sonnet-5")]
    assert live.questions == 0


def test_a_gateway_that_is_gone_is_no_error(home: Home) -> None:
    desk = StagedDesk(home, Settings()).start()
    desk.stop()

    assert look(desk.access) is None


def test_how_it_stands_is_of_one_moment(desk: StagedDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.import_text(HOLDINGS)
    original = questions.breakdown

    def breakdown(read: Reader, since: int) -> Breakdown:
        desk.once(claude="on")
        return original(read, since)

    monkeypatch.setattr(questions, "breakdown", breakdown)
    found = state(desk.read, Asking(), MARCH)

    assert (found.spent.month, found.spent.of_month.by_model) == (Decimal(0), ())
    assert original(desk.read, MARCH).by_model
