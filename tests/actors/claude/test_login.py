"""Who would be signed in, by the real program; the stub sees nothing of it."""

import os
import re
from pathlib import Path

import pytest

from actors.claude import programs
from actors.claude.login import NotStarted, login, versions
from messages.claude import Asking
from storage.connections import Reader
from storage.home import Home
from tests.actors.claude.driving import staffed

NOWHERE = Home(Path("/nonexistent"))
READER = Reader(NOWHERE.database)


@pytest.mark.parametrize(
    ("environment", "account"),
    [
        ({}, "ANTHROPIC_API_KEY"),
        ({"ANTHROPIC_API_KEY": ""}, None),
        ({"ANTHROPIC_API_KEY": "", "ANTHROPIC_AUTH_TOKEN": "dummy"}, "ANTHROPIC_AUTH_TOKEN"),
    ],
    ids=["key", "nobody", "token"],
)
def test_who_is_signed_in_is_known_without_a_request_and_nothing_is_left(
    environment: dict[str, str], account: str | None
) -> None:
    with staffed(READER, environment) as staff:
        found = login(NOWHERE, Asking())

        assert (staff.stub.requests, staff.stub.asides) == ([], [])
        assert (staff.processes, staff.places) == ([], [])

    assert found == account


def test_a_program_that_does_not_start_says_why_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "LAUNCHER", Path("/nonexistent/launch.sh"))

    with staffed(READER) as staff:
        with pytest.raises(NotStarted, match=r"launch\.sh"):
            login(NOWHERE, Asking())

        assert (staff.processes, staff.places) == ([], [])


def test_one_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    launcher = tmp_path / "launch.sh"
    launcher.write_text('#!/bin/sh\necho $$ >"$TROUPE_PID"\nexec sleep 60\n')
    launcher.chmod(0o755)
    monkeypatch.setattr(programs, "LAUNCHER", launcher)

    with staffed(READER) as staff:
        with pytest.raises(NotStarted, match=r"^it has not started within 0\.5 s$"):
            login(NOWHERE, Asking(connect_within=0.5))

        assert (staff.processes, staff.places) == ([], [])


def test_the_versions_are_those_of_the_package_and_its_program() -> None:
    assert re.fullmatch(r"claude-agent-sdk [\d.]+ with [\d.]+ \(Claude Code\)", versions())
    assert os.environ["ANTHROPIC_BASE_URL"].startswith("http://127.0.0.1:")
