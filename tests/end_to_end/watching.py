"""A real Prometheus beside a desk, on loopback, and what its dashboards would ask of it."""

import json
import math
import re
import shutil
import socket
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import time
from typing import Any, Final

from telemetry.dashboards import write
from tests.end_to_end.places import Place, until

PLACE: Final = Path(write.__file__).parent
"""Where dashboards, rules and configuration are."""
INTERVAL: Final = "1s"
OVER: Final = "10s"
"""What `$__rate_interval` comes to."""
COMPARED: Final = re.compile(r"\s*(==|>|<)\s*[\d.e+]+(\s*\*.*)?$")
_DIRECT: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))
Points = list[tuple[float, float]]


def command(name: str) -> str:
    """Where prometheus or promtool is."""
    found = shutil.which(name)
    assert found is not None, f"{name} is not here: install Debian's package prometheus, as .ci/run does"
    return found


def free_port() -> int:
    """A port of 127.0.0.1 that nobody has."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def fetch(url: str) -> str:
    """What is answered there, without a proxy."""
    with _DIRECT.open(url, timeout=10) as answer:
        return str(answer.read().decode())


@dataclass
class Prometheus:
    """One that runs."""

    port: int
    began: float = field(default_factory=time)

    def ask(self, path: str, **parameters: object) -> Any:
        """The data of an answer of its API."""
        query = urllib.parse.urlencode(parameters)
        try:
            answer = json.loads(fetch(f"http://127.0.0.1:{self.port}/api/v1/{path}?{query}"))
        except urllib.error.HTTPError as error:
            with error:
                raise AssertionError(f"{path} {parameters}: {error.read().decode()}") from error
        assert answer["status"] == "success", answer
        return answer["data"]

    def series(self, expr: str, step: float = 1.0) -> dict[str, Points]:
        """All series of a query since it began, by labels; without values that are no number."""
        asked = expr.replace("$__rate_interval", OVER).replace("$job", "troupe").replace("$instance", ".*")
        found = self.ask("query_range", query=asked, start=self.began, end=time(), step=step)["result"]
        shown = {json.dumps(each["metric"]): [(at, float(value)) for at, value in each["values"]] for each in found}
        numbers = {key: [(at, v) for at, v in points if not math.isnan(v)] for key, points in shown.items()}
        return {key: points for key, points in numbers.items() if points}

    def age(self) -> float:
        """Seconds since it began."""
        return time() - self.began

    def rules(self) -> dict[str, str]:
        """The query of each rule by name; of an alert what is compared."""
        groups = self.ask("rules")["groups"]
        return {
            rule["name"]: COMPARED.sub("", rule["query"].rpartition(" or ")[2])
            for group in groups
            for rule in group["rules"]
        }

    def scrapes(self) -> int:
        """How often it has scraped the desk."""
        found = self.ask("query", query='count_over_time(up{job="troupe"}[1h])')["result"]
        return int(found[0]["value"][1]) if found else 0


@contextmanager
def prometheus(place: Path, target: int) -> Generator[Prometheus]:
    """One with our configuration, but for the target and how often it is scraped."""
    config = (PLACE / "prometheus" / "prometheus.yml").read_text("utf-8")
    config = config.replace("15s", INTERVAL).replace("127.0.0.1:9464", f"127.0.0.1:{target}")
    (place / "prometheus.yml").write_text(config)
    shutil.copy(PLACE / "prometheus" / "rules.yml", place)
    port = free_port()
    arguments = [
        f"--config.file={place / 'prometheus.yml'}",
        f"--storage.tsdb.path={place / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn",
    ]
    with (place / "prometheus.err").open("w") as errors:
        process = subprocess.Popen(
            [command("prometheus"), *arguments], cwd=place, env={"HOME": str(place)}, stdout=errors, stderr=errors
        )

    def ready() -> bool:
        assert process.poll() is None, (place / "prometheus.err").read_text()
        try:
            return "Ready" in fetch(f"http://127.0.0.1:{port}/-/ready")
        except OSError:
            return False

    try:
        until(ready, "a Prometheus that is ready")
        yield Prometheus(port)
    finally:
        process.terminate()
        process.wait(20)


HOLDINGS: Final = "symbol,quantity,cost\nAAPL,25,460\nGOOG,12,546\nMSFT,300,17.53\nCASH:USD,10000,1\n"


def prepared(place: Place) -> int:
    """A desk whose rules are traded on under a mandate, and the port of its metrics."""
    port = free_port()
    place.environment["TROUPE_METRICS__PORT"] = str(port)
    (place.path / "mine.csv").write_text(HOLDINGS)
    place.settings('[trading]\nanalysts = ["rules"]\n')
    assert place.run("import", "mine.csv").code == 0
    assert place.run("mandate", "--max-order-value", "20000", "--min-conviction", "0.6").code == 0
    return port


def worked(place: Place, rounds: int) -> None:
    """Rounds by the rules, which are traded on, and by Claude; a question; a backup."""
    for _ in range(rounds):
        for arguments in (
            ("once", "--claude", "off", "--again"),
            ("once", "--claude", "on", "--again"),
            ("ask", "What do I hold?"),
            ("backup",),
        ):
            ended = place.run(*arguments)
            assert ended.code == 0, ended
