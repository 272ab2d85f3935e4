"""The breaker before Claude: what opens it, for how long, and who is let through."""

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from actors.domain.breaker import COUNTED, FOR_A_PERSON, SECOND, Admission, Breaker, admits, after, probing, recovered
from messages.claude import Cause

NOW = 1_362_096_000 * SECOND
IGNORED = set(Cause) - COUNTED - set(FOR_A_PERSON) - {Cause.RATE_LIMITED}


def failing(times: int, breaker: Breaker | None = None, cause: Cause = Cause.SERVER) -> Breaker:
    breaker = breaker or Breaker()
    for _ in range(times):
        breaker = after(breaker, cause, NOW, sentence="it failed")
    return breaker


def opened(seconds: int, failures: int, cause: str = "server", sentence: str = "it failed") -> Breaker:
    return Breaker("open", failures, cause, sentence, NOW + seconds * SECOND)


@pytest.mark.parametrize("cause", sorted(COUNTED))
def test_three_failures_in_a_row_open_it_for_half_a_minute(cause: Cause) -> None:
    assert failing(2, cause=cause).state == "closed"
    assert failing(3, cause=cause) == opened(30, 3, cause.value)


def test_an_answer_begins_the_count_anew() -> None:
    assert failing(2, after(failing(2), None, NOW)).state == "closed"


def test_it_lets_nobody_through_before_its_time_then_one_and_until_that_has_ended_no_other() -> None:
    breaker = failing(3)
    due = NOW + 30 * SECOND

    assert admits(Breaker(), NOW) == Admission("go")
    assert admits(breaker, due - 1) == Admission("refused", due)
    assert admits(breaker, due) == Admission("probe")
    assert admits(probing(breaker), due) == Admission("refused", due + 5 * SECOND)


def test_each_probe_that_fails_doubles_the_time_up_to_ten_minutes() -> None:
    breaker, seconds = failing(3), list[int]()
    for _ in range(7):
        breaker = failing(1, probing(breaker))
        seconds.append(((breaker.retry_at or 0) - NOW) // SECOND)

    assert seconds == [60, 120, 240, 480, 600, 600, 600]
    assert failing(2_000, probing(breaker)).retry_at == NOW + 600 * SECOND


def test_a_probe_that_is_answered_closes_it() -> None:
    assert after(probing(failing(5)), None, NOW) == Breaker()


@pytest.mark.parametrize(("retry_at", "until"), [(None, 60), (NOW + 7 * SECOND, 7)])
def test_a_rate_limit_is_a_gate_and_no_failure(retry_at: int | None, until: int) -> None:
    gated = after(failing(2), Cause.RATE_LIMITED, NOW, retry_at, "slow down")

    assert gated == opened(until, 2, "rate_limited", "slow down")


def test_of_two_gates_the_later_one_holds() -> None:
    gated = after(Breaker(), Cause.RATE_LIMITED, NOW, NOW + 90 * SECOND)

    assert after(gated, Cause.RATE_LIMITED, NOW, NOW + 10 * SECOND) == gated
    assert after(gated, Cause.RATE_LIMITED, NOW, NOW + 99 * SECOND).retry_at == NOW + 99 * SECOND


def test_a_failed_probe_after_a_gate_opens_it_as_three_failures_do() -> None:
    gated = after(Breaker(), Cause.RATE_LIMITED, NOW)

    assert failing(1, probing(gated)) == opened(30, 3)


@pytest.mark.parametrize("cause", sorted(FOR_A_PERSON))
def test_what_only_a_person_can_mend_opens_it_at_once_and_says_what_to_do(cause: Cause) -> None:
    breaker = after(Breaker(), cause, NOW, sentence="401 from the API")

    assert breaker == opened(600, 0, cause.value, f"{FOR_A_PERSON[cause]}; 401 from the API")
    assert failing(5, breaker) == breaker
    assert after(breaker, Cause.RATE_LIMITED, NOW, NOW + 9_999 * SECOND) == breaker


@pytest.mark.parametrize("cause", sorted(IGNORED))
@pytest.mark.parametrize("breaker", [Breaker(), failing(2), failing(3)])
def test_what_says_nothing_about_claude_changes_nothing(breaker: Breaker, cause: Cause) -> None:
    assert after(breaker, cause, NOW) == breaker


@pytest.mark.parametrize("cause", sorted(IGNORED))
def test_a_probe_that_says_nothing_about_claude_makes_room_for_another(cause: Cause) -> None:
    freed = after(probing(failing(3)), cause, NOW)

    assert admits(freed, NOW) == Admission("probe")
    assert failing(1, probing(freed)) == opened(60, 4)


@pytest.mark.parametrize("cause", sorted(Cause))
def test_while_a_probe_is_under_way_an_older_question_that_fails_changes_nothing(cause: Cause) -> None:
    breaker = probing(failing(3))

    assert after(breaker, cause, NOW, probe=False) == breaker


def test_a_late_failure_of_an_older_question_does_not_keep_it_open_for_longer() -> None:
    assert failing(9) == failing(3)


def test_after_a_restart_a_lost_probe_makes_room_for_another_and_all_else_is_as_it_was() -> None:
    assert admits(recovered(probing(failing(3)), NOW), NOW) == Admission("probe")
    assert recovered(failing(3), NOW) == failing(3)
    assert recovered(failing(2), NOW) == failing(2)


class Line(RuleBasedStateMachine):
    """Questions asked side by side, each ending as it likes, while time passes."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker, self.now = Breaker(), NOW
        self.asked = list[bool]()
        """Those under way, and whether they are the probe."""
        self.answered = False
        """Whether another was answered while a probe was under way, which leaves that probe behind."""

    @rule()
    def ask(self) -> None:
        """Nobody is refused without a time to come again, and no probe is let through beside another."""
        admission = admits(self.breaker, self.now)
        if admission.verdict == "refused":
            assert admission.retry_at is not None
            assert admission.retry_at > self.now
            return
        if admission.verdict == "probe":
            assert self.breaker.state == "open"
            assert self.answered or not any(self.asked)
            self.breaker = probing(self.breaker)
        self.asked.append(admission.verdict == "probe")

    @rule(number=st.integers(0), outcome=st.sampled_from([None, *Cause]), retry=st.none() | st.integers(-100, 10_000))
    def end(self, number: int, outcome: Cause | None, retry: int | None) -> None:
        """An answer closes it; nothing else does."""
        if not self.asked:
            return
        probe = self.asked.pop(number % len(self.asked))
        before = self.breaker.state
        until = None if retry is None else self.now + retry * SECOND
        self.breaker = after(self.breaker, outcome, self.now, until, probe=probe)
        self.answered = any(self.asked) and (self.answered or outcome is None)
        if outcome is None:
            assert self.breaker == Breaker()
        elif before != "closed":
            assert self.breaker.state != "closed"

    @rule(seconds=st.integers(0, 700))
    def wait(self, seconds: int) -> None:
        self.now += seconds * SECOND

    @rule()
    def restart(self) -> None:
        """Whatever was under way is lost."""
        self.asked.clear()
        self.breaker = recovered(self.breaker, self.now)

    @invariant()
    def it_is_never_stuck(self) -> None:
        """Open it names its time; half-open somebody is under way who will decide."""
        assert (self.breaker.state == "open") <= (self.breaker.retry_at is not None)
        assert (self.breaker.state == "half_open") <= any(self.asked)
        assert self.breaker.failures < 3 or self.breaker.state != "closed"


TestLine = Line.TestCase
