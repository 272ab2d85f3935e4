"""The server that Prometheus talks to: what it answers, to whom, and how it ends."""

import socket
import threading
from contextlib import suppress
from urllib.error import URLError

import pytest

from telemetry.exporter import Page, PortTaken
from telemetry.instruments import COMMIT_DURATION, QUEUE_DEPTH
from telemetry.sources import Points, Tallies
from tests.actors.kernel.counter import Add
from tests.telemetry.scraping import Scrape, Watched


def test_metrics_are_answered_at_their_path_as_prometheus_text_without_a_redirect(watched: Watched) -> None:
    status, headers, text = watched.get("/metrics?name=value")

    assert status == 200
    assert headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "actor_running" in Scrape(text).names


@pytest.mark.parametrize("path", ["/", "/metrics/", "/metrics2", "/favicon.ico"])
def test_every_other_path_is_not_found(watched: Watched, path: str) -> None:
    assert watched.get(path)[0] == 404


def test_no_other_address_of_the_machine_answers(watched: Watched) -> None:
    with pytest.raises((ConnectionRefusedError, TimeoutError)):
        socket.create_connection(("127.0.0.2", watched.exporter.port), timeout=5)


def test_a_taken_port_is_named_with_its_setting(watched: Watched) -> None:
    other, port = Watched(), watched.exporter.port

    with pytest.raises(PortTaken) as caught:
        other.exporter.serve(port)
    other.end()

    assert str(caught.value) == (
        f"127.0.0.1:{port}: metrics cannot be served there (Address already in use); "
        "set [metrics] port in desk.toml, 0 turns them off, or required = false to start without them"
    )


def test_two_exporters_in_one_process_know_nothing_of_each_other(watched: Watched) -> None:
    other = Watched({QUEUE_DEPTH: lambda: [(("data",), 1)]})
    other.start()
    theirs, ours = other.scrape(), watched.scrape()
    other.end()

    assert theirs("queue_depth", queue="data") == 1
    assert "queue_depth" not in ours.names


class Meeting:
    """Where two scrapes meet, if they can: OpenTelemetry's own lock is open again where histograms are read."""

    def __init__(self) -> None:
        self.barrier, self.met = threading.Barrier(2, timeout=0.2), False

    def __call__(self) -> Tallies:
        with suppress(threading.BrokenBarrierError):
            self.barrier.wait()
            self.met = True
        return []


def test_scrapes_at_the_same_time_never_meet_and_each_gets_everything_once() -> None:
    meeting, scrapes = Meeting(), list[Scrape]()
    watched = Watched(None, {COMMIT_DURATION: meeting})
    watched.start()
    whole = len(watched.scrape().names)

    threads = [threading.Thread(target=lambda: scrapes.append(watched.scrape())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    watched.end()

    assert not meeting.met
    assert [len(scrape.names) for scrape in scrapes] == [whole] * 4


def test_a_scrape_that_hangs_is_named_to_the_next_one_and_keeps_no_other_page_from_being_answered() -> None:
    opened, entered = threading.Event(), threading.Event()

    def hang() -> Points:
        entered.set()
        assert opened.wait(10)
        return [(("data",), 1)]

    pages: dict[str, Page] = {"/healthz": lambda: (200, "application/json", b"{}")}
    watched = Watched({QUEUE_DEPTH: hang}, hangs=0.0, pages=pages)
    watched.start()
    first = threading.Thread(target=watched.scrape)
    first.start()
    assert entered.wait(10)
    second, alive = watched.get("/metrics"), watched.get("/healthz")
    opened.set()
    first.join(10)
    third = watched.scrape()
    watched.end()

    assert (second[0], second[2]) == (503, "the scrape before this one hangs, in queue.depth\n")
    assert alive[0] == 200
    assert third("queue_depth", queue="data") == 1


def test_a_desk_ends_though_a_scrape_hangs() -> None:
    opened, entered = threading.Event(), threading.Event()

    def hang() -> Points:
        entered.set()
        assert opened.wait(10)
        return []

    watched = Watched({QUEUE_DEPTH: hang})
    watched.start()
    scraping = threading.Thread(target=lambda: watched.get("/metrics"))
    scraping.start()
    assert entered.wait(10)

    ended = threading.Thread(target=watched.end)
    ended.start()
    ended.join(5)
    over = not ended.is_alive()
    opened.set()
    scraping.join(10)

    assert over


def test_scraping_goes_on_while_messages_come_and_while_the_system_stops(watched: Watched) -> None:
    scrapes, running, scraped, stopped = list[Scrape](), threading.Event(), threading.Event(), threading.Event()

    def scrape() -> None:
        while not stopped.is_set():
            scrapes.append(watched.scrape())
            scraped.set()
        scrapes.append(watched.scrape())

    def tell() -> None:
        while not stopped.is_set():
            watched.counter.tell(Add(1))
            running.set()

    threads = [threading.Thread(target=scrape), threading.Thread(target=tell)]
    for thread in threads:
        thread.start()
    assert scraped.wait(10)
    assert running.wait(10)
    late = watched.system.stop(grace=4)
    stopped.set()
    for thread in threads:
        thread.join(20)

    assert late == []
    assert not any(thread.is_alive() for thread in threads)
    assert scrapes[-1]("actor_running", actor="counter") == 0
    for name in ("actor_processing_time_seconds_count", "actor_dead_letters_total"):
        sums = [sum(scrape.of(name).values()) for scrape in scrapes]
        assert sums == sorted(sums)


def test_a_client_that_says_nothing_keeps_neither_the_others_nor_the_end_waiting() -> None:
    watched = Watched()
    watched.start()

    with socket.create_connection(("127.0.0.1", watched.exporter.port), timeout=5):
        scrape = watched.scrape()
        ended = threading.Thread(target=watched.end)
        ended.start()
        ended.join(5)
        over = not ended.is_alive()

    assert scrape("actor_running", actor="counter") == 1
    assert over


def test_after_a_close_nobody_answers_and_the_port_can_be_had_again() -> None:
    first, second = Watched(), Watched()
    first.start()
    port = first.exporter.port
    first.end()

    with pytest.raises(URLError, match="refused"):
        first.scrape()

    second.exporter.serve(port)
    assert second.scrape()("actor_running", actor="counter") == 0
    second.end()


def test_a_scrape_that_fails_is_logged_and_the_next_one_is_answered(caplog: pytest.LogCaptureFixture) -> None:
    watched = Watched()
    watched.start()
    meters = watched.system.observe()[0].threads["counter"].meters
    meters[Add].ran.append(0)

    with pytest.raises((URLError, ConnectionError)):
        watched.scrape()
    meters[Add].ran.pop()
    after = watched.scrape()
    watched.end()

    assert after("actor_running", actor="counter") == 1
    assert "a scrape failed" in [record.message for record in caplog.records]
