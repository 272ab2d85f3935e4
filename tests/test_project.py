"""The project keeps what its own files promise."""

import csv
import gzip
import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

import run

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "storage" / "sample"
SET_UP = "python3 -m venv .venv && .venv/bin/pip install -q uv && .venv/bin/uv run"

# Written so that no pattern matches its own text.
FORBIDDEN = {
    "an option that names an index": r"index[-_]url|find[-_]links",
    "a registry's host": r"(?i)https?:\S*\b(?:pyp[i]|pythonhoste[d]|npmj[s]|registr[y]|artifactor[y]|nexu[s])\b",
    "a registry's host without scheme": r"(?i)\b(?:pyp[i][.]org|pythonhoste[d][.]org|registr[y][.]npmj[s][.]org)\b",
    "a path of one machine": r"(?<![\w.$}{)-])/(?:roo[t]|wor[k])/",
    "a password in an address": r"://[^/\s:@'\"`<>]+:[^/\s:@'\"`<>]+@",
    "a private key": r"BEGIN [A-Z ]*PRIVAT[E] KEY",
    "a key of Claude's": r"sk-an[t]-[a-z]+\d+-[\w-]{20,}",
}

# Ends a process with 97 at the first step outside loopback and with 98 where the watch would be blind.
SENTRY = """
import os, sys

LOOPBACK = ("127.0.0.1", "::1", "localhost")
NAMES = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr")
ADDRESSES = ("socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg")
CHILDREN = ("subprocess.Popen", "os.system", "os.posix_spawn", "os.fork", "os.exec")

def end(code, event, args):
    os.write(2, f"{event} {args!r}\\n".encode())
    os._exit(code)

def watch(event, args):
    if event in NAMES and args[0] not in LOOPBACK:
        end(97, event, args)
    if event in ADDRESSES and isinstance(args[1], tuple) and args[1][0] not in LOOPBACK:
        end(97, event, args)
    if event in CHILDREN and not (event == "subprocess.Popen" and worker(*args)):
        end(98, event, args)

def worker(_program, command, _cwd, env):  # it is watched, too, if it finds the sentry where Python looks for it
    return command[1:3] == ["-m", "actors.workers.child"] and env.get("PYTHONPATH") == os.environ.get("PYTHONPATH")

sys.addaudithook(watch)
"""
# Runs a script under it.
WATCH = f"""{SENTRY}
import runpy
sys.argv = sys.argv[1:]
sys.path[0] = os.path.dirname(sys.argv[0])
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def files_of_the_project() -> list[Path]:
    """What git tracks or would track; without git all files but the environment, caches and a desk's home."""
    git = shutil.which("git")
    if git and (ROOT / ".git").exists():
        command = [git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
        if listed.returncode == 0:
            return [path for name in listed.stdout.decode().split("\0") if name and (path := ROOT / name).is_file()]
    return [
        path
        for path in ROOT.rglob("*")
        if path.is_file()
        and not any(re.match(r"\.(?!ci$|gitignore$)|__pycache__$|desk$", part) for part in path.relative_to(ROOT).parts)
        and path != ROOT / "uv.lock"
    ]


def documents() -> list[Path]:
    return [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md")), SAMPLE / "PROVENANCE.md"]


def watched(script: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", WATCH, str(script), *arguments]
    world = os.environ | {"PYTHONPATH": str(post_sentry(cwd))}
    return subprocess.run(command, cwd=cwd, env=world, capture_output=True, text=True, check=False, timeout=100)


def post_sentry(place: Path) -> Path:
    """A directory that has each Python process watched that looks there for modules, as worker processes do."""
    (sentry := place / "sentry").mkdir(exist_ok=True)
    (sentry / "sitecustomize.py").write_text(SENTRY)
    return sentry


def test_the_readmes_first_two_commands_set_up_and_run_the_desk_and_its_tests() -> None:
    block = re.search(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)

    assert block is not None
    assert block[1].splitlines() == [f"{SET_UP} run.py once", f"{SET_UP} pytest"]


def test_the_readme_fits_on_one_screen() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 60


def test_ci_takes_its_test_command_from_the_readme() -> None:
    script = (ROOT / ".ci" / "run").read_text()

    pattern = re.search(r"grep -m 1 -E '([^']+)' README\.md", script)

    assert pattern is not None
    matching = [line for line in (ROOT / "README.md").read_text().splitlines() if re.search(pattern[1], line)]
    assert matching == [f"{SET_UP} pytest"]


def test_no_file_names_a_registry_a_path_of_one_machine_or_a_credential() -> None:
    found: list[str] = []
    for path in files_of_the_project():
        text = path.read_bytes().decode("utf-8", errors="replace")
        for what, pattern in FORBIDDEN.items():
            found += [f"{path.relative_to(ROOT)}: {what}: {match[0]}" for match in re.finditer(pattern, text)]

    assert found == []


@pytest.mark.parametrize(
    "text",
    [
        "--index" + "-url x",
        "https://py" + "pi.org/simple",
        "https://files.python" + "hosted.org/packages/a.whl",
        "https://mirror.example/api/py" + "pi/simple",
        "venv = '/ro" + "ot/.venv'",
        "cd /wo" + "rk/main",
        "https://someone:secret" + "@example.org",
    ],
)
def test_each_of_these_would_be_found(text: str) -> None:
    assert any(re.search(pattern, text) for pattern in FORBIDDEN.values())


def test_the_lock_of_one_machine_is_not_part_of_the_project() -> None:
    assert "uv.lock" in (ROOT / ".gitignore").read_text().splitlines()
    assert ROOT / "uv.lock" not in files_of_the_project()


def test_constraints_are_pins_with_sha256_hashes_and_nothing_else() -> None:
    pin = re.compile(r"[a-z0-9-]+==[\w.+!]+(?: ; [\w.<>=!' ()]+)?(?:\s+--hash=sha256:[0-9a-f]{64})+")
    lines = (ROOT / ".ci" / "constraints.txt").read_text().replace("\\\n", "").splitlines()

    assert [line for line in lines if not pin.fullmatch(line)] == []


def test_constraints_pin_every_dependency_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    named = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    names = {re.split(r"[^\w.-]", requirement, maxsplit=1)[0].lower() for requirement in named}

    pinned = set(re.findall(r"^([a-z0-9-]+)==", (ROOT / ".ci" / "constraints.txt").read_text(), re.MULTILINE))

    assert names - pinned == set()


def test_the_sample_prices_are_the_ones_whose_provenance_is_told() -> None:
    packed = (SAMPLE / "prices.csv.gz").read_bytes()
    provenance = (SAMPLE / "PROVENANCE.md").read_text()

    for content in (packed, gzip.decompress(packed)):
        assert f"`{hashlib.sha256(content).hexdigest()}`" in provenance


def test_the_sample_portfolio_was_bought_at_closes_that_the_sample_prices_have() -> None:
    with gzip.open(SAMPLE / "prices.csv.gz", "rt", newline="") as file:
        closes = {(row["symbol"], row["date"]): row["close"] for row in csv.DictReader(file)}
    rows = list(csv.DictReader(io.StringIO((SAMPLE / "holdings.csv").read_text())))

    *holdings, cash = rows

    assert {row["symbol"] for row in holdings} == {symbol for symbol, _ in closes}
    assert [row for row in holdings if closes.get((row["symbol"], row["acquired"])) != row["cost"]] == []
    assert cash == {"symbol": "CASH:USD", "quantity": "10000", "cost": "1", "acquired": ""}


def test_every_relative_link_leads_to_a_file() -> None:
    def broken() -> Iterator[str]:
        for page in documents():
            for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
                target = link.split("#", 1)[0]
                if target and "://" not in target and not (page.parent / target).exists():
                    yield f"{page.relative_to(ROOT)}: {link}"

    assert list(broken()) == []


def named_commands() -> set[str]:
    found: set[str] = set()
    for page in documents():
        for code in re.findall(r"```\w*\n.*?```|`[^`\n]+`", page.read_text(), re.DOTALL):
            found |= set(re.findall(r"\brun\.py ([a-z][\w-]*)", code))
    return found


def test_the_documents_name_each_command_of_this_release_and_no_other() -> None:
    assert named_commands() == {
        "once", "import", "tasks", "why", "status", "serve", "claude", "doctor", "grounding", "ask", "chat", "backup",
        "restore", "orders", "approve", "reject", "cancel", "mandate", "halt", "resume", "lots", "performance",
        "real-money", "amend", "trace",
    }  # fmt: skip


def test_every_command_that_the_documents_name_exists() -> None:
    program = typer.main.get_command(run.app)

    assert named_commands() <= set(getattr(program, "commands", {}))


@pytest.mark.parametrize(
    "statement",
    [
        "socket.create_connection(('192.0.2.1', 80), timeout=0.1)",
        "socket.getaddrinfo('example.invalid', 80)",
        "socket.socket().bind(('0.0.0.0', 0))",
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'', ('192.0.2.1', 53))",
    ],
)
def test_the_watch_ends_a_program_that_leaves_loopback(tmp_path: Path, statement: str) -> None:
    script = tmp_path / "talks.py"
    script.write_text(f"import socket\ntry:\n    {statement}\nexcept BaseException:\n    pass\n")

    assert watched(script, cwd=tmp_path).returncode == 97


@pytest.mark.parametrize(("job", "code"), [("b'', ('192.0.2.1', 9)", 97), ("b'', ('127.0.0.1', 9)", 0)])
def test_the_watch_goes_with_the_worker_processes_and_with_no_others(tmp_path: Path, job: str, code: int) -> None:
    script = tmp_path / "works.py"
    script.write_text(f"""
import socket, sys
sys.path.insert(0, {str(ROOT)!r})
from actors.workers.places import Done
from actors.workers.processes import Process
class Talks:
    def __reduce__(self):
        return exec, ("import socket; socket.socket(type=socket.SOCK_DGRAM).sendto({job})",)
[(_, outcome)] = Process(2**30).compute(list, [Talks()], lambda _: False)
sys.exit(0 if isinstance(outcome, Done) else 97 if "exit code 97" in outcome.why else 1)
""")

    assert watched(script, cwd=tmp_path).returncode == code
    script.write_text("import subprocess, sys; subprocess.Popen([sys.executable, '-c', '0'])")
    assert watched(script, cwd=tmp_path).returncode == 98


def test_the_watch_lets_loopback_and_files_pass(tmp_path: Path) -> None:
    script = tmp_path / "stays.py"
    script.write_text("import socket\nwith socket.create_server(('127.0.0.1', 0)): pass\n")

    assert watched(script, cwd=tmp_path).returncode == 0


def test_a_round_on_sample_prices_opens_no_socket_outside_loopback(tmp_path: Path) -> None:
    ended = watched(ROOT / "run.py", "once", "--home", str(tmp_path / "desk"), cwd=tmp_path)

    assert ended.returncode == 0, ended.stderr
    assert "prices end 2013-03-01" in ended.stdout + ended.stderr
