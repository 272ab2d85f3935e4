"""JSON as it leaves the desk."""

from decimal import Decimal

import msgspec

_Value = Decimal | str | int | float | None | dict[str, "_Value"] | list["_Value"] | tuple["_Value", ...]


def encoded(value: object) -> bytes:
    """The value as JSON: amounts are strings of digits, exact and without an exponent; dates are ISO."""
    builtins: _Value = msgspec.to_builtins(value, builtin_types=(Decimal,))
    return msgspec.json.encode(_plain(builtins))


def _plain(value: "_Value") -> "_Value":
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value
