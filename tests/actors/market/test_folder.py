"""The csv source: a person's folder."""

import os
from pathlib import Path

import pytest

from actors.kernel.testing import Probe, TestSystem
from actors.market.folder import FolderSource
from messages.addresses import Ref, Refused
from messages.market import Fetch, Fetched, Resolve, Resolved, SourceMessage
from messages.values import Symbol
from tests.desks import prices, walk

AAPL = Symbol("AAPL")


class Source:
    """A folder source in a system of its own."""

    def __init__(self, folder: Path) -> None:
        self.system, self.ref = TestSystem(), Ref[SourceMessage]("source")
        self.system.add(self.ref, lambda me: FolderSource(folder))
        self.system.start()

    def resolve(self, *names: str) -> Resolved | Refused:
        probe = Probe[Resolved | Refused]()
        self.ref.tell(Resolve(names, probe))
        self.system.settle()
        return probe.received[0]

    def fetch(self, symbol: Symbol = AAPL) -> Fetched | Refused:
        probe = Probe[Fetched | Refused]()
        self.ref.tell(Fetch(symbol, probe))
        self.system.settle()
        return probe.received[0]

    def complaint(self) -> str:
        answer = self.fetch()
        assert isinstance(answer, Refused), answer
        assert self.system.recorder.crashes == []
        assert (answer.code, "\n" in answer.sentence) == ("invalid", False)
        return answer.sentence


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(tmp_path)


def test_names_are_resolved_whatever_their_case_and_that_of_the_file(source: Source, tmp_path: Path) -> None:
    for name in ("AAPL", "ibm", "brk.b"):
        prices(tmp_path, name, *walk(1))
    (tmp_path / "notes.txt").touch()

    found = source.resolve("aapl", "IBM", "Brk.B", "notes", "GOOG", "", "../AAPL")

    assert isinstance(found, Resolved)
    assert found.known == (("aapl", AAPL), ("IBM", Symbol("IBM")), ("Brk.B", Symbol("BRK.B")))
    assert found.unknown == ("notes", "GOOG", "", "../AAPL")


def test_bars_are_fetched_with_the_place_of_their_first_line(source: Source, tmp_path: Path) -> None:
    path = prices(tmp_path, "aapl", *walk(3))

    fetched = source.fetch()

    assert isinstance(fetched, Fetched)
    assert (fetched.symbol, fetched.place, fetched.first_line, len(fetched.bars)) == (AAPL, str(path), 2, 3)


def test_a_file_is_read_anew_each_time(source: Source, tmp_path: Path) -> None:
    lengths = list[int]()
    for count in (3, 5):
        prices(tmp_path, "AAPL", *walk(count))
        fetched = source.fetch()
        assert isinstance(fetched, Fetched)
        lengths.append(len(fetched.bars))

    assert lengths == [3, 5]


def test_a_byte_order_mark_and_windows_line_ends_are_fine(source: Source, tmp_path: Path) -> None:
    text = "\r\n".join(["\ufeffdate,open,high,low,close,volume", *walk(2)])
    (tmp_path / "AAPL.CSV").write_bytes(text.encode())

    assert isinstance(source.fetch(), Fetched)


def test_splits_and_dividends_stand_in_a_file_of_their_own(source: Source, tmp_path: Path) -> None:
    for symbol in ("AAPL", "ibm"):
        prices(tmp_path, symbol, *walk(3))
    before = source.fetch()
    (tmp_path / "actions.csv").write_text("symbol,session,kind,value\nIBM,2013-01-02,dividend,1\n")

    fetched, other = source.fetch(), source.fetch(Symbol("IBM"))

    assert isinstance(before, Fetched)
    assert isinstance(fetched, Fetched)
    assert isinstance(other, Fetched)
    assert (before.actions, fetched.actions) == ((), ())
    assert [each.place for each in other.actions] == [f"{tmp_path / 'actions.csv'} line 2"]
    found = source.resolve("actions")
    assert isinstance(found, Resolved)
    assert found.unknown == ("actions",)


