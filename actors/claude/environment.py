"""What the Claude program is given of the world: a few variables by name, and nothing else."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

PASSED: Final = frozenset(
    {
        "ANTHROPIC_API_KEY",
        "ANTHROPIC_AUTH_TOKEN",
        "ANTHROPIC_BASE_URL",
        "CLAUDE_CODE_DISABLE_EXPERIMENTAL_BETAS",
        "CLAUDE_CODE_OAUTH_TOKEN",
        "CLAUDE_CONFIG_DIR",
        "HOME",
        "HTTPS_PROXY",
        "HTTP_PROXY",
        "LANG",
        "LC_ALL",
        "LOGNAME",
        "NODE_EXTRA_CA_CERTS",
        "NO_PROXY",
        "PATH",
        "SSL_CERT_DIR",
        "SSL_CERT_FILE",
        "TMPDIR",
        "TZ",
        "USER",
        "https_proxy",
        "http_proxy",
        "no_proxy",
    }
)
"""How it signs in, where it finds its endpoint, and what any program needs. No broker's key is among them."""
FIXED: Final = {
    "API_TIMEOUT_MS": "60000",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",  # the three together, or each question brings a second request
    "CLAUDE_CODE_DISABLE_NONSTREAMING_FALLBACK": "1",  # or an answer that was cut is asked for again, unseen
    "CLAUDE_CODE_DISABLE_LEGACY_MODEL_REMAP": "1",  # or an old model's name is silently taken for another model
    "CLAUDE_CODE_DISABLE_REFUSAL_RETRY": "1",  # or a refused question is asked, and paid, twice
    "CLAUDE_CODE_MAX_RETRIES": "1",  # ten by default: an overload would take three minutes to be told
    "DISABLE_AUTOUPDATER": "1",
    "DISABLE_AUTO_COMPACT": "1",  # a conversation that is full says so
    "DISABLE_TELEMETRY": "1",
}
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def environment(world: Mapping[str, str], program: str, pid_file: Path, output: int) -> dict[str, str]:
    """What overrides the desk's own environment, which the SDK passes on whole.

    A variable that is not passed is emptied here, and forgotten altogether by `launch.sh`.
    """
    dropped = sorted(name for name in world if name not in PASSED | FIXED.keys())
    return {
        **dict.fromkeys(dropped, ""),
        **FIXED,
        "CLAUDE_CODE_MAX_OUTPUT_TOKENS": str(output),
        "TMPDIR": str(pid_file.parent),  # or a socket stays behind of each program that is killed
        "TROUPE_PROGRAM": program,
        "TROUPE_PID": str(pid_file),
        "TROUPE_DROP": " ".join(name for name in dropped if _NAME.fullmatch(name)),
    }


def endpoint(world: Mapping[str, str] = os.environ) -> str:
    """Where questions go, to be shown: without the name and password that may stand in an address."""
    address = world.get("ANTHROPIC_BASE_URL") or "https://api.anthropic.com"
    scheme, separator, rest = address.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}" if separator else address.rpartition("@")[2]
