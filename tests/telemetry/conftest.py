from collections.abc import Iterator

import pytest

from actors.kernel.testing import Recorder
from tests.telemetry.recording import Recording
from tests.telemetry.scraping import Watched


@pytest.fixture
def watched() -> Iterator[Watched]:
    watched = Watched()
    watched.start()
    yield watched
    watched.end()


@pytest.fixture
def recording(monkeypatch: pytest.MonkeyPatch) -> Recording:
    """What every system of the test records."""
    recording = Recording()
    monkeypatch.setattr(Recorder, "spans", recording.spans)
    return recording
