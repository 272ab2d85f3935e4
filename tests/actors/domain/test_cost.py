"""What a question may cost at most, and what a killed one is charged."""

from dataclasses import replace
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from actors.domain.cost import estimate, killed
from messages.claude import Profile
from messages.prices import ModelPrice

SONNET = ModelPrice(Decimal(2), Decimal(10), Decimal("2.50"), Decimal("0.20"))
PROFILE = Profile("claude-sonnet-5", "", "{}", (), 4000, 4000, 1)
SIZES = st.integers(0, 2_000_000)


def test_one_request_costs_its_prompt_the_overhead_and_all_that_it_may_write() -> None:
    # 3,000 + 2,000 tokens at 2.50 and 8,000 at 10 dollars a million
    assert estimate(SONNET, 2500, 1000, 500, PROFILE) == Decimal("0.0925")


def test_a_second_request_reads_again_what_the_first_has_written() -> None:
    # twice 5,000 and once 8,000 tokens at 2.50, twice 8,000 at 10
    assert estimate(SONNET, 2500, 1000, 500, replace(PROFILE, turns=2)) == Decimal("0.205")


def test_prose_may_be_continued_three_times() -> None:
    prose = replace(PROFILE, schema=None)

    assert estimate(SONNET, 2500, 1000, 500, prose) == estimate(SONNET, 2500, 1000, 500, replace(PROFILE, turns=4))


def test_the_analysts_question_fits_below_the_default_ceiling() -> None:
    assert estimate(SONNET, 6000, 4000, 2000, replace(PROFILE, turns=2)) < Decimal("0.25")


def test_a_killed_turn_costs_what_was_sent_and_what_has_come() -> None:
    # 3,000 + 1,001 tokens at 2.50 and 501 at 10
    assert killed(SONNET, 2001, 1001) == Decimal("0.0150125")


def test_what_is_no_whole_unit_is_rounded_up() -> None:
    cheap = ModelPrice(*[Decimal("0.00001")] * 4)

    assert killed(cheap, 2, 0) == Decimal("0.000000031")


@given(SIZES, SIZES, SIZES, st.integers(0, 64_000), st.integers(256, 64_000), st.integers(1, 16))
def test_no_answer_within_the_limits_costs_more_than_the_estimate(
    prompt: int, system: int, written: int, thinking: int, output: int, turns: int
) -> None:
    """Every request writes all it may, and nothing is read from the cache."""
    profile = replace(PROFILE, thinking=thinking, output=output, turns=turns)

    bound = estimate(SONNET, prompt, system, written, profile)

    tokens = (prompt + system + written) / 3 + 1_000
    cost = sum(
        (tokens + turn * (thinking + output)) * 2.50 + (thinking + output) * 10 for turn in range(turns)
    ) / 1_000_000  # fmt: skip
    assert float(bound) >= cost * (1 - 1e-9)
    assert bound == round(bound, 9)
    assert estimate(SONNET, prompt + 2, system, written, profile) > bound
