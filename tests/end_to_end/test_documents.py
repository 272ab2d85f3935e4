"""Each command that README.md and docs/ show is run, and what they say of commands and settings is all there is."""

import json
import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from signal import SIGTERM

import pytest
import typer

import run
from actors.domain.profiles import TOOLS
from actors.settings import schema as settings_schema
from messages.claude import Cause
from telemetry import instruments
from tests.claude_safely import environment
from tests.end_to_end.conftest import Undisturbed
from tests.end_to_end.places import ROOT, RUN, SAMPLE, Place, until
from tests.stub.server import Stub
from tests.test_project import SET_UP

UV_RUN = ".venv/bin/uv run"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def fenced(page: Path) -> Iterator[str]:
    """The lines of its shell blocks that run the program; pytest and others are not ours."""
    for block in re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL):
        yield from (line for line in block.splitlines() if "run.py" in line)


SAID = ("Claude: ", "(0.", "> ")
"""How lines begin that a command which asks Claude may say on standard error."""
COMMANDS = sorted({command for page in PAGES for command in fenced(page)})


def test_there_are_commands_to_run() -> None:
    assert f"{SET_UP} run.py once" in COMMANDS
    assert len(COMMANDS) > 15


ASKS = re.compile(r"run\.py (ask|chat)\b|--claude on")
"""Commands that ask Claude, and say beforehand what that means."""
AGREED = "INSERT INTO claude_consents (at, model, usd_per_round) VALUES (0, 'claude-sonnet-5', 1000000000)"


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_that_the_documents_show_works(
    sample: Place, undisturbed: Undisturbed, claude_api: Stub, command: str
) -> None:
    shutil.copy(SAMPLE / "holdings.csv", sample.path)
    sample.environment |= environment(claude_api.address, sample.path)
    asks = ASKS.search(command) is not None
    if asks:
        sample.change(AGREED)
    if "ANTHROPIC_AUTH_TOKEN" in command:
        del sample.environment["ANTHROPIC_API_KEY"]
    line = command.replace(SET_UP, UV_RUN).replace(f"{UV_RUN} run.py", f"exec {shlex.quote(sys.executable)} {RUN}")
    if "BACKUP" in command:
        made = sample.run("backup", "--json").json["file"]
        line = re.sub(r"\bBACKUP\b", made, line)
    if "ORDER" in command:
        sample.settings('[trading]\nanalysts = ["rules"]\n')
        sample.once("--again")
        line = re.sub(r"\bORDER\b", sample.run("orders", "--json").json["orders"][0]["ticket"]["client_id"], line)
    line = re.sub(r"\bFILE\b", "holdings.csv", line)
    line = line.replace("http://127.0.0.1:8765", claude_api.address)
    line = re.sub(r"\bTASK\b", "1", line)
    line = re.sub(r"\bID\b", undisturbed.report["recommendations"][0]["id"], line)
    assert line != command

    program = sample.execute("sh", "-c", line)
    if command.endswith(("run.py", "run.py serve")):
        until(lambda: program.ended or "Ctrl-C stops it" in program.out, "serve")
        program.send(SIGTERM)

    ended = program.wait()
    assert ended.code == 0, ended
    assert [line for line in ended.lines if not (asks and line.startswith(SAID))] == []
    assert ended.out
    assert bool(claude_api.requests) == (asks and "chat" not in command)  # nobody has typed anything
    if "ANTHROPIC_AUTH_TOKEN" in command:
        tokens = {request.headers.get("Authorization") for request in claude_api.requests}
        assert tokens == {"Bearer your-token"}


def test_every_cause_is_described_with_what_to_do() -> None:
    page = (ROOT / "docs" / "claude.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \| [^|]+ \|$", page.partition("| cause |")[2], re.MULTILINE)

    assert set(rows[: len(Cause)]) == set(Cause)


def test_every_tool_is_described() -> None:
    page = (ROOT / "docs" / "claude.md").read_text().partition("| tool |")[2].partition("\n\n")[0]

    assert re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE) == list(TOOLS)


def test_every_metric_is_described_with_its_attributes() -> None:
    described = {
        row[1]: set(re.findall(r"`(\w+)`", row[2]))
        for row in re.finditer(r"^\| `(\w+)` \| ?(.*?) ?\|", (ROOT / "docs" / "metrics.md").read_text(), re.MULTILINE)
    }
    known = {each for each in vars(instruments).values() if isinstance(each, instruments.Instrument)}

    assert described == {prometheus(each): {name.replace(".", "_") for name in each.attributes} for each in known}


def prometheus(instrument: instruments.Instrument) -> str:
    """The name that Prometheus sees."""
    unit = {"s": "_seconds", "By": "_bytes"}.get(instrument.unit, "")
    total = "_total" if isinstance(instrument, instruments.Counter) else ""
    return instrument.name.replace(".", "_") + unit + total


def test_every_command_and_option_is_described() -> None:
    page = (ROOT / "docs" / "commands.md").read_text()
    program = typer.main.get_command(run.app)
    commands = getattr(program, "commands", {})
    options = {option for each in (program, *commands.values()) for one in each.params for option in one.opts}

    assert set(re.findall(r"^## ([a-z-]+)$", page, re.MULTILINE)) == set(commands)
    assert {option for option in options if option.startswith("--")} <= set(re.findall(r"--[a-z]+(?:-[a-z]+)*", page))


def test_every_setting_is_described_with_its_default() -> None:
    described = dict[tuple[str, str], str]()
    section = ""
    for line in (ROOT / "docs" / "settings.md").read_text().splitlines():
        if row := re.match(r"\| (?:`\[(\w+)\]` )?\| `(\w+)` \| `(.*?)` \|", line):
            section = row[1] or section
            described[section, row[2]] = row[3]

    assert described == dict(settings())


def settings() -> Iterator[tuple[tuple[str, str], str]]:
    """Section, key and default of each, written as in TOML."""
    for section, field in settings_schema._Schema.model_fields.items():  # pyright: ignore[reportPrivateUsage]
        for key, value in field.default.model_dump(mode="json").items():
            yield (section, key), json.dumps(value)
