"""The price table of Claude's models, read from `model_prices.toml` beside this file."""

import datetime as dt
import re
import tomllib
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Final

import msgspec

from messages.errors import TroupeError
from messages.prices import ModelPrice

TABLE: Final = Path(__file__).with_suffix(".toml")


class UnknownPrice(TroupeError):
    """A model that the table does not have, so that nobody can say what a question would cost."""


@dataclass(frozen=True, slots=True)
class PriceTable:
    """All prices that are known, by model id; when and from where they were taken."""

    as_of: dt.date
    source: str
    models: dict[str, ModelPrice]


@cache
def table() -> PriceTable:
    """The table; exact, since its figures are read as Decimals."""
    return msgspec.convert(tomllib.loads(TABLE.read_text("utf-8"), parse_float=Decimal), PriceTable)


def price(model: str) -> ModelPrice:
    """What this model costs, which may carry the date of its release, as in claude-haiku-4-5-20251001.

    Raises UnknownPrice.
    """
    known = table().models
    found = known.get(re.sub(r"-\d{8}$", "", model))
    if found is None:
        raise UnknownPrice(
            f"model {model}: its price is not known, so it is not asked; set [claude] model in desk.toml to one of "
            f"{', '.join(known)}, or add its price to {TABLE.name}"
        )
    return found
