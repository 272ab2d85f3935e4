"""Whether the Claude program starts and who is signed in, found out without a question and without a network."""

from importlib.metadata import version
from pathlib import Path

from actors.claude.programs import Programs
from actors.claude.sessions import Fault, Opened
from actors.domain import profiles
from actors.kernel.edges import Promise
from messages.addresses import Refused
from messages.claude import Asking
from messages.errors import TroupeError
from storage.connections import Reader
from storage.home import Home

PATIENCE = 10.0
"""Seconds a program may take to go; it takes .05."""


class NotStarted(TroupeError):
    """The program does not start, and why."""


def versions() -> str:
    """Of the package, and of the program that comes with it."""
    import claude_agent_sdk

    told = Path(claude_agent_sdk.__file__).parent / "_bundled" / "claude.version"
    program = told.read_text("utf-8").strip() if told.exists() else "no program"
    return f"claude-agent-sdk {version('claude-agent-sdk')} with {program}"


def login(home: Home, asking: Asking) -> str | None:
    """How the analyst would be signed in, None if nobody is; a wrong key looks like a right one. Raises NotStarted.

    Blocks for about a second, `connect_within` at most; for edges alone.
    """
    programs, opened = Programs(Reader(home.database)), Promise()
    try:
        programs.new(profiles.analyst(asking)).open(opened)
        answer: Opened | Fault | Refused = opened.future.result(asking.connect_within)
    except TimeoutError:
        raise NotStarted(f"it has not started within {asking.connect_within:g} s") from None
    finally:
        programs.end(PATIENCE)
    if isinstance(answer, Opened):
        return answer.account
    raise NotStarted(answer.sentence)
