"""Python jobs for worker processes, in a module that brings nothing else along."""

from collections.abc import Sequence


def count(wanted: Sequence[int]) -> list[int]:
    """As much work as it says, about 0.05 µs each."""
    return [sum(number * number for number in range(much)) for much in wanted]
