"""Of an answer that still streams in only those fields are seen that have come to their end."""

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from actors.claude.scanner import completed

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
layouts = st.sampled_from([(None, (", ", ": ")), (None, (",", ":")), (2, (",", ": "))])


def written(value: object, layout: tuple[int | None, tuple[str, str]], *, escaped: bool = True) -> str:
    indent, separators = layout
    return json.dumps(value, indent=indent, separators=separators, ensure_ascii=escaped)


@given(st.dictionaries(st.text(), values, max_size=6), layouts, st.booleans(), st.data())
def test_a_beginning_shows_only_fields_that_the_whole_has_and_in_its_order(
    whole: dict[str, Any], layout: tuple[int | None, tuple[str, str]], escaped: bool, data: st.DataObject
) -> None:
    text = written(whole, layout, escaped=escaped)
    end = data.draw(st.integers(0, len(text)))

    seen = completed(text[:end])

    assert list(seen) == [(name, json.dumps(value)) for name, value in whole.items()][: len(seen)]


@settings(max_examples=30)  # each looks at every beginning of its text
@given(st.dictionaries(st.text(), values, max_size=5), layouts)
@example({"target": 430.47, "stop": 1e-7, "cited": ["f1", "}", '"'], "thesis": 'a "b", {f1}\\'}, (None, (", ", ": ")))
def test_fields_are_added_at_the_end_and_never_change(
    whole: dict[str, Any], layout: tuple[int | None, tuple[str, str]]
) -> None:
    text = written(whole, layout)
    before: tuple[tuple[str, str], ...] = ()

    for end in range(len(text) + 1):
        seen = completed(text[:end])
        assert seen[: len(before)] == before
        before = seen

    assert before == tuple((name, json.dumps(value)) for name, value in whole.items())


@pytest.mark.parametrize("end", ["4", "43", "430", "430.", "430.4"])
def test_a_number_counts_only_once_something_has_followed_it(end: str) -> None:
    assert completed(f'{{"target": {end}') == ()
    assert completed(f'{{"action": "BUY", "target": {end}') == (("action", '"BUY"'),)
    assert completed('{"target": 430.47, ') == completed('{"target": 430.47}') == (("target", "430.47"),)


@given(st.text())
def test_what_is_no_json_object_has_no_fields_and_raises_nothing(text: str) -> None:
    assert not completed("[" + text)
    assert all(isinstance(name, str) for name, _ in completed(text))


def test_what_comes_after_the_object_is_not_read() -> None:
    assert completed('{"a": 1} {"b": 2}') == (("a", "1"),)
