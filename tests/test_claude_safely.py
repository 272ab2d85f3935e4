"""No test can reach a real account of Claude's."""

import os
from pathlib import Path

import pytest

from tests.claude_safely import NOBODY, NotLoopback, environment, forget_claude, require_loopback
from tests.stub.server import Stub


@pytest.mark.parametrize(
    "address",
    [
        "https://api.anthropic.com",
        "http://api.anthropic.com",
        "https://127.0.0.1",
        "http://10.0.0.1:8765",
        "http://0.0.0.0:8765",
        "http://127.0.0.1.example.org",
        "http://localhost.example.org",
        "http://localhost@example.org",
        "http://example.org\\@127.0.0.1",
        "http://127.0.0.1\n.example.org",
        "http://127.0.0.1:8765\n",
        "http://127.1",
        "127.0.0.1:8765",
        "",
    ],
)
def test_an_address_that_is_not_plainly_loopback_is_refused(address: str, tmp_path: Path) -> None:
    with pytest.raises(NotLoopback, match="ANTHROPIC_BASE_URL"):
        require_loopback({"ANTHROPIC_BASE_URL": address})
    with pytest.raises(NotLoopback):
        environment(address, tmp_path)


def test_no_address_is_refused_since_then_the_real_one_is_asked() -> None:
    with pytest.raises(NotLoopback):
        require_loopback({})


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:8765", "http://127.8.0.1", "http://[::1]:8765/", "http://localhost:1"]
)
def test_a_loopback_address_is_allowed(address: str) -> None:
    require_loopback({"ANTHROPIC_BASE_URL": address})


def test_the_tests_themselves_have_no_key_and_nobody_to_ask() -> None:
    named = {name: value for name, value in os.environ.items() if name.startswith(("ANTHROPIC", "CLAUDE"))}

    assert named == {"ANTHROPIC_API_KEY": "dummy", "ANTHROPIC_BASE_URL": NOBODY}


def test_what_would_lead_to_an_account_is_forgotten() -> None:
    environ = {
        "PATH": "/bin",
        "ANTHROPIC_AUTH_TOKEN": "x",
        "CLAUDE_CODE_OAUTH_TOKEN": "x",
        "CLAUDE_CODE_USE_BEDROCK": "1",
        "CLAUDE_CONFIG_DIR": "x",
    }

    forget_claude(environ)

    assert environ == {"PATH": "/bin", "ANTHROPIC_API_KEY": "dummy", "ANTHROPIC_BASE_URL": NOBODY}


def test_a_process_gets_an_allow_list_and_a_home_of_its_own(
    claude_api: Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_BROKERS_KEY", "x")
    monkeypatch.setenv("HTTPS_PROXY", "http://example.org")

    environ = environment(claude_api.address, tmp_path)

    assert "SOME_BROKERS_KEY" not in environ
    assert "HTTPS_PROXY" not in environ
    assert environ["ANTHROPIC_API_KEY"] == "dummy"
    assert environ["ANTHROPIC_BASE_URL"] == claude_api.address
    assert Path(environ["HOME"]) == tmp_path
    assert Path(environ["CLAUDE_CONFIG_DIR"]).parent == tmp_path
