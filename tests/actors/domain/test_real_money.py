"""What a person has typed allows one account, in one home, for so long; whatever else there is allows nothing."""

from dataclasses import replace

import pytest

from actors.domain.real_money import BadConfirmation, Confirmation, digest, phrase, read, stops, text

GIVEN = Confirmation("12345", phrase("12345"), "/home/of", 100, 200)


def kept(confirmation: Confirmation = GIVEN) -> tuple[str, str]:
    return text(confirmation), digest(text(confirmation))


def test_it_is_read_as_it_was_given_and_lets_its_account_be_traded() -> None:
    assert read(*kept()) == GIVEN
    assert stops(kept(), "12345", "/home/of", 199) is None


def test_on_paper_nothing_of_it_is_asked_for() -> None:
    assert stops(None, None, "/home/of", 100) is None


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (None, "nobody has confirmed account 12345"),
        (kept(replace(GIVEN, account="54321")), "account 54321 was confirmed, not 12345"),
        (kept(replace(GIVEN, home="/another")), "it was confirmed in /another, not in /home/of"),
        (kept(replace(GIVEN, typed="yes")), "is not 'trade real money in 12345'"),
        (kept(replace(GIVEN, typed=phrase("54321"))), "is not 'trade real money in 12345'"),
        (kept(replace(GIVEN, expires_at=150)), "has expired"),
        ((text(GIVEN).replace("200", "900"), kept()[1]), "was changed after it was given"),
        (("", ""), "was changed after it was given"),
        (("{}", digest("{}")), "cannot be read"),
        (("[]", digest("[]")), "cannot be read"),
        ((f"{text(GIVEN)} ", digest(f"{text(GIVEN)} ")), "cannot be read"),
        (kept(replace(GIVEN, expires_at="never")), "cannot be read"),  # type: ignore[arg-type]
    ],
)
def test_anything_else_stops_all_orders_and_says_why(found: tuple[str, str] | None, says: str) -> None:
    assert says in (stops(found, "12345", "/home/of", 150) or "")


def test_a_version_of_tomorrow_is_not_taken_for_one_of_today() -> None:
    other = text(GIVEN).replace('"version":1', '"version":2')

    with pytest.raises(BadConfirmation, match="cannot be read"):
        read(other, digest(other))
