"""A person's files: whole and as text, or refused by name."""

import os
import socket
from pathlib import Path

import pytest

from storage.files import Unreadable, read_text


def complaint(path: Path, largest: int = 100) -> str:
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(Unreadable) as refused:
        read_text(path, largest, "letters")
    assert len(os.listdir("/proc/self/fd")) == before
    return str(refused.value)


@pytest.mark.parametrize("content", [b"", "\u00e9\r\nb".encode(), b"x" * 100])
def test_a_file_is_read_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "letter"
    path.write_bytes(content)

    assert read_text(path, 100, "letters") == content.decode()


def test_a_byte_order_mark_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "letter"
    path.write_bytes(b"\xef\xbb\xbfDear")

    assert read_text(path, 100, "letters") == "Dear"


def test_a_link_to_a_file_is_that_file(tmp_path: Path) -> None:
    (tmp_path / "letter").write_text("Dear")
    (tmp_path / "link").symlink_to("letter")

    assert read_text(tmp_path / "link", 100, "letters") == "Dear"


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    assert complaint(tmp_path / "none") == f"{tmp_path / 'none'}: cannot be read (No such file or directory)"


@pytest.mark.parametrize("path", [Path("/dev/zero"), Path("/dev/null"), Path("/")])
def test_devices_and_directories_are_no_files(path: Path) -> None:
    assert complaint(path) == f"{path}: is not a file"


def test_a_pipe_that_nobody_writes_to_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")

    assert complaint(tmp_path / "pipe") == f"{tmp_path / 'pipe'}: is not a file"
    assert complaint(tmp_path / "link") == f"{tmp_path / 'link'}: is not a file"


def test_a_socket_cannot_be_read(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(tmp_path / "socket"))

    assert complaint(tmp_path / "socket").startswith(f"{tmp_path / 'socket'}: cannot be read (")


def test_a_file_with_a_byte_too_much_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "letter"
    path.write_bytes(b"x" * 1_500_001)

    assert complaint(path, 1_500_000) == f"{path}: has 1.5 MB; letters may have 1.5"


def test_of_a_file_that_says_it_is_empty_and_is_not_no_more_is_read_than_it_may_have() -> None:
    assert len(read_text(Path("/proc/self/status"), 10, "letters")) == 10


def test_what_is_not_text_is_named_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "letter"
    path.write_bytes(b"De\xffar")

    assert complaint(path) == f"{path}: is not UTF-8 text (invalid start byte at byte 2)"
