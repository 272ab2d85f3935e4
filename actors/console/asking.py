"""Whether Claude may be asked and can be: what a person is told beforehand, and has agreed to."""

from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Final, Literal

from actors.console.access import Access, DeskRefused
from actors.domain import profiles
from messages.claude import Asking, Cause, Consent, Done, Failed, Prepare, Profile, Reset
from storage import consents

Mode = Literal["auto", "off", "on"]
SENT: Final = "the symbols, and of each its facts (prices, indicators, its weight in the portfolio); nothing else"
NOT_AGREED: Final = "nobody has agreed yet that Claude is asked; `run.py once --claude on` does"


@dataclass(frozen=True, slots=True)
class Terms:
    """What a round with Claude would be; `agreed` where a person has agreed to this model and as many dollars."""

    model: str
    symbols: int
    usd_per_question: Decimal
    usd_per_round: Decimal
    agreed: bool


def profile(asking: Asking) -> Profile:
    """How the analyst is asked."""
    return profiles.analyst(asking)


def terms(access: Access, symbols: int) -> Terms:
    """What a round about so many symbols would be."""
    asking, given = access.asking, consents.latest(access.read)
    agreed = given is not None and given.model == asking.model and given.usd_per_round >= asking.max_usd_per_round
    return Terms(asking.model, symbols, asking.max_usd_per_question, asking.max_usd_per_round, agreed)


def agree(access: Access) -> None:
    """Keep that a person agrees to this. Raises DeskRefused."""
    make = partial(Consent, access.asking.model, access.asking.max_usd_per_round)
    access.ask(Done, access.claude, make)


def reset(access: Access) -> None:
    """Close the breaker: a person has mended what was wrong. Raises DeskRefused."""
    access.ask(Done, access.claude, Reset)


def prepare(access: Access) -> Failed | None:
    """Have Claude ready; why it cannot be asked where it cannot."""
    make = partial(Prepare, profile(access.asking))
    try:
        answer: object = access.ask(object, access.claude, make)
    except DeskRefused as refused:
        return Failed(None, "", Cause.CRASH, str(refused), Decimal(0))
    return answer if isinstance(answer, Failed) else None
