"""Which fields of a structured answer are complete while it still streams in."""

import json
from typing import cast


def completed(text: str) -> tuple[tuple[str, str], ...]:
    """The top-level fields whose values have come to their end, each as JSON text; the last one may still grow.

    "430" may be the beginning of "430.47": a value counts once a comma or the closing brace has followed it.
    """
    end, depth, quoted, escaped = 0, 0, False, False
    closed = ""
    for place, character in enumerate(text):
        if quoted:
            escaped, quoted = character == "\\" and not escaped, escaped or character != '"'
        elif character == '"':
            quoted = True
        elif character in "{[":
            depth += 1
        elif character in "}]":
            depth -= 1
            if depth == 0:
                end, closed = place, "}"
                break
        elif character == "," and depth == 1:
            end, closed = place, "}"
    if not closed:
        return ()
    try:
        found: object = json.loads(text[:end] + closed)
    except (ValueError, RecursionError):
        return ()
    if not isinstance(found, dict):
        return ()
    return tuple((name, json.dumps(value)) for name, value in cast(dict[str, object], found).items())
