"""Bad input: one clear line, exit code 1, nothing lost and nothing half-written."""

import hashlib
import json
import os
import socket
import sys
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from tests.end_to_end.places import RUN, Ended, Place, Program, sample_lines, until

HOLDING = Path(__file__).with_name("holding.py")
HEADER = "symbol,quantity,cost\n"
BIG = 10_000_000
Rows = list[list[str]]


def assert_refused(ended: Ended, *words: str) -> None:
    """One line that begins like this and has these words, and nothing on standard output but the notice."""
    assert ended.code == 1, ended
    (line,) = ended.lines
    assert line.startswith("error: ")
    assert "Traceback" not in ended.out
    for word in words:
        assert word in line, line


@pytest.fixture
def unchanged(sample: Place) -> Iterator[Place]:
    """A sample desk in whose database nothing may change meanwhile."""
    before = sample.tables("trading_days")
    yield sample
    assert sample.tables("trading_days") == before


# desk.toml and the environment


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[market]\nsauce = 'csv'\n", ("desk.toml", "[market] sauce", "is not a setting", "source")),
        ("[kitchen]\nsauce = 1\n", ("desk.toml", "[kitchen]", "is not a setting", "[market]")),
        ("[workers]\nthreads = 0\n", ("desk.toml", "[workers] threads = 0", "greater than or equal to 1")),
        ("[workers]\nthreads = 2.5\n", ("desk.toml", "[workers] threads = 2.5", "integer")),
        ("[market\n", ("desk.toml", "is not TOML")),
        ("#" * BIG, ("desk.toml", "10.0 MB", "0.1")),
        ("[desk]\ncurrency = 'EUR'\n", ("currency = USD", "EUR")),
        ("[research]\nwatch = ['NOPE']\n", ("[research] watch", "NOPE")),
    ],
    ids=["key", "section", "range", "type", "toml", "10 MB", "currency", "watched"],
)
def test_settings_that_are_wrong(unchanged: Place, text: str, words: tuple[str, ...]) -> None:
    unchanged.settings(text)

    assert_refused(unchanged.run("once", "--json"), *words)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("TROUPE_WORKERS__THREADS", "0", ("TROUPE_WORKERS__THREADS", "greater than or equal to 1")),
        ("TROUPE_WORKERS__HANDS", "2", ("TROUPE_WORKERS__HANDS", "threads")),
        ("TROUPE_WORKERS__THREADS__X", "2", ("TROUPE_WORKERS__THREADS__X", "is not a setting")),
        ("TROUPE_DESK__CURRENCY", "EUR", ("currency = USD", "the settings now say EUR")),
        ("TROUPE_KITCHEN", "2", ("TROUPE_KITCHEN", "TROUPE_WORKERS__")),
        ("TROUPE_RESEARCH__WATCH", "AAPL", ("TROUPE_RESEARCH__WATCH", "JSON")),
    ],
)
def test_variables_that_are_wrong(unchanged: Place, name: str, value: str, words: tuple[str, ...]) -> None:
    unchanged.environment[name] = value

    assert_refused(unchanged.run("once", "--json"), *words)


def test_serve_refuses_settings_that_are_wrong_as_well(unchanged: Place) -> None:
    unchanged.settings("[workers]\nthreads = 65\n")

    assert_refused(unchanged.run("serve"), "desk.toml", "[workers] threads = 65")


# Holdings


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ticker,quantity,cost\nAAPL,1,2\n", ("line 1", "header", "symbol,quantity,cost")),
        (f"{HEADER}AAPL,-1,2\n", ("line 2", "quantity", "-1")),
        (f"{HEADER}MSFT,1,2\nAAPL,NaN,2\n", ("line 3", "quantity", "NaN")),
        (f"{HEADER}MSFT,1,2\nNOPE,1,2\n", ("line 3", "NOPE")),
        (f"{HEADER}AAPL,1,2\nMSFT,1,2\naapl,3,4\n", ("line 4", "AAPL", "line 2")),
        (f"{HEADER}AAPL,1,2\nCASH:EUR,1,1\n", ("line 3", "EUR", "USD")),
        (f"{HEADER}AAPL,9000000000,9000000000\n", ("line 2", "9000000000 times 9000000000")),
        (f'{HEADER}"AAPL{",1" * 200_000}\n', ("line 2", "quotation mark")),
        (HEADER + "1" * BIG, ("10.0 MB",)),
    ],
    ids=["header", "negative", "nan", "unknown", "duplicate", "currency", "too large", "quotation mark", "10 MB"],
)
def test_holdings_that_are_wrong(unchanged: Place, text: str, words: tuple[str, ...]) -> None:
    (unchanged.path / "mine.csv").write_text(text)

    assert_refused(unchanged.run("import", "mine.csv", "--json"), "mine.csv", *words)


