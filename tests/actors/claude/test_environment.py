"""What the program gets of the world is a short list of names, and of everything else not even the name."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from actors.claude.environment import FIXED, PASSED, endpoint, environment
from actors.claude.programs import LAUNCHER
from storage.connections import Reader
from tests.actors.claude.driving import PROSE, staffed, variables

SECRET: Final = "do-not-tell"
SECRETS: Final = {
    "BROKER_API_KEY": SECRET, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_SESSION_TOKEN": SECRET, "GITHUB_TOKEN": SECRET,
    "DATABASE_URL": SECRET, "OPENAI_API_KEY": SECRET, "_secret": SECRET, "A1": SECRET, "TROUPE_CLAUDE__MODEL": SECRET,
    "TROUPE_DROP": SECRET, "TROUPE_PROGRAM": SECRET, "CLAUDE_CODE_USE_BEDROCK": SECRET, "CLAUDECODE": SECRET,
    "ANTHROPIC_MODEL": SECRET, "NODE_OPTIONS": SECRET,
}  # fmt: skip
ODD: Final = dict.fromkeys(
    ("odd-name", "odd name", "a.b", "$(id)", "`id`", "BASH_FUNC_f%%", "ümlaut", "1st", ";", "-v", "*"), SECRET
)
READONLY: Final = {"UID": "0", "EUID": "0", "PPID": "1", "SHELLOPTS": "xtrace", "BASHOPTS": "x", "IFS": "x"}
"""Names that some shells refuse to forget."""
SHELLS: Final = ("sh", "dash", "bash --posix", "busybox sh")
OF_THE_SDK: Final = {
    "CLAUDE_AGENT_SDK_VERSION", "CLAUDE_CODE_ENTRYPOINT", "CLAUDE_CODE_MAX_OUTPUT_TOKENS",
    "CLAUDE_CODE_SDK_READS_SESSION_STATE",
}  # fmt: skip
OF_THE_SHELL: Final = {"PWD", "OLDPWD", "SHLVL", "_"}


def test_the_program_has_none_of_the_desks_secrets_in_its_environment() -> None:
    with staffed(Reader(Path("/nonexistent")), SECRETS | ODD | READONLY | {"LANG": "C.UTF-8"}) as staff:
        staff.fresh(PROSE).said("Hello.")

        found = [variables(pid) for pid in staff.processes]

    assert found
    for each in found:
        assert SECRET not in each.values()
        assert {name: value for name, value in each.items() if name in SECRETS} == {}
        named = {name for name in each if name.replace("_", "a").isalnum() and name.isascii() and not name[0].isdigit()}
        assert named - PASSED - FIXED.keys() - OF_THE_SDK - OF_THE_SHELL - READONLY.keys() == set()
        assert {name: each[name] for name in FIXED} == FIXED
        assert each["CLAUDE_CODE_MAX_OUTPUT_TOKENS"] == str(PROSE.output)
        assert each["LANG"] == "C.UTF-8"
        assert each["ANTHROPIC_BASE_URL"].startswith("http://127.0.0.1:")
        assert each["ANTHROPIC_API_KEY"] == "dummy"


def test_what_is_not_passed_is_emptied_and_what_a_shell_can_forget_is_named() -> None:
    world = {"PATH": "/bin", "KEY": "x", "odd name": "x", "CLAUDE_CODE_MAX_RETRIES": "10", "HTTPS_PROXY": "http://p"}

    found = environment(world, "/program", Path("/place/pid"), 8000)

    assert {name: found.get(name) for name in world} == {
        "PATH": None, "KEY": "", "odd name": "", "CLAUDE_CODE_MAX_RETRIES": "1", "HTTPS_PROXY": None,
    }  # fmt: skip
    assert found["TROUPE_DROP"] == "KEY"
    assert (found["TROUPE_PROGRAM"], found["TROUPE_PID"]) == ("/program", "/place/pid")
    assert found["TMPDIR"] == "/place"


def test_no_name_that_is_passed_is_a_brokers_or_a_clouds() -> None:
    allowed = ("ANTHROPIC_", "CLAUDE_", "HOME", "HTTP", "http", "LANG", "LC_", "LOGNAME", "NODE_EXTRA_CA", "NO_PROXY",
               "no_proxy", "PATH", "SSL_", "TMPDIR", "TZ", "USER")  # fmt: skip

    assert [name for name in PASSED if not name.startswith(allowed)] == []
    assert not PASSED & FIXED.keys()


@pytest.mark.parametrize("shell", [each for each in SHELLS if shutil.which(each.split()[0])])
def test_the_launcher_starts_the_program_whatever_it_cannot_forget(shell: str, tmp_path: Path) -> None:
    command, *options = shell.split()
    world = SECRETS | READONLY | {"PATH": os.environ["PATH"], "HOME": "/home"}
    given = {**world, **environment(world, "/usr/bin/env", tmp_path / "pid", 1)}

    done = subprocess.run([command, *options, LAUNCHER], env=given, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    found = dict(line.split("=", 1) for line in done.stdout.splitlines())
    assert found.keys() - READONLY.keys() - FIXED.keys() - OF_THE_SDK - OF_THE_SHELL == {"PATH", "HOME", "TMPDIR"}
    assert (tmp_path / "pid").read_text().strip().isdigit()


@pytest.mark.parametrize(
    ("world", "expected"),
    [
        ({"ANTHROPIC_BASE_URL": "http://127.0.0.1:1"}, "http://127.0.0.1:1"),
        ({"ANTHROPIC_BASE_URL": "@127.0.0.1:1/v1".join(["http://name:word", ""])}, "http://127.0.0.1:1/v1"),
        ({"ANTHROPIC_BASE_URL": ""}, "https://api.anthropic.com"),
        ({}, "https://api.anthropic.com"),
    ],
)
def test_the_endpoint_is_the_one_that_is_set(world: dict[str, str], expected: str) -> None:
    assert endpoint(world) == expected


def test_the_tests_own_environment_is_left_alone() -> None:
    before = dict(os.environ)

    with staffed(Reader(Path("/nonexistent"))):
        assert os.environ["ANTHROPIC_BASE_URL"] != before["ANTHROPIC_BASE_URL"]

    assert dict(os.environ) == before
