"""What the doctor finds, and what it says to do."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from actors.console import asking, doctor
from actors.console.doctor import Check, World, examine
from actors.settings.reading import BadSettings, Settings
from messages.claude import Asking
from messages.errors import TroupeError
from storage.home import Home, HomeTaken
from tests.desks import StagedDesk

WORLD = World(
    Settings, lambda: "sdk 1 with program 2", lambda asking: "a test", "http://127.0.0.1:9", lambda _: "/bin/x"
)
NAMES = [
    "Python", "home", "lock", "disk", "database", "books", "settings", "calendar", "price", "launcher", "program",
    "login", "consent", "breaker",
]  # fmt: skip


@pytest.fixture
def ran(desk: StagedDesk) -> StagedDesk:
    """A desk on which somebody has agreed that Claude is asked."""
    asking.agree(desk.access)
    return desk


def check(home: Home, name: str, world: World = WORLD) -> Check:
    """One of its checks."""
    (found,) = [each for each in examine(home, world).checks if each.name == name]
    return found


def roomy(free: int) -> World:
    def left(_: str) -> int:
        return free

    return replace(WORLD, free=left)


def nobody(_: Asking) -> None:
    """Is signed in."""


def raising(error: Exception) -> Callable[[Asking], str | None]:
    def login(_: Asking) -> str | None:
        raise error

    return login


def test_where_all_is_well_every_check_says_so_in_a_fixed_order(ran: StagedDesk, home: Home) -> None:
    examined = examine(home, roomy(2 << 30))

    assert [each.name for each in examined.checks] == NAMES
    assert [each for each in examined.checks if each.verdict != "ok"] == []
    assert [each.todo for each in examined.checks] == [""] * len(NAMES)
    assert examined.verdict == "ok"


def test_a_home_that_does_not_exist_is_a_warning_and_is_not_made(tmp_path: Path) -> None:
    home = Home(tmp_path / "none" / "desk")

    examined = examine(home, WORLD)

    assert examined.verdict == "warning"
    assert [each.name for each in examined.checks if each.verdict != "ok"] == ["home", "database", "books", "consent"]
    assert not home.path.parent.exists()


def test_a_home_into_which_others_can_look_is_named_with_what_to_do(ran: StagedDesk, home: Home) -> None:
    home.path.chmod(0o750)

    found = check(home, "home")

    assert (found.verdict, found.todo) == ("warning", f"`chmod 700 {home.path}`")
    assert "mode 750" in found.found


def test_a_home_that_is_a_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "desk").touch()

    assert check(Home(tmp_path / "desk"), "home").verdict == "error"


def test_who_holds_the_lock_is_told_and_the_lock_is_left_alone(ran: StagedDesk, home: Home) -> None:
    assert check(home, "lock").found == f"held by process {os.getpid()}, which runs this desk"
    with pytest.raises(HomeTaken):
        Home(home.path).take()
    home.release()

    assert check(home, "lock").found == "free: no desk runs here"
    home.take()


@pytest.mark.parametrize(("free", "verdict"), [(1 << 30, "ok"), ((1 << 30) - 1, "warning"), ((100 << 20) - 1, "error")])
def test_a_disk_that_is_nearly_full_is_said_in_time(home: Home, free: int, verdict: str) -> None:
    assert check(home, "disk", roomy(free)).verdict == verdict


def test_a_damaged_database_is_an_error_and_the_other_checks_are_made(ran: StagedDesk, home: Home) -> None:
    ran.stop()
    with home.database.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 4096 * 20)

    examined = examine(home, WORLD)

    assert examined.verdict == "error"
    assert [each.name for each in examined.checks] == NAMES
    (found,) = [each for each in examined.checks if each.name == "database"]
    assert "damaged" in found.found
    assert found.todo == "put a backup in its place or start in a new home"


def test_a_file_that_is_no_database_is_an_error(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.database.write_text("no database" * 100)

    assert check(home, "database").verdict == "error"


def test_a_database_of_a_later_release_is_an_error(ran: StagedDesk, home: Home) -> None:
    with closing(sqlite3.connect(home.database)) as connection:
        connection.execute("PRAGMA user_version = 99")
    home.note(opened=False)  # the desk is not killed but forgotten, and its log goes with its last connection

    found = check(home, "database")

    assert (found.verdict, found.todo) == ("error", "run the newer release")


def test_settings_that_are_wrong_are_said_in_their_own_words(home: Home) -> None:
    def settings() -> Settings:
        raise BadSettings("desk.toml: [claude] model = 1: input should be a valid string")

    found = check(home, "settings", replace(WORLD, settings=settings))

    assert found == Check("settings", "error", "desk.toml: [claude] model = 1: input should be a valid string")


def test_settings_that_do_not_fit_the_home_are_an_error(ran: StagedDesk, home: Home) -> None:
    found = check(home, "settings", replace(WORLD, settings=lambda: Settings(currency="EUR")))

    assert (found.verdict, found.found) == ("error", "currency is EUR, but this home was begun with USD")


def test_a_model_without_a_price_is_an_error(home: Home) -> None:
    settings = Settings(claude=Asking(model="claude-of-tomorrow"))

    found = check(home, "price", replace(WORLD, settings=lambda: settings))

    assert found.verdict == "error"
    assert found.found == "model claude-of-tomorrow: its price is not known, so it is not asked"
    assert found.todo.startswith("set [claude] model in desk.toml to one of ")


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        ("/usr/bin/notify-send", ("ok", "notify-send is run with what you should know")),
        (None, ("error", "notify-send is no program here, so nobody is told")),
    ],
)
def test_it_says_whether_what_is_to_tell_a_person_is_there(
    home: Home, there: str | None, expected: tuple[str, str]
) -> None:
    def which(_: str) -> str | None:
        return there

    settings = Settings(notify=("notify-send", "Troupe"))
    found = check(home, "notice", replace(WORLD, settings=lambda: settings, which=which))

    assert (found.verdict, found.found) == expected


@pytest.mark.parametrize("lacking", ["setsid", "setpriv"])
def test_without_a_launcher_it_says_what_is_different(home: Home, lacking: str) -> None:
    def which(name: str) -> str | None:
        return None if name == lacking else name

    found = check(home, "launcher", replace(WORLD, which=which))

    assert found.verdict == "warning"
    assert found.found.startswith(f"no {lacking}: ")


def test_nobody_signed_in_is_a_warning_and_an_error_once_somebody_has_agreed(desk: StagedDesk, home: Home) -> None:
    world = replace(WORLD, login=nobody)
    before = check(home, "login", world)
    asking.agree(desk.access)
    after = check(home, "login", world)

    assert (before.verdict, after.verdict) == ("warning", "error")
    assert after.todo == "sign in with `claude`, or set ANTHROPIC_API_KEY; until then the rules answer"
    assert examine(home, world).verdict == "error"


def test_a_program_that_does_not_start_is_an_error_with_its_reason(home: Home) -> None:
    world = replace(WORLD, login=raising(TroupeError("the file is not there")))

    assert check(home, "program", world).found == "the Claude program does not start: the file is not there"
    assert check(home, "program", world).verdict == "error"
    assert check(home, "login", world).verdict == "warning"


def test_the_login_is_looked_at_with_the_settings_of_the_home(home: Home) -> None:
    asked = list[Asking]()
    chosen = Asking(model="claude-opus-5-5")

    def login(asking: Asking) -> str:
        asked.append(asking)
        return "a test"

    found = check(home, "login", replace(WORLD, settings=lambda: Settings(claude=chosen), login=login))

    assert asked == [chosen]
    assert found.found.startswith("by a test; questions go to http://127.0.0.1:9; ")


def test_a_consent_that_the_settings_have_outgrown_is_a_warning(ran: StagedDesk, home: Home) -> None:
    dearer = Settings(claude=Asking(max_usd_per_round=Decimal(2)))

    found = check(home, "consent", replace(WORLD, settings=lambda: dearer))

    assert found == Check(
        "consent", "warning",
        "given for claude-sonnet-5 for up to 1.00 $, the settings now say claude-sonnet-5 for up to 2.00 $ a round",
        doctor.AGREE,
    )  # fmt: skip


def test_every_check_is_one_line(tmp_path: Path) -> None:
    for each in examine(Home(tmp_path), replace(WORLD, login=raising(TroupeError("x")))).checks:
        assert (each.found + each.todo).isprintable()
        assert each.verdict == "ok" or each.todo or each.name == "login"


def test_books_that_are_off_are_an_error_and_the_audit_names_the_row(ran: StagedDesk, home: Home) -> None:
    ran.import_text("symbol,quantity,cost\nAAPL,1,100\n")
    assert check(home, "books").found.startswith("entries sum to zero and to holdings and cash; link ")
    ran.stop()
    with closing(sqlite3.connect(home.database)) as connection:
        connection.executescript(
            "DROP TRIGGER ledger_entries_stay; UPDATE ledger_entries SET acquired = 'x' WHERE id = 1"
        )
    home.note(opened=False)

    found = check(home, "books")
    (whole,) = [each for each in examine(home, WORLD, whole=True).checks if each.name == "books"]

    assert found.verdict == "error", "the end of the chain is looked at by each start"
    assert (whole.verdict, whole.todo) == ("error", "trade no more; `run.py restore` a backup")
    assert whole.found.startswith("ledger_transactions 1: it, one of its entries or link 3 of the chain")
