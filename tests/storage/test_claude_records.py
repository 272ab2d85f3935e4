"""The breaker's history, what a person has agreed to, and system prompts by their hash."""

import hashlib
from decimal import Decimal

from storage import breaker, consents, metrics, prompts
from storage.breaker import BreakerRow
from storage.connections import Reader
from storage.consents import ConsentRow
from storage.writing import StatementFailed, WriteConnection


def test_the_newest_state_is_the_one_the_breaker_is_in(connection: WriteConnection, read: Reader) -> None:
    assert breaker.latest(read) is None

    connection.commit([[breaker.insert("open", 3, "server", "Claude answers with errors", 50, 20)]])
    connection.commit([[breaker.insert("half_open", 3, "server", "one question is tried", 50, 10)]])

    assert breaker.latest(read) == BreakerRow("half_open", 3, "server", "one question is tried", 50, 10)


def test_only_changes_of_its_state_are_transitions(connection: WriteConnection, read: Reader) -> None:
    assert metrics.entered(read) == {"closed": 0, "open": 0, "half_open": 0}
    states: list[breaker.State] = ["closed", "closed", "open", "open", "half_open", "open", "half_open", "closed"]

    connection.commit([[breaker.insert(state, 1, "", "", 0, at)] for at, state in enumerate(states)])

    assert metrics.entered(read) == {"closed": 1, "open": 2, "half_open": 2}


def test_the_last_consent_is_what_holds(connection: WriteConnection, read: Reader) -> None:
    assert consents.latest(read) is None

    connection.commit([[consents.insert("claude-sonnet-5-5", Decimal("1.00"), 7)]])
    connection.commit([[consents.insert("claude-opus-5-5", Decimal("0.000000001"), 6)]])

    assert consents.latest(read) == ConsentRow("claude-opus-5-5", Decimal("0.000000001"), 6)


def test_a_prompt_is_kept_once_and_found_by_its_hash(connection: WriteConnection, read: Reader) -> None:
    hash_, statement = prompts.keep("Du bist ein Analyst. ✓")

    results = connection.commit([[statement], [statement], [prompts.keep("another")[1]]])

    assert not any(isinstance(result, StatementFailed) for result in results)
    assert hash_ == hashlib.sha256("Du bist ein Analyst. ✓".encode()).hexdigest()
    assert prompts.load(read, hash_) == "Du bist ein Analyst. ✓"
    assert prompts.load(read, "0" * 64) is None