def test_holdings_that_cannot_be_read(unchanged: Place) -> None:
    (unchanged.path / "binary.csv").write_bytes(b"\xff\xfe\x00" * 99)

    assert_refused(unchanged.run("import", "nothing.csv", "--json"), "nothing.csv", "No such file")
    assert_refused(unchanged.run("import", "binary.csv", "--json"), "binary.csv", "UTF-8")


# What is no file

SPECIAL = 5.0
"""Seconds within which a special file is refused; reading it would never end."""


def test_holdings_that_are_no_file_are_refused_at_once(unchanged: Place) -> None:
    os.mkfifo(unchanged.path / "pipe.csv")

    for name in ("/dev/zero", "pipe.csv", "/", "/dev/stdin"):
        assert_refused(unchanged.start("import", name).wait(SPECIAL), f"{name}: is not a file")


def test_settings_that_are_a_pipe_are_refused_at_once(unchanged: Place) -> None:
    os.mkfifo(unchanged.home / "desk.toml")

    for command in ("once", "serve"):
        assert_refused(unchanged.start(command).wait(SPECIAL), "desk.toml: is not a file")


def test_prices_that_are_a_pipe_are_refused_at_once(prices: Place) -> None:
    file = prices.home / "prices" / "AAPL.csv"
    file.unlink()
    os.mkfifo(file)

    assert_refused(prices.start("once", "--json").wait(SPECIAL), f"{file}: is not a file")


def test_two_files_of_one_symbol_are_refused_and_both_named(prices: Place) -> None:
    (prices.home / "prices" / "aapl.csv").touch()

    assert_refused(prices.run("once", "--json"), "has both AAPL.csv and aapl.csv; keep one of them")


# Lines and outputs


def test_a_file_name_with_a_line_break_and_an_escape_stays_one_line(unchanged: Place) -> None:
    (unchanged.path / "a\nb\x1b[31m.csv").write_text("rubbish")

    assert_refused(unchanged.run("import", "a\nb\x1b[31m.csv"), r"a\nb\x1b[31m.csv line 1")


def test_a_report_that_cannot_be_written_is_one_line_and_an_error(sample: Place) -> None:
    ended = sample.execute("sh", "-c", f"exec {sys.executable} {RUN} once --json > /dev/full").wait()

    assert_refused(ended, "standard output", "No space left on device")


# Prices


def spoilt(row: int, column: int, value: str) -> Callable[[Rows], None]:
    def spoil(rows: Rows) -> None:
        rows[row][column] = value

    return spoil


def swapped(rows: Rows) -> None:
    rows[100], rows[101] = rows[101], rows[100]


def with_a_gap(rows: Rows) -> None:
    day = [date.fromisoformat(row[0]) for row in rows]
    before, after = next((a, b) for a in range(100, 200) for b in range(a, 200) if day[b] - day[a] == timedelta(11))
    del rows[before + 1 : after]


def unclosed(rows: Rows) -> None:
    rows[100][0] = '"' + rows[100][0]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (spoilt(100, 4, "NaN"), ("line 102", "close is nan")),
        (spoilt(100, 2, "0"), ("line 102", "high is 0")),
        (swapped, ("line 103", "does not come after")),
        (with_a_gap, ("11 days after", "more than 10")),
        (unclosed, ("line 102", "quotation mark")),
        (spoilt(100, 4, "500.0"), ("line 102", "close 500.0 is not between low", "and high")),
    ],
    ids=["nan", "zero", "out of order", "gap", "quotation mark", "out of range"],
)
def test_prices_that_are_wrong(prices: Place, spoil: Callable[[Rows], None], words: tuple[str, ...]) -> None:
    before = prices.tables("tasks", "task_counts", "sqlite_sequence")
    rows = list(sample_lines("AAPL"))
    spoil(rows)
    write(prices, rows)

    ended = prices.run("once", "--json")

    assert_refused(ended, "AAPL.csv", *words)
    assert prices.tables("tasks", "task_counts", "sqlite_sequence") == before
    assert {state for (state,) in prices.rows("SELECT state FROM tasks")} == {"done", "dead"}


