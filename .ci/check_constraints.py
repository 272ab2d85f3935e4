"""Whether .ci/constraints.txt still says what was resolved: versions as installed, hashes as in uv.lock.

Prints each difference and the command that renews the file, and exits with 1 if there is one.
"""

import re
import sys
import tomllib
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
RENEW = (
    ".venv/bin/uv export -q --format requirements-txt --no-emit-project --no-header --no-annotate "
    "--output-file .ci/constraints.txt"
)
SET_UP = {"pip", "setuptools", "wheel", "uv"}  # what makes the environment, before there is a resolution

Pins = dict[tuple[str, str], frozenset[str]]


def read_constraints(text: str) -> tuple[Pins, dict[str, str]]:
    """All pins with their hashes, and the versions of those that this interpreter and system want."""
    pins: Pins = {}
    wanted: dict[str, str] = {}
    for line in text.replace("\\\n", " ").splitlines():
        requirement = Requirement(line.split("--hash=", 1)[0].strip())
        name = canonicalize_name(requirement.name)
        version = str(requirement.specifier).removeprefix("==")
        pins[name, version] = frozenset(re.findall(r"--hash=(\S+)", line))
        if requirement.marker is None or requirement.marker.evaluate():
            wanted[name] = version
    return pins, wanted


def read_lock(text: str) -> Pins:
    """What uv resolved from an index, with the hashes it verified its downloads by.

    Without what only a group needs that is not installed unless asked for, such as `bench`.
    """
    packages = tomllib.loads(text)["package"]  # of some there are two versions, for different interpreters
    (project,) = (package for package in packages if "virtual" in package["source"])
    needed, seen = [*project["dependencies"], *project["dev-dependencies"]["dev"]], set[tuple[str, str]]()
    for each in needed:  # which grows
        for extra in {"", *each.get("extra", [])} - {extra for name, extra in seen if name == each["name"]}:
            seen.add((each["name"], extra))
            for package in (package for package in packages if package["name"] == each["name"]):
                by_extra = {"": package.get("dependencies", [])} | package.get("optional-dependencies", {})
                needed += by_extra.get(extra, [])
    names = {name for name, _ in seen}
    return {
        (package["name"], package["version"]): frozenset(
            file["hash"] for file in [*package.get("wheels", []), *filter(None, [package.get("sdist")])]
        )
        for package in packages
        if package["name"] in names
    }


def differences(pins: Pins, wanted: dict[str, str], installed: dict[str, str], lock: Pins | None) -> list[str]:
    """One sentence each: file against installed versions, then file against the lock's hashes, if there is one."""
    found = [f"{name} {version} has no hash in the file" for (name, version), hashes in pins.items() if not hashes]
    for name in sorted(wanted.keys() | installed.keys()):
        here, there = wanted.get(name), installed.get(name)
        if here != there:
            found.append(f"{name}: the file says {here or 'nothing'}, installed is {there or 'nothing'}")
    if lock is not None:
        for name, version in sorted(pins.keys() | lock.keys()):
            if pins.get((name, version)) != lock.get((name, version)):
                found.append(f"{name} {version}: the file's hashes are not those of uv.lock")
    return found


def main() -> int:
    """Compare, print, and answer with the exit code."""
    constraints = ROOT / ".ci" / "constraints.txt"
    lock = ROOT / "uv.lock"
    pins, wanted = read_constraints(constraints.read_text())
    everything = (
        (str(canonicalize_name(found.metadata["Name"])), str(Version(found.version)))
        for found in metadata.distributions()
    )
    installed = {name: version for name, version in everything if name not in SET_UP}
    found = differences(pins, wanted, installed, read_lock(lock.read_text()) if lock.exists() else None)
    for sentence in found:
        print(f".ci/constraints.txt: {sentence}", file=sys.stderr)
    if found:
        print(f"renew it with: {RENEW}", file=sys.stderr)
        return 1
    hashes = "hashes as in uv.lock" if lock.exists() else "hashes not compared, there is no uv.lock"
    print(f".ci/constraints.txt: {len(wanted)} packages as installed, {hashes}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