def test_a_bad_file_of_splits_and_dividends_is_refused_with_the_prices(source: Source, tmp_path: Path) -> None:
    prices(tmp_path, "AAPL", *walk(3))
    file = tmp_path / "actions.csv"
    file.write_text("symbol,session,kind,value\nAAPL,2013-01-02,split,0:1\n")
    amount = source.complaint()
    file.unlink()
    file.mkdir()

    assert amount.startswith(f"{file} line 2: a side of a split is '0'; ")
    assert source.complaint() == f"{file}: is not a file"


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    source = Source(tmp_path / "none")
    where, mend = f"folder {tmp_path / 'none'}: cannot be read", "set folder under [market] in desk.toml"
    sentence = f"{where} (No such file or directory); {mend}"

    assert source.complaint() == sentence
    assert source.resolve("AAPL") == Refused("probe", "invalid", sentence)


def test_a_symbol_without_a_file_is_named(source: Source, tmp_path: Path) -> None:
    assert source.complaint() == f"folder {tmp_path}: has no AAPL.csv; put it there"


def test_what_cannot_be_read_is_named(source: Source, tmp_path: Path) -> None:
    path = tmp_path / "AAPL.csv"
    path.write_bytes(b"date,open,high,low,close,volume\n\xff\xfe")
    no_text = source.complaint()
    path.unlink()
    path.mkdir()
    directory = source.complaint()

    assert no_text == f"{path}: is not UTF-8 text (invalid start byte at byte 32)"
    assert directory == f"{path}: is not a file"


def test_a_pipe_is_refused(source: Source, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "AAPL.csv")

    assert source.complaint() == f"{tmp_path / 'AAPL.csv'}: is not a file"


def test_a_file_whose_name_no_symbol_has_is_not_of_a_symbol(source: Source, tmp_path: Path) -> None:
    others = ["AAPL (1)", "AAPL~", "\u00c4", "a b", "x" * 21, "A\nB"]
    for name in ("AAPL", "^GSPC", "BRK-B", "EURUSD=X", "A_B", "x" * 20, *others):
        prices(tmp_path, name, *walk(1))

    found = source.resolve("aapl", "^gspc", "brk-b", "eurusd=x", "a_b", "X" * 20, *others)

    assert isinstance(found, Resolved)
    assert [symbol for _, symbol in found.known] == ["AAPL", "^GSPC", "BRK-B", "EURUSD=X", "A_B", "X" * 20]
    assert list(found.unknown) == others


@pytest.mark.parametrize("other", ["aapl.csv", "AAPL.CSV"])
def test_two_files_of_one_symbol_are_refused_and_both_named(source: Source, tmp_path: Path, other: str) -> None:
    prices(tmp_path, "AAPL", *walk(1))
    (tmp_path / other).touch()
    first, second = sorted(["AAPL.csv", other])
    sentence = f"folder {tmp_path}: has both {first} and {second}; keep one of them"

    assert source.complaint() == sentence
    assert source.resolve("AAPL") == Refused("probe", "invalid", sentence)


@pytest.mark.parametrize(
    "content", ["x" * 200_000, 'date,open,high,low,close,volume\n"' + "1,\n" * 100_000, "\0\n\0", ""], ids=range(4)
)
def test_rubbish_is_refused_and_crashes_nobody(source: Source, tmp_path: Path, content: str) -> None:
    (tmp_path / "AAPL.csv").write_text(content)

    assert source.complaint().startswith(f"{tmp_path / 'AAPL.csv'} line ")


def test_a_file_of_ten_megabytes_is_not_read(source: Source, tmp_path: Path) -> None:
    path = tmp_path / "AAPL.csv"
    path.write_bytes(b"x" * 10_000_000)

    assert source.complaint() == f"{path}: has 10.0 MB; prices of one symbol may have 5"
