"""The real sessions: the bundled Claude program, spoken to by claude-agent-sdk on one thread with one loop."""

import asyncio
import os
import shutil
import signal
import tempfile
import threading
import time
import uuid
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from actors.claude import outcomes
from actors.claude.environment import environment
from actors.claude.sessions import Cleared, Fault, Heard, Opened, Said, kinds
from messages.addresses import Refused, ReplyTo
from messages.claude import Cause, Profile
from messages.values import UNIT
from storage.connections import Reader

if TYPE_CHECKING:
    from claude_agent_sdk import ClaudeAgentOptions, ClaudeSDKClient, McpSdkServerConfig

LAUNCHER: Final = Path(__file__).with_name("launch.sh")
PLACE: Final = "troupe-claude-"
"""How the name of a program's directory begins; the process id of its desk follows."""
BUFFER: Final = 32 * 1024 * 1024
"""Bytes one line of the program may have; above the SDK's default of 1 MB its reader dies for good."""
PATIENCE: Final = 5.0
"""Seconds the program may wait by itself after a 429; longer, and others are told to come back later."""
SHORT, STEP, OFTEN = 8_000, 1.05, 0.1
"""Every step is told up to so many bytes; of more only if it has grown so much, or after so many seconds."""
ENDLESS: Final = 32
"""Bytes for each token a message may have; one that goes on is not Claude's, and is not let fill this memory."""
LOOK: Final = 0.01
"""Seconds between two looks at a program that is killed while it starts."""


class Programs:
    """Starts programs. Their thread lives as long as the process: their death signal is tied to it."""

    def __init__(self, read: Reader) -> None:
        self._read = read
        self._loop: asyncio.AbstractEventLoop | None = None
        self._living = set[Program]()

    def new(self, profile: Profile) -> "Program":
        """See Sessions."""
        program = Program(self, profile, self._read)
        self._living.add(program)
        return program

    def reap(self) -> None:
        """See Sessions. What a desk has left that was itself killed are directories: its programs died with it."""
        for program in tuple(self._living):
            program.kill()
        for left in Path(tempfile.gettempdir()).glob(f"{PLACE}*"):
            pid = left.name.removeprefix(PLACE).partition("-")[0]
            if pid.isdecimal() and not Path(f"/proc/{pid}").exists() and Path("/proc/self").exists():
                shutil.rmtree(left, ignore_errors=True)

    def alive(self) -> dict[str, int]:
        """See Sessions; a copy of a set is one step."""
        return kinds(program.profile for program in self._living.copy())

    def end(self, within: float) -> bool:
        """Kill all, and wait until they have gone with all they had; whether they have. Only for an edge: it blocks."""
        self.reap()
        until = time.monotonic() + within
        while self._living and time.monotonic() < until:
            time.sleep(LOOK)
        return not self._living

    def forget(self, program: "Program") -> None:
        """It has ended."""
        self._living.discard(program)

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Run it on the loop's thread."""
        if self._loop is None:
            self._loop = loop = asyncio.new_event_loop()
            threading.Thread(target=loop.run_forever, name="claude", daemon=True).start()
        asyncio.run_coroutine_threadsafe(work, self._loop)


