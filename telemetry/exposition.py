"""A scrape as text. What prometheus_client's own does for our kinds of metrics, at a third of its price.

Measured: of the 35 ms of processor time that 3,200 series took, its text was half, most of it for escaping the same
labels again and again.
"""

from functools import lru_cache
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.utils import floatToGoString  # pyright: ignore[reportUnknownVariableType]

TYPES: Final = {"unknown": "untyped", "info": "gauge"}
ENDS: Final = {"counter": "_total", "info": "_info"}


def text(registry: CollectorRegistry) -> bytes:
    """All metrics of the registry, in Prometheus' text format 0.0.4."""
    written = list[str]()
    for metric in registry.collect():
        name = metric.name + ENDS.get(metric.type, "")
        written.append(f"# HELP {name} {_line(metric.documentation)}\n")
        written.append(f"# TYPE {name} {TYPES.get(metric.type, metric.type)}\n")
        for sample in metric.samples:
            series = _series(sample.name, tuple(sample.labels.items()))
            value: str = floatToGoString(sample.value)  # type: ignore[no-untyped-call]
            written.append(f"{series} {value}\n")
    return "".join(written).encode()


@lru_cache(maxsize=20_000)
def _series(name: str, labels: tuple[tuple[str, str], ...]) -> str:
    """A series' name with its labels; as often as not it is the same as in the scrape before."""
    if not labels:
        return name
    pairs = ",".join(f'{label}="{_quoted(value)}"' for label, value in sorted(labels))
    return f"{name}{{{pairs}}}"


def _line(what: str) -> str:
    return what.replace("\\", r"\\").replace("\n", r"\n")


def _quoted(value: str) -> str:
    return _line(value).replace('"', r"\"")
