"""The jobs, and the workers that run them."""

import dataclasses
import datetime as dt
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from actors.kernel.testing import Probe, TestSystem
from actors.tasks.terms import Terms
from actors.workers.cluster import Address, Cluster
from actors.workers.jobs import JOBS, Known
from actors.workers.places import Here
from actors.workers.worker import AGAIN, Worker
from messages.addresses import Ref, Refused
from messages.database import Statement
from messages.market import Bars
from messages.tasks import ComputeFacts, Finished, Lease, Progressed, RefreshBars, Run, ValuePortfolio, Work
from messages.trading import Holding, Position, Valuation
from messages.values import CorrelationId, Symbol
from storage import bars, fact_sheets, ledger, valuations
from storage.connections import Reader
from storage.home import Home
from storage.migrations import open_for_writing
from storage.writing import WriteConnection
from tests.actors.domain import making
from tests.actors.queues import EPOCH, ROUND, Queues, task

ROOT = Path(__file__).parents[3]
ACME, IBM, DAY = Symbol("ACME"), Symbol("IBM"), making.LAST


class Crew:
    """Two workers over a database with bars of two symbols, ten of ACME held."""

    def __init__(self, home: Home) -> None:
        self.connection: WriteConnection = open_for_writing(home, {}, 0)
        self.read, self.system, self.ref = Reader(home.database), TestSystem(), Ref[Run]("workers")
        self.connection.commit(
            [
                bars.replace(self.read, ACME, making.bars(making.walk(300))),
                bars.replace(self.read, IBM, making.bars(making.walk(20, seed=2))),
                ledger.opening([Holding(ACME, Decimal(10), Decimal(90), None)], Decimal(500), "x", ROUND, 0),
            ]
        )
        self.progress = list[Progressed]()
        known = Known(self.read, "USD", self.progress.append)
        self.system.add_crew(self.ref, lambda take: Worker(take, Here(), known, self.system.clock.utc), 2)
        self.system.start()

    def run(self, work: Work) -> Finished | Refused:
        probe = Probe[Finished | Refused]()
        self.ref.tell(Run(Lease(1, 1), work, ROUND, probe))
        self.system.settle()
        return probe.received[0]

    def tell(self, *works: Work) -> list[Probe[Finished | Refused]]:
        """Run these, which all wait before the first is begun."""
        probes = [Probe[Finished | Refused]() for _ in works]
        for lease, (work, probe) in enumerate(zip(works, probes, strict=True), 1):
            self.ref.tell(Run(Lease(lease, 1), work, ROUND, probe))
        self.system.settle()
        return probes

    def keep(self, work: Work) -> Finished:
        """Run it, and commit its effects."""
        finished = self.run(work)
        assert isinstance(finished, Finished), finished
        self.connection.commit([finished.effects])
        return finished


@pytest.fixture
def crew(home: Home) -> Iterator[Crew]:
    made = Crew(home)
    yield made
    made.connection.close()


def test_the_portfolio_is_valued_at_the_last_closes_up_to_the_session(crew: Crew) -> None:
    finished = crew.keep(ValuePortfolio(DAY - dt.timedelta(days=2)))

    close = Decimal(repr(float(making.walk(300)[-3])))
    valued = valuations.load(crew.read, ROUND)
    assert valued is not None
    assert (valued.as_of, valued.currency, valued.cash) == (DAY - dt.timedelta(days=2), "USD", Decimal(500))
    assert valued.value == 500 + 10 * close
    [only] = valued.positions
    assert (only.symbol, only.price, only.unrealised) == (ACME, close, 10 * close - 900)
    assert finished.effects[0].values[-1] == EPOCH


def test_facts_know_nothing_after_their_session(crew: Crew) -> None:
    early = DAY - dt.timedelta(days=30)
    crew.keep(ValuePortfolio(early))
    crew.keep(ComputeFacts(ACME, early))
    before = fact_sheets.load(crew.read, ROUND, ACME)

    cut = making.bars(making.walk(300))
    crew.connection.commit([bars.replace(crew.read, ACME, Bars(*(getattr(cut, name)[:270] for name in cut.__slots__)))])
    finished = crew.run(ComputeFacts(ACME, early))

    assert before is not None
    assert before.fact("close") is not None
    assert {fact.as_of for fact in before.facts} == {early}
    assert isinstance(finished, Finished)
    assert finished.effects[0] == fact_sheets.insert(before, ROUND, EPOCH)


