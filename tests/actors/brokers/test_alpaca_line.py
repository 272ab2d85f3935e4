"""The package is imported where its broker is chosen, and nowhere else."""

import subprocess
import sys

import pytest

from actors.brokers.alpaca_account import BadAccount, Keys, on_loopback
from actors.brokers.alpaca_line import HttpLine


def test_the_adapter_is_imported_without_the_package() -> None:
    program = (
        "import sys, actors.brokers.alpaca; "
        "print(sorted({'alpaca', 'pandas', 'requests', 'websockets', 'pydantic'} & sys.modules.keys()))"
    )

    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)

    assert told.stdout == "[]\n"


def test_a_package_that_is_missing_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "alpaca.trading.client", None)
    line = HttpLine(on_loopback("http://127.0.0.1:1", "ws://127.0.0.1:1"), Keys("stub-key", "stub-secret"))

    with pytest.raises(BadAccount, match=r"`alpaca-py` is missing; run `\.venv/bin/uv sync --extra alpaca`"):
        line.open()
