"""What a line of the log says, and what it never shows."""

import io
import json
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from messages.correlation import Trace, within
from messages.values import CorrelationId
from telemetry.logs import HIDDEN, Format, Level, Lines, Redactor, known_secrets, log_to, show_on

ROUND = CorrelationId("0123456789abcdef0123456789abcdef")
log = logging.getLogger("troupe.test")


class Terminal(io.StringIO):
    """A terminal, as far as colours go."""

    def isatty(self) -> bool:
        return True


class Kept:
    """A log in a file of the test's own."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def begin(self, form: Format = "json", level: Level = "info", *secrets: str) -> None:
        log_to(self.path, form, level, Redactor(secrets))

    @property
    def lines(self) -> list[str]:
        return self.path.read_text("utf-8").splitlines()

    @property
    def only(self) -> Any:
        (line,) = self.lines
        return json.loads(line)


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    root = logging.getLogger()
    before, level, raising = root.handlers[:], root.level, logging.raiseExceptions
    root.handlers.clear()  # those of pytest are given back, not closed
    yield Kept(tmp_path / "desk.log")
    for handler in root.handlers:
        handler.close()
    root.handlers, logging.raiseExceptions = before, raising
    root.setLevel(level)


def test_a_line_of_json_says_when_how_grave_who_and_what_it_belongs_to(kept: Kept) -> None:
    kept.begin()

    def say() -> None:
        with within(Trace(ROUND)):
            log.warning("task %d waits", 7)

    thread = threading.Thread(target=say, name="workers-1")
    thread.start()
    thread.join()

    said = kept.only
    assert said.pop("time").endswith("Z")
    assert said == {
        "level": "warning", "logger": "troupe.test", "actor": "workers-1", "correlation_id": ROUND,
        "message": "task 7 waits",
    }  # fmt: skip


def test_what_belongs_to_nothing_says_so(kept: Kept) -> None:
    kept.begin()

    log.warning("looking after the log")

    assert kept.only["correlation_id"] is None


def test_an_exception_is_in_its_line_of_json_and_behind_a_bar_in_text(kept: Kept) -> None:
    for form in ("json", "text"):
        kept.begin(form)
        try:
            raise LookupError("no such bar")
        except LookupError:
            log.exception("it failed")

    json_line, *text = kept.lines
    assert json.loads(json_line)["exception"].endswith("LookupError: no such bar")
    assert text[0].endswith("error troupe.test MainThread - it failed")
    assert text[1] == "    | Traceback (most recent call last):"
    assert text[-1] == "    | LookupError: no such bar"


def test_nobody_forges_a_line_of_text(kept: Kept) -> None:
    kept.begin("text")

    log.warning("from outside: %s", "x\n2026-01-01T00:00:00Z error troupe \033[2J all is lost\r")

    first, second = kept.lines
    assert first.endswith("from outside: x")
    assert second == "    | 2026-01-01T00:00:00Z error troupe \\x1b[2J all is lost\\r"


def test_a_terminal_shows_what_the_file_gets_in_colours(tmp_path: Path, kept: Kept) -> None:
    kept.begin("text", "warning")
    show_on(terminal := Terminal(), "text", Redactor(()))

    log.info("below the level")
    log.error("it failed")

    (line,) = kept.lines
    assert terminal.getvalue() == f"\033[31m{line}\033[0m\n"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("x-api-key: hunter22", f"x-api-key: {HIDDEN}"),
        ("{'api_key': 'hunter22', 'a': 1}", f"{{'api_key': {HIDDEN}, 'a': 1}}"),
        ("APCA-API-KEY-ID=PK123&b=1", f"APCA-API-KEY-ID={HIDDEN}&b=1"),
        ("apca-api-secret-key: abc/def+", f"apca-api-secret-key: {HIDDEN}"),
        ("Authorization: Bearer abc.def-ghi", f"Authorization: Bearer {HIDDEN}"),
        ("header bearer abc.def", f"header bearer {HIDDEN}"),
        ("Authorization: Basic dXNlcjpwYXNz", f"Authorization: Basic {HIDDEN}"),
        ("sent sk-an" + "t-api03-AbCd_123-xyz again", f"sent {HIDDEN} again"),
        ("https://user:pa" + "ss@host/path", f"https://{HIDDEN}@host/path"),
        ("the token=abc, and password = 'open sesame'", f"the token={HIDDEN}, and password = {HIDDEN}"),
        ("task 7, key facts/AAPL/12: done", "task 7, key facts/AAPL/12: done"),
        ("2,000 tokens at most; see https://host/path", "2,000 tokens at most; see https://host/path"),
    ],
)
def test_what_looks_like_a_secret_is_hidden_and_the_rest_is_not(said: str, shown: str) -> None:
    assert Redactor(())(said) == shown


def test_the_secrets_of_the_environment_and_of_the_file_of_keys_are_hidden_wherever_they_stand(
    tmp_path: Path, kept: Kept
) -> None:
    (keys := tmp_path / "alpaca.toml").write_text('key = "PKFROMFILE"\nsecret = "of the file"\n')
    world = {
        "ANTHROPIC_API_KEY": "plainly-a-key", "ANTHROPIC_AUTH_TOKEN": "authtoken", "CLAUDE_CODE_OAUTH_TOKEN": "oauth-1",
        "TROUPE_ALPACA_KEY": "PKENV", "TROUPE_ALPACA_SECRET": "se.cr*t", "TROUPE_WORKERS__THREADS": "2222",
        "HOME": "/home/you", "SHORT_KEY": "a",
    }  # fmt: skip
    secrets = list(known_secrets(world, keys, tmp_path / "none.toml"))

    for form in ("json", "text"):
        kept.begin(form, "info", *secrets)
        try:
            raise ValueError("with oauth-1 and se.cr*t in /home/you")
        except ValueError:
            log.exception("plainly-a-key, authtoken, %s, PKFROMFILE, of the file, 2222", {"a": "PKENV"})

    text = kept.path.read_text()
    for secret in set(secrets) - {"a"}:
        assert secret not in text
    assert HIDDEN in text
    assert "2222" in text
    assert "/home/you" in text


def test_a_file_that_cannot_be_written_is_said_at_once(tmp_path: Path, kept: Kept) -> None:
    with pytest.raises(IsADirectoryError):
        log_to(tmp_path, "text", "info", Redactor(()))


def test_what_a_line_belongs_to_can_neither_begin_another_nor_say_a_secret() -> None:
    lines = Lines("text", Redactor(()))
    with within(Trace(CorrelationId("a talk\n2026-11-30T21:04:05Z error troupe.x forged \x1b[31m sk-ant-abcdefgh"))):
        said = lines.format(logging.makeLogRecord({"msg": "hello", "name": "troupe.y", "threadName": "claude"}))

    assert len(said.splitlines()) == 1
    assert "\x1b" not in said
    assert "sk-ant-abcdefgh" not in said
    assert said.endswith("hello")
