"""Jobs on an existing Dask cluster; the one place that imports `distributed`, and only where a cluster is set."""

import asyncio
import concurrent.futures
import logging
import pickle
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Final

from actors.workers.places import UNAVAILABLE, Compute, Done, Failed, GivenUp, Outcome, Unavailable, failure, name_of
from messages.errors import sentence

LOOK: Final = 0.05
"""Seconds between two looks whether anybody still waits."""
CONNECT_WITHIN: Final = 5.0
"""Seconds in which the scheduler must answer."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where the scheduler is, and by what both sides know each other; `tcp://` is for this machine alone."""

    scheduler: str
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None


GONE: Final = (OSError, TimeoutError, asyncio.CancelledError, concurrent.futures.CancelledError)
"""What is raised where the scheduler or the way to it has gone; a job that kills its workers is another matter."""
_log: Final = logging.getLogger("troupe.workers")


class Unreachable(Unavailable):
    """No scheduler answers there, or the package that speaks to it is missing."""


class Cluster:
    """The workers of a cluster. Only pure jobs may go there: one whose worker dies is begun again on another.

    Connects when it is first needed. Arrays go as they are, beside the rest of an input, not in it.
    """

    def __init__(self, address: Address) -> None:
        self._address = address
        self._client: Any = None

    def compute(self, compute: Compute, inputs: Sequence[Any], given_up: GivenUp) -> Iterator[tuple[int, Outcome]]:
        """Each as a task of its own, so that each fails alone. One that was given up before it runs is taken back."""
        try:
            client = self._connected()
        except Unreachable as error:
            yield from ((number, failure(error)) for number in range(len(inputs)))
            return
        running, ended = dict[Any, int](), SimpleQueue[Any]()
        for number, one in enumerate(inputs):
            where = f"{name_of(compute)} and its input cannot be sent to {self._address.scheduler}"
            try:
                sent = packed(compute, one)
            except Exception as error:
                yield number, Failed("invalid", f"{where} ({error!r})")
                continue
            try:
                future = client.submit(_ABROAD, *sent, pure=False)
                running[future] = number
                future.add_done_callback(ended.put)
            except Exception as error:  # bytes and arrays can be sent, so it is not for the input
                yield number, Failed(UNAVAILABLE, f"{where} ({error!r})")
        while running:
            with suppress(Empty):
                future = ended.get(timeout=LOOK)
                if future in running:  # and not taken back
                    yield running.pop(future), self._outcome(future, compute)
            for future in [future for future, number in running.items() if given_up(number)]:
                del running[future]
                future.cancel()

    def close(self) -> None:
        """Leave the cluster."""
        client, self._client = self._client, None
        if client is not None:
            try:
                client.close(timeout=CONNECT_WITHIN)
            except Exception:  # a scheduler that has gone is left all the same
                _log.warning("the cluster could not be left in order", exc_info=True)

    def _connected(self) -> Any:
        if self._client is not None and self._client.status != "running":  # the scheduler has gone, and its tasks too
            self.close()
        if self._client is None:
            self._client = _connect(self._address)
        return self._client

    def _outcome(self, future: Any, compute: Compute) -> Outcome:
        where = f"{name_of(compute)} on {self._address.scheduler}"
        try:
            done, *what = future.result(timeout=CONNECT_WITHIN)
        except (Exception, asyncio.CancelledError) as error:  # what the job itself raises comes as a value
            said = (str(error) or "the scheduler has gone").splitlines()[0]
            return Failed(
                UNAVAILABLE if isinstance(error, GONE) else "crashed", f"{where}: {type(error).__name__}: {said}"
            )
        if done:
            try:
                return Done(pickle.loads(what[0]))
            except Exception as error:
                return Failed("invalid", f"{where}: its result cannot be read here ({sentence(error)})")
        code, why, stack = what
        if code == "missing":
            todo = "install this release of Troupe on its workers"
            return Failed("invalid", f"{where}: cannot be imported there ({why}); {todo}", stack)
        return Failed(code, why, stack)


def packed(compute: Compute, one: Any) -> list[Any]:
    """The pickled function and input, then its arrays, which are not in the pickle."""
    import numpy as np

    buffers = list[pickle.PickleBuffer]()
    head = pickle.dumps((compute, one), protocol=5, buffer_callback=buffers.append)
    return [head, *(np.frombuffer(buffer.raw(), np.uint8) for buffer in buffers)]


def _connect(address: Address) -> Any:
    try:
        from distributed import Client
        from distributed.security import Security
    except ImportError as error:
        raise Unreachable(
            f"[workers] cluster = {address.scheduler}: the package `distributed` is missing; "
            "run `.venv/bin/uv sync --extra cluster`"
        ) from error
    files = {"tls_ca_file": address.ca, "tls_client_cert": address.cert, "tls_client_key": address.key}
    known = {name: str(path) for name, path in files.items() if path is not None}
    make: Any = Client
    try:
        security: Any = Security(require_encryption=True, **known) if known else None  # type: ignore[no-untyped-call]
        return make(address.scheduler, timeout=CONNECT_WITHIN, security=security, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise Unreachable(
            f"[workers] cluster = {address.scheduler}: no scheduler answers there within {CONNECT_WITHIN:.0f} s "
            f"({error}); start it, or mend the setting"
        ) from error


def _make_abroad() -> Callable[..., tuple[Any, ...]]:
    """What runs over there. Made here since a function within another goes by value: it needs nothing of ours."""

    def abroad(head: bytes, *buffers: Any) -> tuple[Any, ...]:
        import pickle
        import traceback

        try:
            compute, one = pickle.loads(head, buffers=buffers)
        except (ImportError, AttributeError) as error:
            return False, "missing", repr(error), traceback.format_exc()
        try:
            [value] = compute([one])
        except Exception as error:
            return False, "crashed", repr(error), traceback.format_exc()
        try:
            return True, pickle.dumps(value)
        except Exception as error:
            return False, "invalid", f"its result cannot be sent back ({error!r})", traceback.format_exc()

    return abroad


_ABROAD: Final = _make_abroad()