def test_a_held_symbol_whose_prices_have_ended_makes_no_round(prices: Place) -> None:
    rows = list(sample_lines("AAPL"))
    write(prices, rows[:300])
    write(prices, list(sample_lines("MSFT"))[:350], "MSFT")
    (prices.path / "mine.csv").write_text(f"{HEADER}AAPL,1,2\nMSFT,1,2\n")
    prices.run("import", "mine.csv")

    ended = prices.run("once", "--json")

    assert_refused(ended, f"AAPL: its last close is of {rows[299][0]}", f"days before {rows[349][0]}")


@pytest.mark.long
def test_prices_that_are_mended_are_taken(prices: Place) -> None:
    rows = list(sample_lines("AAPL"))
    write(prices, rows[:200])
    before = prices.once()
    write(prices, [*rows[:200], rows[200][:4]])
    prices.run("once")
    write(prices, rows[:201])

    after = prices.once()

    assert before["as_of"] == rows[199][0]
    assert after["as_of"] == rows[200][0]


@pytest.fixture
def prices(place: Place) -> Place:
    """A desk on a folder of prices, with a round behind it."""
    place.settings('[market]\nsource = "csv"\n[research]\nwatch = ["AAPL"]\n')
    (place.home / "prices").mkdir()
    write(place, list(sample_lines("AAPL"))[:300])
    place.once()
    return place


def write(place: Place, rows: Rows, symbol: str = "AAPL") -> None:
    lines = ["date,open,high,low,close,volume,adj_close", *(",".join(row) for row in rows)]
    (place.home / "prices" / f"{symbol}.csv").write_text("\n".join(lines) + "\n")


# The home and its database


@pytest.mark.parametrize("command", ["once", "status", "serve"])
def test_a_file_that_is_no_database_is_said_to_be_damaged_and_left_alone(place: Place, command: str) -> None:
    place.home.mkdir()
    garbage = bytes(range(256)) * 64
    (place.home / "desk.sqlite3").write_bytes(garbage)

    assert_refused(place.run(command), "desk.sqlite3", "damaged", "backup")
    assert (place.home / "desk.sqlite3").read_bytes() == garbage


@pytest.mark.parametrize("share", [0.2, 0.6])
def test_a_database_with_an_overwritten_page_is_said_to_be_damaged_and_left_alone(sample: Place, share: float) -> None:
    file = sample.home / "desk.sqlite3"
    content = bytearray(file.read_bytes())
    page = round(len(content) // 4096 * share) * 4096
    content[page : page + 4096] = b"\xa5" * 4096
    file.write_bytes(content)

    assert_refused(sample.run("once", "--json"), "desk.sqlite3", "damaged", "backup")
    assert file.read_bytes() == content


def test_a_database_of_something_else_is_left_alone(place: Place) -> None:
    place.home.mkdir()
    place.change("CREATE TABLE recipes (name TEXT)")
    before = place.tables()

    assert_refused(place.run("once", "--json"), "desk.sqlite3", "is not a desk's")
    assert place.tables() == before


def test_a_home_that_cannot_be_used(place: Place) -> None:
    (place.path / "file").write_text("mine")

    for home in ("file", "file/desk"):
        assert_refused(place.run("once", "--home", home), home, "cannot be used", "--home")
    assert (place.path / "file").read_text() == "mine"


def test_a_home_whose_name_is_too_long_is_one_line(place: Place) -> None:
    for command in ("status", "once"):
        assert_refused(place.run(command, "--home", "x" * 300), "x" * 300, "File name too long")


def test_a_log_that_is_a_directory_is_one_line(sample: Place) -> None:
    (sample.home / "desk.log").unlink()
    (sample.home / "desk.log").mkdir()

    for command in ("once", "serve"):
        assert_refused(sample.run(command), str(sample.home), "cannot be used (Is a directory)", "--home")


@pytest.mark.parametrize("command", ["tasks", "status", "why abcd"])
def test_reading_where_no_desk_is_says_so_and_makes_none(place: Place, command: str) -> None:
    assert_refused(place.run(*command.split()), str(place.home), "no desk has run here yet", "run.py once")
    assert not place.home.exists()


def test_an_id_that_there_is_not(unchanged: Place) -> None:
    assert_refused(unchanged.run("why", "0000000000", "--json"), "why 0000000000", "is not the id")


# A second process


@pytest.fixture
def holder(sample: Place) -> Program:
    """A process that writes in the home and does not serve."""
    program = sample.start(str(sample.home), script=HOLDING)
    until(lambda: program.out == "taken\n", "lock")
    return program


@pytest.mark.parametrize("left", [False, True], ids=["", "a socket left behind"])
def test_a_second_writing_process_is_told_the_first_ones_pid(unchanged: Place, holder: Program, *, left: bool) -> None:
    (unchanged.path / "mine.csv").write_text(f"{HEADER}AAPL,1,2\n")
    if left:
        leave_a_socket(unchanged.home / "control.sock")

    for command in ("once", "serve", "import mine.csv"):
        assert_refused(unchanged.run(*command.split()), str(unchanged.home), f"process {holder.pid} ")


def leave_a_socket(path: Path) -> None:
    """What a killed desk leaves: a name at which nobody listens."""
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(path))


