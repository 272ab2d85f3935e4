"""The event bus, by the examples of the document that asked for it: a filter, a pattern, a route to several."""

import threading
from collections.abc import Callable, Iterable
from typing import Any, get_args

import pytest

from actors.bus import Bus, Route, WrongRoute, topic
from actors.kernel.me import Me
from actors.kernel.testing import Probe, TestSystem
from actors.settings.reading import Settings
from messages import trading
from messages.addresses import Down, Ref
from messages.claude import BreakerChanged
from messages.events import EVENTS, Event
from storage.home import Home
from tests.actors.published import portfolio, system, trade
from tests.desks import StagedDesk

Happening = system.Error | trade.Placed | trade.Filled | portfolio.Updated
Refs = dict[str, Ref[Happening]]
Routes = Callable[[Refs], Iterable[Route[Any]]]
HAPPENINGS: tuple[type[object], ...] = get_args(Happening)


class Listener:
    """Remembers what it is told."""

    def __init__(self, told: list[Happening]) -> None:
        self._told = told

    def on_receive(self, event: Happening) -> None:
        self._told.append(event)


class Publisher:
    """Publishes what it is told."""

    def __init__(self, me: Me[Happening]) -> None:
        self._me = me

    def on_receive(self, event: Happening) -> None:
        self._me.publish(event)


class Company:
    """A publisher and listeners of these names, each an actor, in an order that the seed picks."""

    def __init__(self, routes: Routes, seed: int, room: int) -> None:
        self.told = {name: list[Happening]() for name in ("portfolio_service", "analytics_service", "trade_handler")}
        refs = {name: Ref[Happening](name) for name in self.told}
        self.bus = Bus(HAPPENINGS, routes(refs))
        self.system, self.publisher = TestSystem(seed, publish=self.bus.publish), Ref[Happening]("publisher")
        for name, told in self.told.items():
            self._add(refs[name], told, room)
        self.system.add(self.publisher, Publisher)
        self.system.start()

    def _add(self, ref: Ref[Happening], told: list[Happening], room: int) -> None:
        self.system.add(ref, lambda _: Listener(told), capacity=room)

    def publish(self, *events: Happening) -> None:
        for event in events:
            self.publisher.tell(event)
        self.system.settle()


Make = Callable[[Routes], Company]
IN_PORTFOLIO, IN_CLAUDE = system.Error("portfolio", "no price"), system.Error("claude", "overloaded")
PLACED, FILLED, UPDATED = trade.Placed("AAPL"), trade.Filled("AAPL", 3), portfolio.Updated(7)


@pytest.fixture(params=range(3))
def company(request: pytest.FixtureRequest) -> Make:
    def make(routes: Routes) -> Company:
        return Company(routes, request.param, room=1_000)

    return make


def test_of_the_errors_only_those_of_the_component_that_is_asked_for_come(company: Make) -> None:
    made = company(lambda to: [Route(system.Error, (to["portfolio_service"],), where={"component": {"portfolio"}})])

    made.publish(IN_CLAUDE, IN_PORTFOLIO, PLACED)

    assert made.told == {"portfolio_service": [IN_PORTFOLIO], "analytics_service": [], "trade_handler": []}


def test_a_pattern_brings_all_events_of_trades_and_no_others(company: Make) -> None:
    made = company(lambda to: [Route("trade.*", (to["trade_handler"],))])

    made.publish(PLACED, IN_PORTFOLIO, FILLED, UPDATED)

    assert made.told == {"portfolio_service": [], "analytics_service": [], "trade_handler": [PLACED, FILLED]}


def test_an_event_is_routed_to_several(company: Make) -> None:
    made = company(lambda to: [Route(portfolio.Updated, (to["portfolio_service"], to["analytics_service"]))])

    made.publish(UPDATED)

    assert made.told == {"portfolio_service": [UPDATED], "analytics_service": [UPDATED], "trade_handler": []}


def test_who_is_reached_by_several_routes_is_told_once_if_any_of_them_lets_it_pass(
    company: Make,
) -> None:
    def routes(to: Refs) -> list[Route[Any]]:
        service, analytics, handler = to.values()
        return [
            Route("*", (analytics,)),
            Route(system.Error, (service, analytics), where={"component": {"database"}}),
            Route(system.Error, (service,), where={"component": {"portfolio", "database"}, "text": {"no price"}}),
            Route("trade.P*", (handler,)),
            Route("*.Placed", (handler,)),
        ]

    made = company(routes)

    made.publish(IN_PORTFOLIO, IN_CLAUDE, system.Error("portfolio", "no holding"), PLACED, FILLED)

    assert made.told["portfolio_service"] == [IN_PORTFOLIO]
    assert made.told["trade_handler"] == [PLACED]
    assert made.told["analytics_service"] == [
        IN_PORTFOLIO, IN_CLAUDE, system.Error("portfolio", "no holding"), PLACED, FILLED,
    ]  # fmt: skip


