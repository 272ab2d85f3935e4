"""A thesis has no figures of its own: it names facts, as in `the close of {f1}`, and code writes their values."""

import re
from typing import Final

from actors.domain.figures import shown
from messages.research import Sheet

LONGEST: Final = 600
"""Characters of a thesis, before its placeholders are filled in."""
_PLACEHOLDER: Final = re.compile(r"\{(f[1-9][0-9]*)\}")


class UnknownFact(ValueError):
    """A thesis names a fact that its sheet does not have."""


def placeholders(template: str) -> tuple[str, ...]:
    """The ids of the facts it names, each once, in order of first use."""
    return tuple(dict.fromkeys(_PLACEHOLDER.findall(template)))


def fill(template: str, sheet: Sheet) -> str:
    """The thesis with the facts' values, as `shown` writes them; other braces stay. Raises UnknownFact."""
    values = {fact.id: shown(fact.value) for fact in sheet.facts}
    if unknown := [name for name in placeholders(template) if name not in values]:
        names = ", ".join(unknown)
        raise UnknownFact(f"{sheet.symbol} of {sheet.as_of}: the thesis names {names}; cite facts f1 to f{len(values)}")
    return _PLACEHOLDER.sub(lambda found: values[found[1]], template)
