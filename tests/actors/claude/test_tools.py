"""The tools of a free question: what they say of a desk, what they refuse, and that they can only read."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final

import pytest

from actors.claude.tools import TOOLS, call
from actors.domain.profiles import TOOLS as NAMES
from messages.claude import Profile
from storage.connections import DatabaseUnusable, Reader
from storage.home import Home
from tests.actors.claude.driving import PROSE, Staff, staffed
from tests.desks import StagedDesk
from tests.stub.behaviours import Calls

HOLDINGS: Final = "symbol,quantity,cost\nAAPL,10,100\nFB,1.5,1\nCASH:USD,500.25,1\n"
WRONG: Final[list[tuple[str, dict[str, Any]]]] = [
    ("positions", {"symbol": "AAPL"}),
    ("bars", {}),
    ("bars", {"symbol": 7}),
    ("bars", {"symbol": ""}),
    ("bars", {"symbol": "A" * 21}),
    ("bars", {"symbol": "AAPL", "sessions": 0}),
    ("bars", {"symbol": "AAPL", "sessions": 251}),
    ("bars", {"symbol": "AAPL", "sessions": "many"}),
    ("bars", {"symbol": "AAPL", "since": "2013-01-01"}),
    ("facts", {"symbol": None}),
    ("recommendations", {"limit": 51}),
    ("recommendations", {"limit": -1}),
    ("tasks", {"limit": 1.5}),
    ("tasks", {"limit": True}),
    ("cost", {"since": 0}),
]


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """The database of a desk that has run a round by Claude."""
    home = Home(tmp_path_factory.mktemp("tools") / "desk")
    home.take()
    desk = StagedDesk(home).start()
    desk.import_text(HOLDINGS)
    desk.once(claude="on")
    yield desk.read
    desk.stop()
    home.release()


def said(read: Reader, name: str, **arguments: Any) -> Any:
    """What a tool says to arguments that it takes."""
    text, refused = call(name, read, arguments)
    assert not refused, text
    return json.loads(text)


def test_there_are_the_tools_that_the_profile_names_and_no_others() -> None:
    assert tuple(TOOLS) == NAMES
    assert all(tool.description for tool in TOOLS.values())


def test_positions_are_what_is_held_and_the_cash_exact(read: Reader) -> None:
    found = said(read, "positions")

    assert [(each["symbol"], each["quantity"]) for each in found["held"]] == [("AAPL", "10"), ("FB", "1.5")]
    assert found["cash"] == "500.25"


def test_bars_are_the_last_sessions_as_traded_oldest_first(read: Reader) -> None:
    (last,) = said(read, "bars", symbol="AAPL", sessions=1)
    year = said(read, "bars", symbol="AAPL", sessions=250)

    assert list(last) == ["session", "open", "high", "low", "close", "volume"]
    assert (last["session"], last["close"]) == ("2013-03-01", 430.47)
    assert len(said(read, "bars", symbol="AAPL")) == 21
    assert len(year) == 250
    assert year[-1] == last
    assert [each["session"] for each in year] == sorted(each["session"] for each in year)


def test_of_a_young_symbol_there_are_as_many_bars_as_there_are(read: Reader) -> None:
    assert len(said(read, "bars", symbol="FB", sessions=250)) == 196


def test_facts_are_the_newest_sheet(read: Reader) -> None:
    sheet = said(read, "facts", symbol="FB")

    assert (sheet["symbol"], sheet["as_of"]) == ("FB", "2013-03-01")
    assert set(sheet["facts"][0]) == {"id", "name", "value", "unit", "as_of", "source"}
    assert sheet["missing"][0] == {"name": "sma_200", "needs": 200, "has": 196}


@pytest.mark.parametrize("name", ["bars", "facts"])
@pytest.mark.parametrize("symbol", ["XYZ", "aapl", "'; DROP TABLE bars", "../../etc", "\0"])
def test_of_a_symbol_that_is_not_there_it_is_said_that_there_is_nothing(read: Reader, name: str, symbol: str) -> None:
    found = said(read, name, symbol=symbol)

    assert isinstance(found, str)
    assert "there " in found


def test_recommendations_are_newest_first_and_as_many_as_were_asked_for(read: Reader) -> None:
    found = said(read, "recommendations")

    assert {each["symbol"] for each in found} == {"AAPL", "FB"}
    assert {each["analyst"] for each in found} == {"claude"}
    assert said(read, "recommendations", limit=1) == found[:1]
    assert set(found[0]) == {
        "id", "symbol", "as_of", "analyst", "action", "conviction", "horizon_days", "target", "stop", "thesis", "cause",
    }  # fmt: skip


def test_tasks_are_newest_first_and_as_many_as_were_asked_for(read: Reader) -> None:
    found = said(read, "tasks", limit=50)

    assert [each["id"] for each in found] == sorted((each["id"] for each in found), reverse=True)
    assert {each["state"] for each in found} == {"done"}
    assert said(read, "tasks", limit=2) == found[:2]
    assert len(said(read, "tasks")) == min(10, len(found))


def test_cost_is_what_claude_has_cost_by_purpose_model_and_symbol(read: Reader) -> None:
    (found,) = said(read, "cost").values()

    assert [(each["name"], each["cost"], each["count"]) for each in found["by_purpose"]] == [
        ("recommendation", "0.02", 2)
    ]
    assert {each["name"] for each in found["by_symbol"]} == {"AAPL", "FB"}


@pytest.mark.parametrize("name", TOOLS)
def test_a_tool_says_something_of_a_desk_where_nothing_has_happened(name: str, home: Home) -> None:
    desk = StagedDesk(home).start()

    text, refused = call(name, desk.read, {"symbol": "AAPL"} if name in {"bars", "facts"} else {})
    desk.stop()

    assert (json.loads(text), refused) != ("", True)


@pytest.mark.parametrize(("name", "arguments"), WRONG, ids=[f"{name} {value}" for name, value in WRONG])
def test_wrong_arguments_are_refused_with_a_sentence_that_names_the_right_ones(
    read: Reader, name: str, arguments: dict[str, Any]
) -> None:
    text, refused = call(name, read, arguments)

    assert refused
    assert text.startswith(f"{name}: ")
    assert all(field in text for field in TOOLS[name].takes.__struct_fields__)


def test_a_tool_cannot_write_whatever_it_would_try(read: Reader) -> None:
    for sql in (
        "INSERT INTO claude_consents (model, usd_per_round, at) VALUES ('x', 1, 1)",
        "UPDATE tasks SET state = 'queued'",
        "DELETE FROM decisions",
        "DROP TABLE bars",
        "CREATE TABLE mine (a)",
        "PRAGMA user_version = 9",
    ):
        with pytest.raises(DatabaseUnusable, match="readonly"):
            read.rows(tuple[int], sql)


def test_no_tool_changes_the_database(read: Reader) -> None:
    before = read.path.read_bytes(), read.path.with_name("desk.sqlite3-wal").read_bytes()

    for name in TOOLS:
        call(name, read, {"symbol": "AAPL"} if name in {"bars", "facts"} else {})

    assert (read.path.read_bytes(), read.path.with_name("desk.sqlite3-wal").read_bytes()) == before


# Called by the real program


@pytest.fixture(scope="module")
def staff(read: Reader) -> Iterator[Staff]:
    with staffed(read) as made:
        yield made


Called = Callable[[str, dict[str, Any]], tuple[str, bool]]


@pytest.fixture
def called(staff: Staff) -> Called:
    """Has Claude call a tool; what came back to it, and whether as an error."""

    def through_the_program(tool: str, arguments: dict[str, Any]) -> tuple[str, bool]:
        profile: Profile = replace(PROSE, tools=NAMES)
        driven = staff.cleared(profile)
        staff.stub.requests.clear()
        staff.stub.default = Calls(tool, arguments, then="Done.")
        assert driven.said("Look it up.").text == "Done."
        _, last = staff.stub.requests
        (result,) = [
            block for block in last.body["messages"][-1]["content"] if block.get("type") == "tool_result"
        ]  # fmt: skip
        content = result["content"]
        text = content if isinstance(content, str) else "".join(part["text"] for part in content)
        return text.partition("\n<system-reminder>")[0], bool(result.get("is_error"))

    return through_the_program


@pytest.mark.parametrize("name", TOOLS)
def test_claude_calls_a_tool_and_has_what_it_says(read: Reader, called: Called, name: str) -> None:
    arguments = {"symbol": "AAPL"} if name in {"bars", "facts"} else {}

    text, refused = called(f"mcp__desk__{name}", arguments)

    assert not refused
    assert json.loads(text) == json.loads(call(name, read, arguments)[0])


@pytest.mark.parametrize(
    ("name", "arguments"), [("bars", {"symbol": "AAPL", "sessions": "many"}), ("tasks", {"limit": 999}), ("facts", {})]
)
def test_claude_is_told_which_arguments_were_wrong(called: Called, name: str, arguments: dict[str, Any]) -> None:
    text, refused = called(f"mcp__desk__{name}", arguments)

    assert refused
    assert next(iter(set(arguments) - {"symbol"} or {"symbol"})) in text or "999" in text or "many" in text


@pytest.mark.parametrize(
    "tool", ["Bash", "Write", "Read", "WebFetch", "mcp__desk__buy", "mcp__other__positions", "positions", "Agent"]
)
def test_claude_has_no_other_tools_than_the_desks(staff: Staff, called: Called, tool: str) -> None:
    text, refused = called(tool, {"command": "touch /tmp/troupe-was-here", "file_path": "/etc/passwd"})

    assert refused
    assert "root:" not in text
    offered = [each["name"] for each in staff.stub.requests[0].body["tools"]]
    assert sorted(offered) == sorted(f"mcp__desk__{name}" for name in NAMES)


def test_claude_sees_what_each_tool_takes_and_that_it_takes_nothing_else(staff: Staff, called: Called) -> None:
    called("mcp__desk__cost", {})

    offered = {each["name"]: each["input_schema"] for each in staff.stub.requests[0].body["tools"]}
    bars, cost = offered["mcp__desk__bars"], offered["mcp__desk__cost"]
    assert (bars["required"], bars["properties"]["sessions"]["maximum"]) == (["symbol"], 250)
    assert cost["properties"] == {}
    assert {schema["additionalProperties"] for schema in offered.values()} == {False}


def test_a_tool_that_fails_is_an_error_to_claude_and_ends_nothing(
    staff: Staff, called: Called, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(read: Reader, of: object) -> object:
        raise LookupError("a bug")

    monkeypatch.setitem(TOOLS, "cost", replace(TOOLS["cost"], look=fail))

    text, refused = called("mcp__desk__cost", {})

    assert refused
    assert "a bug" in text