def test_what_was_told_filtered_out_and_dropped_is_counted_by_receiver() -> None:
    probe = Probe[object]("watching")

    def routes(to: Refs) -> list[Route[Any]]:
        service = to["portfolio_service"]
        return [
            Route(system.Error, (service,), where={"component": {"portfolio"}}),
            Route("trade.*", (service, probe.ref)),
            Route("portfolio.*", ()),
        ]

    made = Company(routes, seed=0, room=4)  # of which events may have two
    before = made.bus.counts()
    for event in (PLACED, IN_CLAUDE, IN_PORTFOLIO, IN_PORTFOLIO, PLACED, UPDATED):
        made.bus.publish(event)  # not by an actor, so that nobody empties the mailbox meanwhile

    service, watching = "portfolio_service", "watching"
    assert set(before.values()) == {0}
    assert len(made.bus.counts()) == len(before) == 15
    assert {key: count for key, count in made.bus.counts().items() if count} == {
        ("system.Error", service, "filtered"): 1,
        ("system.Error", service, "told"): 1,
        ("system.Error", service, "full"): 1,
        ("trade.Placed", service, "told"): 1,
        ("trade.Placed", service, "full"): 1,
        ("trade.Placed", watching, "told"): 2,
    }
    assert made.system.dead_letters[service, "full"] == 2
    made.system.settle()
    assert made.told[service] == [PLACED, IN_PORTFOLIO]


def test_threads_that_publish_at_once_lose_no_count(restless: None) -> None:
    one = Probe[object]("one")
    bus = Bus(HAPPENINGS, [Route("*", (one.ref,)), Route(trade.Placed, (one.ref,))])
    began = threading.Barrier(4)

    def publish() -> None:
        began.wait(10)
        for _ in range(3_000):
            bus.publish(PLACED)
            bus.publish(UPDATED)

    threads = [threading.Thread(target=publish) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        bus.counts()
    for thread in threads:
        thread.join()

    told = bus.counts()
    assert (told["trade.Placed", "one", "told"], told["portfolio.Updated", "one", "told"]) == (12_000, 12_000)
    assert told.total() == len(one.received) == 24_000


@pytest.mark.parametrize(
    ("of", "where", "sentence"),
    [
        ("trade_*", {}, r"route of trade_\*: there are only system\.Error, trade\.Placed, .*messages/events\.py"),
        ("Trade.*", {}, r"route of Trade\.\*: there are only"),
        (Down, {}, r"route of addresses\.Down: there are only"),
        (system.Error, {"part": {"portfolio"}}, "system.Error where part: it has no such field, only component, text"),
        ("*", {"symbol": {"AAPL"}}, "system.Error where symbol: it has no such field"),
        ("system.*", {"component": {"portfolo"}}, "system.Error where component is 'portfolo': it never is"),
        (trade.Filled, {"quantity": {3, "4"}}, "trade.Filled where quantity is '4': it never is"),
    ],
)
def test_a_route_that_would_lead_nowhere_is_refused_when_the_bus_is_made(
    of: type[object] | str, where: dict[str, set[object]], sentence: str
) -> None:
    with pytest.raises(WrongRoute, match=sentence):
        Bus(HAPPENINGS, [Route(of, (Probe[object]().ref,), where=where)])


def test_what_is_no_event_is_not_published_in_silence() -> None:
    bus = Bus(HAPPENINGS, [Route("*", (Probe[object]().ref,))])

    with pytest.raises(WrongRoute, match=r"addresses\.Down: not an event; name it in messages/events\.py"):
        bus.publish(Down("counter", "why"))


def test_a_topic_is_how_an_event_is_written_where_it_is_used() -> None:
    assert topic(BreakerChanged) == "claude.BreakerChanged"


def test_whoever_the_desk_tells_of_events_has_them_in_its_protocol(home: Home) -> None:
    desk = StagedDesk(home, Settings()).desk

    protocols = {"notifier": Event, "trading": trading.Message}

    told = {name: desk.bus.told(name) for _, name, _ in desk.bus.counts()}
    assert set(told) == set(protocols)
    for name, events in told.items():
        assert events <= set(get_args(protocols[name]))


def test_a_person_is_told_when_claude_cannot_be_asked_and_when_it_can_not_that_it_is_probed(home: Home) -> None:
    desk = StagedDesk(home, Settings()).desk

    for state in ("open", "half_open", "closed"):
        desk.bus.publish(BreakerChanged(state, "network", "no route", None))

    counts = desk.bus.counts()
    told = {outcome: counts["claude.BreakerChanged", "notifier", outcome] for outcome in ("told", "filtered", "full")}
    assert told == {"told": 2, "filtered": 1, "full": 0}


def test_a_person_is_told_of_every_event(home: Home) -> None:
    assert StagedDesk(home, Settings()).desk.bus.told("notifier") == set(EVENTS)