def test_facts_have_the_weight_of_the_rounds_valuation_and_zero_for_what_is_only_watched(crew: Crew) -> None:
    position = Position(ACME, Decimal(1), Decimal(1), Decimal(1), 0.123, Decimal(0))
    valued = Valuation(DAY, "USD", Decimal(1), Decimal(0), (position,))
    crew.connection.commit([[valuations.insert(valued, ROUND, 0)]])

    for symbol in (ACME, IBM):
        crew.keep(ComputeFacts(symbol, DAY))
    weights = [sheet.fact("weight") for symbol in (ACME, IBM) if (sheet := fact_sheets.load(crew.read, ROUND, symbol))]

    assert [fact.value for fact in weights if fact] == [0.123, 0]


def test_facts_take_the_portfolio_from_the_valuation_and_read_no_other_symbols_bars(crew: Crew) -> None:
    crew.connection.commit([bars.replace(crew.read, IBM, making.bars(making.walk(300, seed=2)))])
    crew.keep(ValuePortfolio(DAY))
    crew.connection.commit([[Statement("DELETE FROM bars WHERE symbol = ?", (ACME,))]])

    crew.keep(ComputeFacts(IBM, DAY))

    sheet, ours, theirs = fact_sheets.load(crew.read, ROUND, IBM), making.walk(300, seed=2), making.walk(300)
    fact = sheet and sheet.fact("correlation_252")
    expected = np.corrcoef(np.diff(np.log(ours[-253:])), np.diff(np.log(theirs[-253:])))[0, 1]
    assert fact
    assert fact.value == pytest.approx(expected, rel=1e-5)


def test_facts_of_a_round_that_an_earlier_release_has_valued_are_the_same(crew: Crew) -> None:
    crew.keep(ValuePortfolio(DAY))
    now = crew.run(ComputeFacts(ACME, DAY))
    valued = valuations.load(crew.read, ROUND)
    assert valued is not None
    crew.connection.commit([[Statement("DELETE FROM valuations")]])
    old = valuations.insert(replace(valued, returns=None), ROUND, 0)
    stored = str(old.values[3]).replace(',"returns":null', "")
    crew.connection.commit([[replace(old, values=(*old.values[:2], 1, stored, 0))]])

    assert crew.run(ComputeFacts(ACME, DAY)) == now


def test_facts_before_the_valuation_are_impossible(crew: Crew) -> None:
    assert crew.run(ComputeFacts(ACME, DAY)) == Refused(
        "probe", "invalid", f"facts of ACME: round {ROUND} has no valuation"
    )


def test_a_symbol_without_prices_at_that_time_is_named(crew: Crew) -> None:
    crew.keep(ValuePortfolio(DAY))

    assert crew.run(ComputeFacts(Symbol("FB"), DAY)) == Refused(
        "probe", "invalid", "FB: there are no prices in the 3 years before 2013-03-01"
    )
    assert crew.run(ValuePortfolio(dt.date(2009, 1, 1))) == Refused(
        "probe", "invalid", "ACME: there are no prices in the 3 years before 2009-01-01"
    )


def test_a_holding_whose_last_close_is_too_old_cannot_be_valued_and_is_named_with_its_date(crew: Crew) -> None:
    last_day = DAY + dt.timedelta(days=10)

    assert isinstance(crew.run(ValuePortfolio(last_day)), Finished)
    assert crew.run(ValuePortfolio(last_day + dt.timedelta(days=1))) == Refused(
        "probe",
        "invalid",
        "ACME: its last close is of 2013-03-01, 11 days before 2013-03-12; "
        "bring its prices up to date, or import holdings without it",
    )


