"""Keeps every test away from a real account: the environment of its processes, and the refusal of other addresses."""

import os
import re
from collections.abc import Mapping, MutableMapping
from ipaddress import ip_address
from pathlib import Path
from typing import Final

NOBODY: Final = "http://127.0.0.1:9"
"""A loopback address where nobody listens."""
QUIET: Final = {
    "DISABLE_TELEMETRY": "1",
    "DISABLE_AUTOUPDATER": "1",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
}
DUMMY: Final = "dummy"
_ADDRESS: Final = re.compile(r"http://(?:\[([0-9a-fA-F:]+)\]|([A-Za-z0-9.-]+))(?::\d{1,5})?/?")


class NotLoopback(Exception):
    """Claude's address leads, or may lead, away from this machine."""


def require_loopback(environ: Mapping[str, str]) -> None:
    """Refuse an environment in which Claude would be asked anywhere but on this machine."""
    address = environ.get("ANTHROPIC_BASE_URL", "")
    matched = _ADDRESS.fullmatch(address)
    if matched is None or not _is_loopback(matched[1] or matched[2]):
        raise NotLoopback(f"ANTHROPIC_BASE_URL = {address!r} is not plain http to a loopback address; use the stub's")


def forget_claude(environ: MutableMapping[str, str]) -> None:
    """Take away whatever would lead to somebody's account, and leave a dummy key and an address of nobody."""
    for name in [name for name in environ if name.startswith(("ANTHROPIC", "CLAUDE"))]:
        del environ[name]
    environ.update(ANTHROPIC_API_KEY=DUMMY, ANTHROPIC_BASE_URL=NOBODY)
    require_loopback(environ)


def environment(stub_address: str, home: Path) -> dict[str, str]:
    """All that a test's process gets of the environment: a home of its own, a dummy key and the stub's address."""
    environ = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(home),
        "CLAUDE_CONFIG_DIR": str(home / ".claude"),
        "ANTHROPIC_API_KEY": DUMMY,
        "ANTHROPIC_BASE_URL": stub_address,
        **QUIET,
    }
    require_loopback(environ)
    return environ


def _is_loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
