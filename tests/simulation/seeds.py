"""Storms of many seeds, one after the other. `SEEDS=1 SEED=n` lives through one of them again."""

import os
import shutil
from collections import Counter
from collections.abc import Callable, Set
from pathlib import Path

import pykka

FIRST, SEEDS = int(os.environ.get("SEED", "0")), os.environ.get("SEEDS")


def hits_of(seeds: range, memory: Path, live: Callable[[int, Path], Counter[str]]) -> Counter[str]:
    """Live through these storms, each in a place of its own; what was hit in all of them together."""
    hits = Counter[str]()
    for seed in seeds:
        place = memory / f"seed {seed}"
        try:
            hits += live(seed, place)
        except BaseException:
            print(f"seed {seed}")
            raise
        assert not pykka.ActorRegistry.get_all()
        shutil.rmtree(place)
    for what, times in sorted(hits.items()):
        print(f"{times:7} {what}")
    return hits


def assert_hit(hits: Counter[str], wanted: Set[str]) -> None:
    """All of it, unless somebody has picked the seeds."""
    missed = sorted(wanted - hits.keys())
    assert SEEDS or not missed, f"a storm that does not hit proves nothing: {missed}"
