"""What is stored as JSON: each kind under a name and a version, decoded strictly into its dataclass."""

from typing import Any, Final, TypeVar

import msgspec

from messages.errors import TroupeError
from messages.research import Decision, Sheet
from messages.tasks import (
    Backup,
    ComputeFacts,
    Recommend,
    Reconcile,
    RefreshBars,
    RefreshCalendar,
    StageOrder,
    ValuePortfolio,
    Work,
)
from messages.trading import Valuation, Weights

T = TypeVar("T")

WORK: Final[dict[tuple[str, int], type[Work]]] = {
    ("refresh_bars", 1): RefreshBars,
    ("value_portfolio", 1): ValuePortfolio,
    ("facts", 1): ComputeFacts,
    ("recommendation", 1): Recommend,
    ("backup", 1): Backup,
    ("stage_order", 1): StageOrder,
    ("reconcile", 1): Reconcile,
    ("refresh_calendar", 1): RefreshCalendar,
    ("recommendation", 2): Recommend,  # stand_in and why, which a row of version 1 means not to have
}
"""What a task's type and version mean, the newest last. A changed dataclass takes the next version; the old row keeps
its own. A field that came with a default makes no other class: an older row decodes to the default."""
NAMES: Final = {kind: name for name, kind in WORK.items()}
VERSIONS: Final[dict[type[Any], int]] = {Sheet: 1, Decision: 2, Valuation: 2, Weights: 2}
"""The newest version of each. Decision 2 has inquiry and stand_in, which are None in a row of version 1, Valuation 2
returns, likewise. Weights are read from a valuation's row, and so have its versions."""


class Undecodable(TroupeError):
    """A stored row is not what this release can read."""


class Unencodable(TroupeError):
    """What is to be stored cannot be written down."""


def encode_work(work: Work) -> tuple[str, int, str]:
    """Type, version and payload of a task. Raises Unencodable."""
    if type(work) not in NAMES:
        raise Unencodable(f"{type(work).__name__}: is not a type of task")
    name, version = NAMES[type(work)]
    return name, version, encoded(work, f"task type {name}").decode()


def encoded(value: object, what: str) -> bytes:
    """The value as JSON. Raises Unencodable, naming `what` it is."""
    try:
        return msgspec.json.encode(value)
    except (TypeError, ValueError, RecursionError, msgspec.MsgspecError) as error:
        raise Unencodable(f"{what}: cannot be encoded ({error})") from error


def decode_work(name: str, version: int, payload: str) -> Work:
    """The work of a task. Raises Undecodable."""
    kind = WORK.get((name, version))
    if kind is None:
        raise Undecodable(f"task type {name}, version {version}: is unknown to this release")
    work: Work = _decode(kind, payload, f"task type {name}")
    return work


def encode(value: Sheet | Decision | Valuation) -> tuple[int, str]:
    """Version and payload."""
    return VERSIONS[type(value)], msgspec.json.encode(value).decode()


def decode(kind: type[T], version: int, payload: str) -> T:
    """The value. Raises Undecodable."""
    if not 1 <= version <= VERSIONS[kind]:
        raise Undecodable(f"{kind.__name__}, version {version}: is unknown to this release")
    return _decode(kind, payload, kind.__name__)


_DECODERS: Final[dict[type[Any], msgspec.json.Decoder[Any]]] = {
    kind: msgspec.json.Decoder(kind) for kind in (*WORK.values(), *VERSIONS)
}
"""Made here, once: msgspec 0.22 crashes the process where two threads look at a new type at the same time."""


def _decode(kind: type[T], payload: str, what: str) -> T:
    try:
        value: T = _DECODERS[kind].decode(payload)
        return value
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise Undecodable(
            f"{what}: its stored payload cannot be decoded ({error}); `run.py once --again` makes a new round"
        ) from error
