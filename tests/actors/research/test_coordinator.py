"""The research coordinator: a fact sheet in, one decision out."""

from collections.abc import Iterator

import pytest

from actors.domain import rules
from actors.kernel.testing import Probe, TestSystem
from actors.research.coordinator import ResearchCoordinator
from messages import claude, research
from messages.addresses import Ref, Refused
from messages.claude import Asking
from messages.tasks import Finished, Lease, Recommend, RefreshBars, Run, Work
from messages.values import Symbol
from storage import decisions, fact_sheets
from storage.connections import Reader, WriteConnection
from storage.home import Home
from storage.migrations import open_for_writing
from tests.actors.domain.making import ACME, LAST, sheet
from tests.actors.queues import EPOCH, ROUND

SHEET = sheet({"close": 100, "sma_50": 98, "sma_200": 90, "macd_histogram": 1, "rsi_14": 55, "adx_14": 30})


GATEWAY = Ref[claude.Message]("claude")


@pytest.fixture
def connection(home: Home) -> Iterator[WriteConnection]:
    opened = open_for_writing(home, {}, 0)
    opened.commit([[fact_sheets.insert(SHEET, ROUND, 0)]])
    yield opened
    opened.close()


def decide(connection: WriteConnection, work: Work) -> tuple[Finished | Refused, TestSystem]:
    system, ref, probe = TestSystem(), Ref[research.Message]("research"), Probe[Finished | Refused]()
    system.add(ref, lambda me: ResearchCoordinator(me, GATEWAY, Asking(), Reader(connection.path)))
    system.start()
    ref.tell(Run(Lease(3, 1), work, ROUND, probe))
    system.advance(1)
    return probe.received[0], system


def test_the_rules_decision_on_the_sheet_of_the_round_is_the_effect_of_the_task(connection: WriteConnection) -> None:
    finished, _ = decide(connection, Recommend(ACME, LAST, use_claude=False))

    assert isinstance(finished, Finished)
    assert finished.lease == Lease(3, 1)
    connection.commit([finished.effects])
    [record] = decisions.together(Reader(connection.path), ROUND)
    assert record.decision == rules.recommend(SHEET)
    assert record.decision.action == "BUY"
    assert record.at == EPOCH


def test_without_a_sheet_there_is_nothing_to_decide(connection: WriteConnection) -> None:
    refused, _ = decide(connection, Recommend(Symbol("IBM"), LAST, use_claude=False))

    assert refused == Refused("probe", "invalid", f"there is no fact sheet of IBM in round {ROUND}")


def test_another_task_is_a_bug_and_crashes(connection: WriteConnection) -> None:
    refused, system = decide(connection, RefreshBars(ACME))

    assert isinstance(refused, Refused)
    assert refused.code == "crashed"
    assert "RefreshBars came where Recommend is run" in str(system.recorder.crashes[0][1])
