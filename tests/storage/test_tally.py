"""Counting by bucket where something happens, and who sees it."""

import threading

from storage import metrics, tally
from storage.connections import POOL, Operations, Reader
from storage.tally import Tally
from storage.writing import WriteConnection
from telemetry import instruments
from tests.storage.test_metrics import decision


def test_a_value_is_in_the_first_bucket_whose_bound_it_does_not_exceed() -> None:
    sizes = Tally((1, 2, 4))

    for value in (0, 1, 2, 3, 4, 5, 100):
        sizes.add(value)

    assert (sizes.counts, sizes.total) == ([2, 1, 2, 2], 115)


def test_the_buckets_are_those_of_the_table() -> None:
    assert tally.SECONDS == instruments.DATABASE
    assert tally.SIZES == instruments.SIZES
    assert metrics.BOUNDS == instruments.MODEL


def test_a_commit_counts_with_its_time_and_its_statements(connection: WriteConnection) -> None:
    operations: Operations = connection.operations
    before = sum(operations.commits.counts)

    connection.commit([(decision(1),)])
    connection.commit([(decision(2), decision(3)), (decision(4),)])

    assert sum(operations.commits.counts) == sum(operations.batches.counts) == before + 2
    assert operations.sizes.total == sum(operations.values())
    assert 0 < operations.commits.total <= operations.batches.total


def test_reads_are_counted_whatever_becomes_of_their_connections(connection: WriteConnection) -> None:
    read, together = Reader(connection.path), threading.Barrier(2 * POOL)

    def reads() -> None:
        together.wait(10)
        with read.snapshot() as at:
            at.rows(tuple[int], "SELECT 1")
            together.wait(10)
        read.rows(tuple[int], "SELECT 1")

    for _ in range(3):
        threads = [threading.Thread(target=reads) for _ in range(2 * POOL)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)

    assert sum(sum(each.counts) for each in read.took) == 2 * 3 * 2 * POOL
    assert len(read.took) <= 2 * POOL + 2
    read.close()
