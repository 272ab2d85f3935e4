"""A home in a directory of the test's own, and a sample desk that runs in it."""

import os
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from storage.home import Home
from tests.claude_safely import forget_claude, require_loopback
from tests.desks import StagedDesk
from tests.stub.server import Stub

settings.register_profile("troupe", deadline=None, print_blob=True)  # no test asserts a time; how to try it again
settings.load_profile("troupe")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What passed has something to show: how often a desk was struck by each kind of end, and at how many places."""
    struck = defaultdict[str, list[str]](list)
    for report in terminalreporter.getreports("passed"):
        for name, boundaries in report.user_properties:
            struck[name] += boundaries
    for name, boundaries in struck.items():
        terminalreporter.write_line(f"{name}: {len(boundaries)} at {len(set(boundaries))} distinct boundaries")


@pytest.fixture(scope="session", autouse=True)
def nobody_is_asked() -> Iterator[None]:
    """No test, and no process of one, finds a way to a real account of Claude's."""
    before = dict(os.environ)
    forget_claude(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def claude_api() -> Iterator[Stub]:
    with Stub() as stub:
        require_loopback({"ANTHROPIC_BASE_URL": stub.address})
        yield stub


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    place = Home(tmp_path / "desk")
    place.take()
    yield place
    place.release()


@pytest.fixture
def desk(home: Home) -> Iterator[StagedDesk]:
    staged = StagedDesk(home).start()
    yield staged
    staged.stop()


@pytest.fixture
def restless() -> Iterator[None]:
    """Threads take turns as often as the interpreter can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)