class Program:
    """One program; see Session. It works in an empty directory of its own, which is removed with it."""

    def __init__(self, programs: Programs, profile: Profile, read: Reader) -> None:
        self._programs, self.profile, self._read = programs, profile, read
        self._place = Path(tempfile.mkdtemp(prefix=f"{PLACE}{os.getpid()}-"))
        self._client: ClaudeSDKClient | None = None
        self._killed, self._opening, self._asked, self._spent = False, False, 0, Decimal(0)
        self._complaints = deque[str](maxlen=5)

    def open(self, reply_to: ReplyTo[Opened | Fault | Refused]) -> None:
        """See Session."""
        self._opening = True
        self._run(self._open(reply_to), reply_to)

    def ask(
        self, turn: str, prompt: str, heard: Callable[[Heard], None], reply_to: ReplyTo[Said | Fault | Refused]
    ) -> None:
        """See Session."""
        self._run(self._ask(_Turn(turn, heard), prompt, reply_to), reply_to)

    def clear(self, reply_to: ReplyTo[Cleared | Fault | Refused]) -> None:
        """See Session."""
        self._run(self._clear(reply_to), reply_to)

    def kill(self) -> None:
        """See Session. The signal is sent at once; what is left to release is released on the loop's thread."""
        if self._killed:
            return
        self._killed = True
        self._signal()
        if not self._opening:  # at once, since a desk that ends does not wait for the loop
            self._remove()
        self._programs.run(self._release())

    def _run(self, work: Coroutine[Any, Any, None], reply_to: ReplyTo[Any]) -> None:
        async def guarded() -> None:
            try:
                await work
            except Exception as error:  # whatever the SDK raises means that this program is of no more use
                reply_to.tell(outcomes.crashed(reply_to.about, error, " ".join(self._complaints)))

        self._programs.run(guarded())

    async def _open(self, reply_to: ReplyTo[Opened | Fault | Refused]) -> None:
        from claude_agent_sdk import ClaudeSDKClient  # here, on its own thread, and only where Claude is asked

        try:
            if not self._killed:
                self._client = client = ClaudeSDKClient(self._options())
                await client.connect()
                info = await client.get_server_info() or {}
                reply_to.tell(Opened(reply_to.about, _account(info.get("account") or {})))
        finally:
            self._opening = False

    async def _ask(self, turn: "_Turn", prompt: str, reply_to: ReplyTo[Said | Fault | Refused]) -> None:
        from claude_agent_sdk import (
            AssistantMessage,
            ResultMessage,
            StreamEvent,
            SystemMessage,
            TextBlock,
            ToolUseBlock,
        )

        assert self._client is not None
        mark, seen = str(uuid.uuid4()), outcomes.Turn(self.profile.schema is not None, self._asked > 0)
        most = ENDLESS * (self.profile.thinking + self.profile.output)
        self._asked += 1
        await self._client.query(_verbatim(prompt, mark))
        async for message in self._client.receive_messages():
            if isinstance(message, ResultMessage):
                if message.user_message_uuid in (None, mark):
                    spent, self._spent = self._spent, Decimal(str(message.total_cost_usd or 0)).quantize(UNIT)
                    cost = max(self._spent - spent, Decimal(0))
                    reply_to.tell(outcomes.read(reply_to.about, message, seen, cost))
                    return
            elif isinstance(message, AssistantMessage):
                seen.error = message.error or seen.error
                for block in message.content:
                    if isinstance(block, TextBlock):
                        seen.said.append(block.text)
                    elif isinstance(block, ToolUseBlock):
                        seen.said.clear()
            elif isinstance(message, StreamEvent):
                turn.take(message.event)
                if turn.size > most:
                    reply_to.tell(outcomes.endless(reply_to.about, seen, most))
                    return
            elif isinstance(message, SystemMessage) and message.subtype == "api_retry":
                limited = message.data.get("error") == "rate_limit"
                seen.wait = float(message.data.get("retry_delay_ms") or 0) / 1000 if limited else None
                if seen.wait is not None and seen.wait > PATIENCE:
                    sentence = f"Claude is asked too often, and says to wait {seen.wait:.0f} s"
                    paid = None if turn.streamed else Decimal(0)  # what came before the 429 was paid for
                    reply_to.tell(Fault(reply_to.about, Cause.RATE_LIMITED, sentence, paid, seen.wait))
                    return
        raise ConnectionError("the program has closed its output")

    async def _clear(self, reply_to: ReplyTo[Cleared | Fault | Refused]) -> None:
        from claude_agent_sdk import ConversationResetMessage, ResultMessage

        assert self._client is not None
        await self._client.query("/clear")  # the one prompt that is to be a command
        reset = False
        async for message in self._client.receive_messages():
            reset = reset or isinstance(message, ConversationResetMessage)
            if reset and isinstance(message, ResultMessage):
                self._asked, self._spent = 0, Decimal(0)
                reply_to.tell(Cleared(reply_to.about))
                return
        raise ConnectionError("the program has closed its output")

    def _options(self) -> "ClaudeAgentOptions":
        import claude_agent_sdk
        from claude_agent_sdk import ClaudeAgentOptions

        bundled = Path(claude_agent_sdk.__file__).parent / "_bundled" / "claude"
        empty = self._place / "empty"
        empty.mkdir()
        profile = self.profile
        return ClaudeAgentOptions(
            tools=[],
            mcp_servers={"desk": self._server()} if profile.tools else {},
            allowed_tools=[f"mcp__desk__{name}" for name in profile.tools],
            strict_mcp_config=True,
            permission_mode="dontAsk",
            setting_sources=[],
            skills=[],
            system_prompt=profile.system,
            model=profile.model,
            max_turns=profile.turns,
            max_budget_usd=None if profile.usd is None else float(profile.usd),
            thinking={"type": "enabled", "budget_tokens": profile.thinking}
            if profile.thinking
            else {"type": "disabled"},
            output_format={"type": "json_schema", "schema": outcomes.schema(profile.schema)}
            if profile.schema
            else None,
            include_partial_messages=True,
            max_buffer_size=BUFFER,
            extra_args={"no-session-persistence": None},
            cli_path=LAUNCHER,
            cwd=empty,
            env=environment(os.environ, str(bundled), self._place / "pid", profile.thinking + profile.output),
            stderr=self._complaints.append,
        )

    def _server(self) -> "McpSdkServerConfig":
        from actors.claude import tools  # they bring numpy, for the bars

        return tools.server(self.profile.tools, self._read)

    def _signal(self) -> None:
        """Kill it and whatever it has started; before its launcher has run there is nothing to kill yet."""
        with suppress(OSError, ValueError):
            pid = int((self._place / "pid").read_text())
            with suppress(ProcessLookupError):
                if os.getpgid(pid) == pid:  # without setsid it has no group of its own, but ours
                    os.killpg(pid, signal.SIGKILL)
                else:
                    os.kill(pid, signal.SIGKILL)

    async def _release(self) -> None:
        while self._opening:  # it may have been just about to start
            self._signal()
            await asyncio.sleep(LOOK)
        if self._client is not None:
            self._signal()
            with suppress(Exception):
                await self._client.disconnect()  # never under a time-out: cancelled, it leaks what it was to end
            self._client = None  # whoever still knows of this program keeps none of its buffers
        self._remove()
        self._programs.forget(self)

    def _remove(self) -> None:
        shutil.rmtree(self._place, ignore_errors=True)


