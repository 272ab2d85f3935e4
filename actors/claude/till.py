"""The money: what a question may cost, what it has cost, and which ceiling is in its way."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from actors.claude.sessions import Heard
from actors.domain import cost
from messages.claude import Asking, Profile, Question
from messages.database import Statement
from storage import consents, model_prices, questions
from storage.connections import Reader
from storage.questions import Caps

AGREE: Final = "`run.py once --claude on` does"
RAISE: Final = "raise the ceilings under [claude] in desk.toml, or wait"


@dataclass(frozen=True, slots=True)
class Till:
    """Fails closed: an unknown model has no price, and is not asked. Raises UnknownPrice where it needs one."""

    asking: Asking
    read: Reader

    def estimate(self, question: Question, history: int) -> Decimal:
        """Dollars that a question may cost at most, `history` being the bytes of the talk that it goes on.

        Where the program itself stops at a sum, calls of tools may come to more than that only by the last of them.
        """
        profile = question.profile
        sizes = (history + _size(question.prompt), _size(profile.system), _size(profile.schema or ""))
        dollars = cost.estimate(model_prices.price(profile.model), *sizes, profile)
        return dollars if profile.usd is None else min(dollars, profile.usd, self.asking.max_usd_per_question)

    def killed(self, question: Question, heard: Heard | None, history: int) -> Decimal:
        """Dollars that a turn has cost by estimate, since one that was killed reports none."""
        profile = question.profile
        sent = history + _size(question.prompt) + _size(profile.system) + _size(profile.schema or "")
        requests, streamed = (heard.restarts + 1, heard.streamed) if heard else (1, 0)
        return cost.killed(model_prices.price(profile.model), requests * sent, streamed)

    def reserve(self, question: Question, dollars: Decimal, now: int) -> Statement:
        """Reserve so much, if no ceiling is in the way; the row that comes back says so."""
        asking = self.asking
        caps = Caps(
            asking.max_usd_per_question, asking.max_usd_per_round, asking.max_usd_per_day, asking.max_usd_per_month
        )
        return questions.reserve(question, dollars, caps, now)

    def closed(self, profile: Profile, now: int) -> str | None:
        """Why no question of this profile can be paid for now."""
        try:
            model_prices.price(profile.model)
        except model_prices.UnknownPrice as error:
            return str(error)
        spent = questions.spent(self.read, now)
        if spent.day >= self.asking.max_usd_per_day or spent.month >= self.asking.max_usd_per_month:
            return f"{spent.day:.2f} $ are spent today and {spent.month:.2f} $ this month; {RAISE}"
        return None

    def over(self, question: Question, dollars: Decimal, now: int) -> str:
        """Which ceiling was in the way, or that nobody has agreed to it."""
        given, asking = consents.latest(self.read), self.asking
        if given is None or given.model != asking.model or given.usd_per_round < asking.max_usd_per_round:
            return f"nobody has agreed to {asking.model} for {asking.max_usd_per_round:.2f} $ a round; {AGREE}"
        spent, asking = questions.spent(self.read, now, question.correlation_id), self.asking
        ceilings = (
            ("question", Decimal(0), asking.max_usd_per_question),
            ("round", spent.round, asking.max_usd_per_round),
            ("day", spent.day, asking.max_usd_per_day),
            ("month", spent.month, asking.max_usd_per_month),
        )
        broken = [
            f"{before:.2f} $ of the {most:.2f} $ for a {name} are spent"
            for name, before, most in ceilings
            if before + dollars > most
        ]
        why = " and ".join(broken) or "questions under way had the rest reserved just now"
        return f"up to {dollars:.2f} $ more are too much: {why}; {RAISE}"


def _size(text: str) -> int:
    return len(text.encode())
