"""Questions to Claude that have ended, which only tests look for."""

from storage import questions
from storage.connections import Reader
from storage.questions import QuestionRow


def ended(read: Reader) -> list[QuestionRow]:
    """All of them, newest first."""
    which = "WHERE outcome IS NOT NULL ORDER BY ended_at DESC, rowid DESC"
    return questions._questions(read, which)  # pyright: ignore[reportPrivateUsage]