class _Turn:
    """What is heard of one turn. Of a long text not every step is told: each copies all that has come."""

    def __init__(self, turn: str, heard: Callable[[Heard], None]) -> None:
        self._turn, self._heard = turn, heard
        self._said: dict[str, list[str]] = {"text": [], "partial_json": [], "thinking": []}
        self._restarts, self._told, self._told_at = 0, 0, 0.0
        self.streamed = self.size = 0  # bytes, of all its messages and of the one that is streaming

    def take(self, event: dict[str, Any]) -> None:
        """One event of the stream; one that starts a message starts all over, after a cut too."""
        if event.get("type") == "message_start":
            self._restarts += any(self._said.values())
            self._said, self.size = {kind: [] for kind in self._said}, 0
        elif event.get("type") == "content_block_delta":
            delta: dict[str, str] = event["delta"]
            for kind, said in self._said.items():
                if more := delta.get(kind):
                    whole = more.encode(errors="replace")  # half a character is none
                    said.append(whole.decode())
                    self.streamed += len(whole)
                    self.size += len(whole)
            if self.streamed <= SHORT or self.streamed > self._told * STEP or time.monotonic() > self._told_at + OFTEN:
                self._tell()

    def _tell(self) -> None:
        self._told, self._told_at = self.streamed, time.monotonic()
        text, structured, thinking = ("".join(said) for said in self._said.values())
        self._heard(Heard(self._turn, text, structured, thinking, self._restarts, self.streamed))


async def _verbatim(prompt: str, mark: str) -> AsyncIterator[dict[str, Any]]:
    """The prompt as it stands: no @file is attached, no command is run."""
    yield {
        "type": "user",
        "message": {"role": "user", "content": prompt},
        "parent_tool_use_id": None,
        "uuid": mark,
        "client_composed": True,
    }


def _account(account: dict[str, Any]) -> str | None:
    """Who is signed in, or by what; a key has no token source, and a login no key's."""
    source = account.get("tokenSource")
    named = account.get("email") or account.get("apiKeySource") or (None if source == "none" else source)
    return None if named is None else str(named)
