"""The settings as pydantic checks them; imported only where a person has set something."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from actors.settings.reading import PREFIX, BadSettings, Settings
from storage.home import Home

_STRICT = ConfigDict(extra="forbid", frozen=True)


class _Desk(BaseModel):
    model_config = _STRICT
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "USD"
    grace: Annotated[float, Field(ge=1, le=300)] = 10.0


class _Market(BaseModel):
    model_config = _STRICT
    source: Literal["sample", "csv"] = "sample"
    folder: Path = Path("prices")


class _Research(BaseModel):
    model_config = _STRICT
    watch: tuple[Annotated[str, Field(min_length=1, max_length=20)], ...] = ()


class _Workers(BaseModel):
    model_config = _STRICT
    threads: Annotated[int, Field(ge=1, le=64)] = 4


class _Metrics(BaseModel):
    model_config = _STRICT
    port: Annotated[int, Field(ge=0, le=65535)] = 9464


class _Sections(BaseModel):
    model_config = _STRICT
    desk: _Desk = _Desk()
    market: _Market = _Market()
    research: _Research = _Research()
    workers: _Workers = _Workers()
    metrics: _Metrics = _Metrics()


class _Schema(_Sections, BaseSettings):
    model_config = SettingsConfigDict(extra="forbid", frozen=True, env_prefix=PREFIX, env_nested_delimiter="__")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment goes before the file."""
        return env_settings, init_settings


def checked(written: dict[str, Any], variables: Mapping[str, str], home: Home) -> Settings:
    """The settings of a file's content and of the variables in the environment. Raises BadSettings."""
    for name in variables:
        if not re.fullmatch(f"{PREFIX}({'|'.join(_Schema.model_fields)})__[a-z]+(_[a-z]+)*", name, re.IGNORECASE):
            sections = ", ".join(f"{PREFIX}{section.upper()}__…" for section in _Schema.model_fields)
            raise BadSettings(f"environment: {name}: is not a setting; they are {sections}")
    try:
        # A file can say what is a number and what is text, so "4" is none; in a variable it is one.
        _Sections.model_validate_json(json.dumps(written, default=str), strict=True)
        schema = _Schema(**written)
    except ValidationError as error:
        raise BadSettings(next(_sentences(error, home, variables))) from error
    except SettingsError as error:  # a list among the variables that cannot be parsed; it says in which section
        section = str(error).partition('"')[2].partition('"')[0]
        within = ", ".join(name for name in variables if name.upper().startswith(f"{PREFIX}{section}__".upper()))
        raise BadSettings(f'environment: {within}: a list is written as JSON, such as ["AAPL", "MSFT"]') from error
    return Settings(
        currency=schema.desk.currency,
        grace=schema.desk.grace,
        source=schema.market.source,
        folder=home.path / schema.market.folder,
        watch=schema.research.watch,
        threads=schema.workers.threads,
        metrics_port=schema.metrics.port,
    )


def _sentences(error: ValidationError, home: Home, variables: Mapping[str, str]) -> Iterator[str]:
    """What is wrong, one sentence each, naming the key, where it was set and what was expected."""
    for fault in error.errors():
        section, key = [*map(str, fault["loc"]), "", ""][:2]
        variable = next((name for name in variables if name.upper() == f"{PREFIX}{section}__{key}".upper()), None)
        place = f"environment: {variable}" if variable else f"{home.settings}: [{section}] {key}".rstrip()
        said = fault["msg"]
        if fault["type"] == "extra_forbidden":
            said = f"is not a setting; there are {', '.join(_keys(section if key else None))}"
        elif fault["type"] in {"model_type", "model_attributes_type"}:
            said = f"is not a section; write [{section}] and below it its keys"
        yield f"{place} = {fault['input']!r}: {said[:1].lower()}{said[1:]}"


def _keys(section: str | None) -> list[str]:
    if section is None:
        return [f"[{name}]" for name in _Schema.model_fields]
    kind = _Schema.model_fields[section].annotation
    return list(kind.model_fields) if isinstance(kind, type) and issubclass(kind, BaseModel) else []
