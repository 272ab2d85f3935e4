"""Jobs on a cluster: a real one, whose scheduler and workers are processes of their own, on loopback."""

import datetime as dt
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from actors.domain import valuation
from actors.workers import cluster
from actors.workers.cluster import Address, Cluster, packed
from actors.workers.places import Done, Failed, Outcome
from messages.trading import Held
from messages.values import Symbol
from tests.actors.workers.dask import Dask
from tests.actors.workers.harm import behave
from tests.end_to_end.places import Place


def never(_: int) -> bool:
    return False


@pytest.fixture(scope="module")
def dask() -> Iterator[Dask]:
    with tempfile.TemporaryDirectory(prefix="troupe-") as path:
        place = Place(Path(path))
        yield Dask(place)
        place.close()


@pytest.fixture
def there(dask: Dask) -> Iterator[Cluster]:
    made = Cluster(Address(dask.address))
    yield made
    made.close()


def outcomes(
    place: Cluster, wanted: Sequence[tuple[str, object]], given_up: Callable[[int], bool] = never
) -> dict[int, Outcome]:
    told = list(place.compute(behave, wanted, given_up))
    assert len(told) == len(dict(told))
    return dict(told)


def test_arrays_go_beside_the_pickle_and_not_in_it() -> None:
    array = np.arange(100_000.0)

    head, sent = packed(behave, ("double", array))

    assert len(head) < 500
    assert sent.base is not None
    assert np.shares_memory(sent, array)


def test_a_scheduler_that_does_not_answer_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "CONNECT_WITHIN", 0.2)

    told = outcomes(Cluster(Address("tcp://127.0.0.1:1")), [("double", 1), ("double", 2)])

    for failed in told.values():
        assert isinstance(failed, Failed)
        assert failed.code == "down"  # the cluster's fault, which costs the job no attempt
        assert failed.why.startswith("[workers] cluster = tcp://127.0.0.1:1: no scheduler answers there within ")
        assert failed.why.endswith("; start it, or mend the setting")


@pytest.mark.long
@pytest.mark.timeout(240)
class TestOnACluster:
    def test_each_job_ends_with_its_value_or_fails_alone(self, there: Cluster) -> None:
        inputs = valuation.Inputs(
            dt.date(2013, 3, 1),
            "USD",
            (Held(Symbol("A"), Decimal(3), Decimal(2)),),
            Decimal(1),
            {Symbol("A"): Decimal("1.1")},
            {},
        )

        [(_, valued)] = there.compute(valuation.compute, [inputs], never)
        told = outcomes(there, [("double", 1), ("raise", "x"), ("pid", None), ("lock", None)])

        assert valued == Done(valuation.compute([inputs])[0])
        assert told[0] == Done(2)
        pid = told[2]
        assert isinstance(pid, Done)
        assert pid.value != os.getpid()
        raised, unsendable = told[1], told[3]
        assert isinstance(raised, Failed)
        assert (raised.code, raised.why) == ("crashed", "ZeroDivisionError('x')")
        assert "in _one" in raised.stack
        assert isinstance(unsendable, Failed)
        assert unsendable.code == "invalid"
        assert "its result cannot be sent back" in unsendable.why

    def test_a_job_that_the_cluster_cannot_import_is_named(
        self, there: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "only_here.py").write_text("def compute(wanted):\n    return wanted\n")
        monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
        from only_here import compute  # type: ignore[import-not-found]  # pyright: ignore

        [(_, failed)] = there.compute(compute, [1], never)  # pyright: ignore

        assert isinstance(failed, Failed)
        assert failed.code == "invalid"
        assert failed.why.startswith("only_here.compute on tcp://127.0.0.1:")
        assert "cannot be imported there (ModuleNotFoundError" in failed.why
        assert failed.why.endswith("install this release of Troupe on its workers")

    def test_what_nobody_waits_for_any_more_is_taken_back(self, there: Cluster, tmp_path: Path) -> None:
        told = outcomes(there, [("once", str(tmp_path))], lambda _: any(tmp_path.iterdir()))

        assert told == {}
        (tmp_path / "go").touch()

    def test_a_job_whose_worker_is_killed_is_begun_again_on_another(self, there: Cluster, tmp_path: Path) -> None:
        killed = list[int]()

        def kill(_: int) -> bool:
            for path in tmp_path.iterdir():
                if not killed:
                    killed.append(int(path.name))
                    os.kill(killed[0], signal.SIGKILL)
            return False

        told = outcomes(there, [("once", str(tmp_path))], kill)

        again = told[0]
        assert isinstance(again, Done)
        assert again.value not in {killed[0], os.getpid()}


@pytest.mark.long
@pytest.mark.timeout(240)
def test_a_scheduler_that_goes_while_jobs_run_is_not_the_jobs_fault(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="troupe-") as path:
        place, begun = Place(Path(path)), list[Path]()
        dask = Dask(place)
        there = Cluster(Address(dask.address))

        def kill(_: int) -> bool:
            if not begun and (found := list(tmp_path.iterdir())):
                begun.extend(found)
                dask.scheduler.send(signal.SIGKILL)
            return False

        told = outcomes(there, [("hang", str(tmp_path)), ("hang", str(tmp_path))], kill)
        again = outcomes(there, [("double", 1)])
        there.close()
        place.close()

    failed = [each for each in (*told.values(), *again.values()) if isinstance(each, Failed)]
    assert [each.code for each in failed] == ["down"] * 3, failed
    assert begun


@pytest.mark.long
@pytest.mark.timeout(240)
def test_a_desk_runs_its_round_on_a_cluster_that_knows_it_by_its_certificate() -> None:
    with tempfile.TemporaryDirectory(prefix="troupe-") as path:
        place = Place(Path(path))
        cert, key = certificate(place.path)
        dask = Dask(place, (str(cert), str(key)))
        address = dask.address
        place.settings(
            f'[workers]\ncluster = "{address}"\ncluster_ca = "{cert}"\ncluster_cert = "{cert}"\ncluster_key = "{key}"'
        )

        assert place.once()["value"] == "51104.43"
        place.close()


def certificate(place: Path) -> tuple[Path, Path]:
    """One that signs itself, and its key."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "dask")])
    now = dt.datetime.now(dt.UTC)
    cert = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (place / "cert.pem").write_bytes(cert.public_bytes(serialization.Encoding.PEM))
    (place / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return place / "cert.pem", place / "key.pem"
