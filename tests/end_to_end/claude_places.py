"""Places whose desks can ask Claude: a stub, and an environment that leads to it and nowhere else."""

import tempfile
from collections import Counter, defaultdict, deque
from collections.abc import Generator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from threading import Lock
from typing import Any, Final

from messages.values import from_units
from tests.claude_safely import environment
from tests.end_to_end.places import Ended, Place
from tests.stub.analyst import Analyst, asked
from tests.stub.exchange import Behaviour, Exchange
from tests.stub.server import Stub

ONE: Final = "symbol,quantity,cost\nAAPL,10,100\nCASH:USD,500,1\n"
"""Holdings for a round with one question."""
SENT: Final = "Claude: claude-sonnet-5, one question for each of "
"""How the line begins that says what is going to be asked."""
NOTHING: Final = "error: --claude on: Claude has answered nothing; "


class ClaudePlace(Place):
    """A place whose programs ask this stub."""

    def __init__(self, path: Path, stub: Stub) -> None:
        super().__init__(path)
        self.stub, self.scratch = stub, path / "scratch"
        self.scratch.mkdir()
        self.environment.update(environment(stub.address, path), TMPDIR=str(self.scratch))

    def hold(self, holdings: str = ONE) -> None:
        """Import these."""
        (self.path / "holdings.csv").write_text(holdings)
        ended = self.run("import", "holdings.csv")
        assert ended.code == 0, ended

    def ask(self, *options: str) -> Any:
        """The report of a round by Claude that came to its end; where Claude has answered nothing that is an error."""
        ended = self.run("once", "--claude", "on", "--json", *options)
        terms, *error = ended.lines
        nothing = ended.json["claude"]["state"] in {"unavailable", "signed_out"}
        said = [line[: len(NOTHING)] for line in error]
        assert (terms[: len(SENT)], ended.code, said) == (SENT, int(nothing), [NOTHING] * nothing), ended
        return ended.json

    def sign_out(self) -> None:
        """Nobody is signed in any more."""
        del self.environment["ANTHROPIC_API_KEY"]

    @property
    def left(self) -> list[str]:
        """What the programs have left behind: processes, working directories, files of their conversations."""
        files = [*self.scratch.rglob("*"), *self.path.glob(".claude/**/*.jsonl")]
        return [*map(str, self.children), *map(str, files)]

    @property
    def questions(self) -> int:
        """Questions that were ever kept."""
        return int(self.rows("SELECT count(*) FROM claude_questions")[0][0])

    @property
    def spent(self) -> Decimal:
        """Dollars that questions have cost; all of them must be settled."""
        rows = self.rows("SELECT cost FROM claude_questions")
        assert (None,) not in rows
        return from_units(sum(cost for (cost,) in rows))

    @property
    def asked(self) -> Counter[str]:
        """Requests that came to the stub, by the symbol they were about."""
        return Counter(asked(request.body).symbol for request in self.stub.requests)


class About:
    """Lets requests about a symbol have behaviours of their own, one each; where none is left an analyst answers."""

    def __init__(self, **of: list[Behaviour]) -> None:
        self._lock, self._of = Lock(), defaultdict[str, deque[Behaviour]](deque)
        for symbol, behaviours in of.items():
            self._of[symbol].extend(behaviours)

    def __call__(self, exchange: Exchange) -> None:
        with self._lock:
            queue = self._of[asked(exchange.body).symbol]
            behaviour = queue.popleft() if queue else Analyst()
        exchange.answered_by(behaviour)
        behaviour(exchange)

    def __repr__(self) -> str:
        return "About"


@contextmanager
def claude_place() -> Generator[ClaudePlace]:
    """One with a stub of its own; what runs in it is ended."""
    with Stub() as stub, tempfile.TemporaryDirectory(prefix="troupe-") as path:
        place = ClaudePlace(Path(path), stub)
        try:
            yield place
        finally:
            place.close()


def causes(report: Any) -> dict[str, str]:
    """The code of the cause for which a symbol has no view."""
    return {
        each["symbol"]: each["cause"].partition(":")[0]
        for each in report["recommendations"]
        if each["cause"] is not None
    }


def actions(report: Any) -> dict[str, str]:
    """What is recommended of each symbol."""
    return {each["symbol"]: each["action"] for each in report["recommendations"]}


def analysts(report: Any) -> set[str]:
    """Who has recommended."""
    return {each["analyst"] for each in report["recommendations"]}


def refused(ended: Ended) -> str:
    """The one line by which a command said no, besides what it said beforehand."""
    assert (ended.code, ended.out.replace("Sample desk: prices end 2013-03-01, not today's.\n", "")) == (1, ""), ended
    (line,) = [line for line in ended.lines if not line.startswith("Claude: ")]
    assert line.startswith("error: "), ended
    return line
