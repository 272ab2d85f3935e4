"""A real Dask cluster on loopback: a scheduler and workers, each a process; one that is killed is not replaced."""

import json
import sys

from tests.end_to_end.places import ROOT, Place, Program, until


class Dask:
    """Runs until its place is closed. `tls` are a certificate and its key, which everybody shows and trusts."""

    def __init__(self, place: Place, tls: tuple[str, str] | None = None) -> None:
        self._place = place
        place.environment["PYTHONPATH"] = str(ROOT)
        said, scheme = place.path / "scheduler.json", "tcp"
        common = ["--scheduler-file", str(said)]
        if tls is not None:
            scheme, common = "tls", [*common, "--tls-ca-file", tls[0], "--tls-cert", tls[0], "--tls-key", tls[1]]
        self.scheduler = self._run(
            "scheduler", "--host", f"{scheme}://127.0.0.1", "--port", "0", "--no-dashboard", *common
        )
        until(lambda: said.exists() and said.stat().st_size > 0, "the scheduler", 60.0)
        workers = [self._run("worker", "--no-dashboard", "--nthreads", "1", "--no-nanny", *common) for _ in range(2)]
        until(lambda: all("Registered to" in worker.err for worker in workers), "the workers", 60.0)
        self.address = str(json.loads(said.read_text())["address"])

    def _run(self, what: str, *arguments: str) -> Program:
        return self._place.execute(sys.executable, "-W", "ignore", "-m", f"distributed.cli.dask_{what}", *arguments)