@pytest.mark.parametrize("command", ["status", "tasks"])
def test_reading_goes_on_beside_a_process_that_writes(unchanged: Place, holder: Program, command: str) -> None:
    ended = unchanged.run(command, "--json")

    assert not holder.ended
    assert (ended.code, ended.lines) == (0, [])
    assert ended.json


# Tasks that cannot be decoded

COLUMNS = "key, queue, type, version, payload, priority, requires_claude, state, correlation_id, submitted_at"


def test_a_task_that_cannot_be_decoded_is_dead_and_shown_and_the_round_is_whole(sample: Place) -> None:
    sample.change(f"""INSERT INTO tasks ({COLUMNS}) VALUES
        ('odd', 'data', 'refresh_bars', 1, '{{"symbol": 5}}', 5, 0, 'queued', 'x', 1),
        ('strange', 'analysis', 'telepathy', 7, '{{}}', 5, 0, 'queued', 'x', 1)""")

    report = sample.once("--again")

    assert len(report["recommendations"]) == 5
    shown = sample.run("tasks", "--json", "--limit", "100").json["tasks"]
    assert {each["key"]: each["error"] for each in shown if each["state"] != "done"} == {
        "odd": "task type refresh_bars: its stored payload cannot be decoded "
        "(Expected `str`, got `int` - at `$.symbol`); `run.py once --again` makes a new round",
        "strange": "task type telepathy, version 7: is unknown to this release",
    }
    assert "telepathy" in sample.run("tasks", "--limit", "100").out


def test_a_round_with_a_task_that_cannot_be_decoded_fails_and_says_which(sample: Place) -> None:
    inputs, correlation_id = second_round(sample)
    odd = json.dumps({"symbol": "AAPL", "as_of": "yesterday"})
    sample.change(f"""INSERT INTO tasks ({COLUMNS}) VALUES
        ('facts/AAPL/{inputs}/2', 'analysis', 'facts', 1, '{odd}', 5, 0, 'blocked', '{correlation_id}', 1)""")

    ended = sample.run("once", "--again", "--json")

    assert_refused(ended, "facts", "is dead", "cannot be decoded", "run.py tasks")
    where = f"correlation_id = '{correlation_id}'"
    assert sample.rows(f"SELECT count(*) FROM decisions WHERE {where}") == [(4,)]
    assert dict(sample.rows(f"SELECT state, count(*) FROM tasks WHERE {where} GROUP BY state")) == {
        "done": 9,
        "dead": 2,
    }


def test_a_task_that_could_not_be_decoded_lives_again_in_the_next_round_with_a_payload_that_can(sample: Place) -> None:
    inputs, correlation_id = second_round(sample)
    sample.change(f"""INSERT INTO tasks ({COLUMNS}) VALUES
        ('facts/AAPL/{inputs}/2', 'analysis', 'facts', 1, '{{', 5, 0, 'queued', '{correlation_id}', 1)""")

    sample.once("--again")

    assert sample.rows(f"SELECT state, error FROM tasks WHERE key = 'facts/AAPL/{inputs}/2'") == [("done", None)]


def second_round(sample: Place) -> tuple[str, str]:
    """What the keys of the round's tasks have in common, and the correlation id of the one after it."""
    ((key,),) = sample.rows("SELECT key FROM tasks WHERE type = 'value_portfolio'")
    _, inputs, _ = key.split("/")
    return inputs, hashlib.sha256(f"value_portfolio/{inputs}/2".encode()).hexdigest()[:32]