def test_what_waits_is_computed_together_each_for_its_own_task(crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    crew.keep(ValuePortfolio(DAY))
    job, together = JOBS[ComputeFacts], list[int]()

    def compute(wanted: Sequence[object]) -> Sequence[object]:
        together.append(len(wanted))
        return job.compute(wanted)

    monkeypatch.setitem(JOBS, ComputeFacts, dataclasses.replace(job, compute=compute))
    days = [DAY - dt.timedelta(days=n) for n in range(7)]
    works = [ComputeFacts(symbol, day) for day in days for symbol in (ACME, IBM)]

    probes = crew.tell(*works, ComputeFacts(Symbol("FB"), DAY))

    *answers, refused = [probe.received for probe in probes]
    assert [type(each) for each in refused] == [Refused]
    for lease, (work, [finished]) in enumerate(zip(works, answers, strict=True), 1):
        assert isinstance(finished, Finished)
        assert finished.lease == Lease(lease, 1)
        assert finished.effects[0].values[1] == work.symbol
        assert f'"as_of":"{work.as_of}"' in str(finished.effects[0].values[3])
    assert sum(together) == len(works)
    assert together[0] == 8


def test_what_nobody_waits_for_any_more_is_not_computed(crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    computed = list[object]()

    def compute(wanted: Sequence[object]) -> Sequence[object]:
        computed.append(wanted)
        return wanted

    monkeypatch.setitem(JOBS, ValuePortfolio, dataclasses.replace(JOBS[ValuePortfolio], compute=compute))
    late = Probe[Finished | Refused]()
    late.refuse("late", "")

    crew.ref.tell(Run(Lease(1, 1), ValuePortfolio(DAY), ROUND, late))
    crew.system.settle()

    assert [each.code for each in late.received if isinstance(each, Refused)] == ["late"]
    assert computed == []
    assert crew.system.recorder.crashes == []


def test_a_result_that_cannot_be_kept_is_refused_alone(crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    job = JOBS[ValuePortfolio]

    def effect(value: Valuation, round_: CorrelationId, now: int) -> tuple[Statement, ...]:
        assert job.effect is not None
        return job.effect(value, round_, now // (value.as_of - DAY).days)

    monkeypatch.setitem(JOBS, ValuePortfolio, dataclasses.replace(job, effect=effect))
    probes = crew.tell(*(ValuePortfolio(DAY + dt.timedelta(days=n)) for n in (1, 0, 2)))

    kinds = [type(each) for probe in probes for each in probe.received]
    assert kinds == [Finished, Refused, Finished]


def test_what_is_not_a_workers_job_crashes_on_that_message_alone(crew: Crew) -> None:
    refused = crew.run(RefreshBars(ACME))

    assert isinstance(refused, Refused)
    assert refused.code == "crashed"
    assert "RefreshBars is not a worker's job" in refused.sentence
    assert isinstance(crew.run(ValuePortfolio(DAY)), Finished)


def test_a_database_that_cannot_be_read_now_costs_the_task_no_attempt(crew: Crew) -> None:
    path = crew.read.path
    crew.read.close()
    crew.read.path = path.with_name("away.sqlite3")

    refused = crew.run(ValuePortfolio(DAY))
    crew.read.path = path

    assert isinstance(refused, Refused)
    assert (refused.code, refused.retry_at) == ("down", EPOCH + round(AGAIN * 1e6))
    assert refused.sentence.endswith("away.sqlite3: unable to open database file; look at its disk and its permissions")
    assert crew.system.recorder.crashes == []
    assert isinstance(crew.run(ValuePortfolio(DAY)), Finished)


def test_a_place_that_is_not_there_costs_the_task_no_attempt(home: Home) -> None:
    nowhere, hand = Cluster(Address("nonsense://127.0.0.1:1")), Ref[Run]("workers")
    queues = Queues(home, terms={ValuePortfolio: Terms(hand, 60, attempts=1)})
    known = Known(queues.read, "USD", queues.tasks.tell)
    queues.system.add_crew(hand, lambda take: Worker(take, nowhere, known, queues.system.clock.utc), 1)
    queues.start()

    queues.submit(task("a", work=ValuePortfolio(DAY)))
    queues.system.advance(3 * AGAIN)

    row = queues.row("a")
    assert (row.state, row.attempts) == ("queued", 0)
    assert row.error is not None
    assert row.error.startswith("down: ValuePortfolio: [workers] cluster = nonsense://127.0.0.1:1: ")


def test_damaged_bars_are_named(crew: Crew) -> None:
    crew.connection.commit([[Statement("UPDATE bars SET digest = x'00'")]])

    refused = crew.run(ValuePortfolio(DAY))

    assert isinstance(refused, Refused)
    assert "desk.sqlite3: damaged (bars of ACME in 2012); put a backup in its place" in refused.sentence


def imported_by(module: str) -> set[str]:
    """What a fresh process has imported after importing this module."""
    script = f"import sys, {module}; print(' '.join({{name.partition('.')[0] for name in sys.modules}}))"
    ended = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(ended.stdout.split())


def test_the_jobs_in_a_fresh_process_pull_in_neither_actors_nor_claude_nor_settings() -> None:
    loaded = imported_by("actors.workers.jobs")

    assert loaded.isdisjoint({"pykka", "claude_agent_sdk", "pydantic", "typer", "uvicorn", "opentelemetry", "pandas"})
    assert "apsw" in loaded


DOMAIN = sorted(path.stem for path in (ROOT / "actors" / "domain").glob("[a-z]*.py"))


def test_the_domain_in_a_fresh_process_pulls_in_no_database_either() -> None:
    assert len(DOMAIN) >= 9

    loaded = imported_by(", ".join(f"actors.domain.{module}" for module in DOMAIN))

    assert loaded.isdisjoint({"pykka", "claude_agent_sdk", "apsw", "storage", "sqlite3", "pydantic"})
    assert np.__name__ in loaded
