"""Exact numbers among the settings."""

from decimal import Decimal
from math import isfinite
from typing import Annotated

from pydantic import BeforeValidator, Field, PlainSerializer, ValidationInfo
from pydantic_core import PydanticCustomError


def _number(value: object, info: ValidationInfo) -> object:
    """A number in the file; even strict mode takes "4" for a Decimal, and what is no Decimal yet for none."""
    if info.mode == "json":
        if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
            raise PydanticCustomError("number", "input should be a valid number")
        return Decimal(str(value))
    return value


Number = Annotated[Decimal, BeforeValidator(_number), Field(decimal_places=9), PlainSerializer(float, float, "json")]
"""A Decimal as it stands in the file, to nine decimals."""
Share = Annotated[Number, Field(ge=0, le=1)]
