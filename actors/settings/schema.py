"""The settings as pydantic checks them; imported only where a person has set something."""

import json
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
)
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from actors.domain.figures import plain
from actors.settings.exchanges import NAMES
from actors.settings.numbers import Number
from actors.settings.reading import PREFIX, BadSettings, Cluster, Settings, Tracing
from actors.settings.trading import ALSO_ASCENDING, Risk, Trading, limits, never_buys, not_real, terms
from messages.claude import Asking
from storage.home import Home

_STRICT = ConfigDict(extra="forbid", frozen=True)


class _Desk(BaseModel):
    model_config = _STRICT
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "USD"
    grace: Annotated[float, Field(ge=1, le=300)] = 10.0


def _exchange(name: str) -> str:
    if name not in NAMES:
        raise PydanticCustomError(
            "calendar", "is no exchange's calendar; there are {names}", {"names": ", ".join(NAMES)}
        )
    return name


class _Market(BaseModel):
    model_config = _STRICT
    source: Literal["sample", "csv"] = "sample"
    folder: Path = Path("prices")
    calendar: Annotated[str, AfterValidator(_exchange)] = "XNYS"


class _Research(BaseModel):
    model_config = _STRICT
    watch: tuple[Annotated[str, Field(min_length=1, max_length=20)], ...] = ()


def _scheduler(address: str) -> str:
    if address and not re.fullmatch(r"tls://[^\s/]+:\d+|tcp://(127\.0\.0\.1|localhost|\[::1\]):\d+", address):
        raise PydanticCustomError(
            "scheduler", "write tls://host:port; tcp://, which anyone can read and change, is for 127.0.0.1 alone"
        )
    return address


class _Workers(BaseModel):
    model_config = _STRICT
    threads: Annotated[int, Field(ge=1, le=64)] = 2
    processes: Annotated[int, Field(ge=1, le=64)] = 2
    memory_mb: Annotated[int, Field(ge=64, le=1_048_576)] = 1024
    cluster: Annotated[str, AfterValidator(_scheduler)] = ""
    cluster_ca: str = ""
    cluster_cert: str = ""
    cluster_key: str = ""


class _Tasks(BaseModel):
    model_config = _STRICT
    keep_days: Annotated[int, Field(ge=1, le=36_500)] = 90


class _Metrics(BaseModel):
    model_config = _STRICT
    port: Annotated[int, Field(ge=0, le=65535)] = 9464
    required: bool = True


class _Log(BaseModel):
    model_config = _STRICT
    format: Literal["text", "json"] = "text"
    level: Literal["debug", "info", "warning", "error"] = "info"


_TRACING: Final = Tracing()


class _Tracing(BaseModel):
    model_config = _STRICT
    sample: Annotated[float, Field(ge=0, le=1)] = _TRACING.sample
    exporter: Literal["none", "console", "otlp"] = _TRACING.exporter
    endpoint: Annotated[str, Field(pattern=r"^https?://[^\s/@]+(/\S*)?$")] = _TRACING.endpoint


class _Backups(BaseModel):
    model_config = _STRICT
    keep: Annotated[int, Field(ge=1, le=1000)] = 7


def _enough(tokens: int) -> int:
    if 0 < tokens < LEAST_THINKING:
        raise PydanticCustomError(
            "thinking",
            "Claude thinks with at least {least} tokens; write that or more, or 0 for not at all",
            {"least": LEAST_THINKING},
        )
    return tokens


LEAST_THINKING: Final = 1024
"""Tokens; the Messages API refuses a smaller budget."""
_Usd = Annotated[Number, Field(ge=0, le=10_000)]
_Seconds = Annotated[float, Field(ge=1, le=3600)]


_ASKING: Final = Asking()


class _Claude(BaseModel):
    model_config = _STRICT
    model: Annotated[str, Field(pattern=r"^\S{1,100}$")] = _ASKING.model
    max_usd_per_question: _Usd = _ASKING.max_usd_per_question
    max_usd_per_round: _Usd = _ASKING.max_usd_per_round
    max_usd_per_day: _Usd = _ASKING.max_usd_per_day
    max_usd_per_month: _Usd = _ASKING.max_usd_per_month
    answer_within: Annotated[float, Field(ge=10, le=3600)] = _ASKING.answer_within
    first_token_within: _Seconds = _ASKING.first_token_within
    silence: _Seconds = _ASKING.silence
    connect_within: _Seconds = _ASKING.connect_within
    max_clients: Annotated[int, Field(ge=1, le=16)] = _ASKING.max_clients
    side_by_side: Annotated[int, Field(ge=1, le=16)] = _ASKING.side_by_side
    idle: Annotated[float, Field(ge=1, le=86_400)] = _ASKING.idle
    standby: bool = _ASKING.standby
    thinking: Annotated[int, Field(ge=0, le=64_000), AfterValidator(_enough)] = _ASKING.thinking
    output: Annotated[int, Field(ge=256, le=64_000)] = _ASKING.output


ASCENDING: Final = (
    *(
        tuple(("claude", key) for key in keys)
        for keys in (
            ("max_usd_per_question", "max_usd_per_round", "max_usd_per_day", "max_usd_per_month"),
            ("connect_within", "answer_within"),
            ("first_token_within", "answer_within"),
            ("silence", "answer_within"),
            ("side_by_side", "max_clients"),
        )
    ),
    *ALSO_ASCENDING,
)
"""Section and key; of these no one may be set above a later one, which would make it mean nothing."""


class _Notify(BaseModel):
    model_config = _STRICT
    command: tuple[Annotated[str, Field(pattern=r"^[^\x00]+$")], ...] = ()


class _Sections(BaseModel):
    model_config = _STRICT
    desk: _Desk = _Desk()
    market: _Market = _Market()
    research: _Research = _Research()
    workers: _Workers = _Workers()
    tasks: _Tasks = _Tasks()
    metrics: _Metrics = _Metrics()
    log: _Log = _Log()
    tracing: _Tracing = _Tracing()
    notify: _Notify = _Notify()
    backups: _Backups = _Backups()
    claude: _Claude = _Claude()
    trading: Trading = Trading()
    risk: Risk = Risk()


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
        if re.fullmatch(f"{PREFIX}trading__(money|account)", name, re.IGNORECASE):
            raise BadSettings(f"environment: {name}: whose money is traded is said in desk.toml alone; write it there")
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
    _agree(schema, home, variables)
    return Settings(
        currency=schema.desk.currency,
        grace=schema.desk.grace,
        source=schema.market.source,
        folder=home.path / schema.market.folder,
        calendar=None if schema.market.source == "sample" else schema.market.calendar,
        watch=schema.research.watch,
        notify=schema.notify.command,
        threads=schema.workers.threads,
        processes=schema.workers.processes,
        memory_mb=schema.workers.memory_mb,
        cluster=_cluster(schema.workers, home, variables),
        keep_tasks=schema.tasks.keep_days,
        metrics_port=schema.metrics.port,
        metrics_required=schema.metrics.required,
        log_format=schema.log.format,
        log_level=schema.log.level,
        tracing=Tracing(**dict(schema.tracing)),
        backups=schema.backups.keep,
        claude=Asking(**dict(schema.claude)),
        trading=terms(schema.trading),
        risk=limits(schema.risk),
    )


def _cluster(workers: _Workers, home: Home, variables: Mapping[str, str]) -> Cluster | None:
    """All that belongs to a cluster, or nothing of it."""
    files = {key: getattr(workers, key) for key in ("cluster_ca", "cluster_cert", "cluster_key")}
    secure, place = workers.cluster.startswith("tls:"), _place("workers", "cluster", home, variables)
    for key, path in files.items():
        if secure and not path:
            raise BadSettings(f"{place} = {workers.cluster!r}: needs {key}, a file, as tls:// always does")
        if path and not secure:
            where = _place("workers", key, home, variables)
            raise BadSettings(f"{where} = '{path}': is for a cluster at tls://; set cluster, or leave it out")
    if not workers.cluster:
        return None
    return Cluster(workers.cluster, *(home.path / path if path else None for path in files.values()))


def _agree(schema: _Sections, home: Home, variables: Mapping[str, str]) -> None:
    """A default that is above what was set is no contradiction: the smaller limit holds."""
    for (section, least), (other, most) in (pair for chain in ASCENDING for pair in combinations(chain, 2)):
        low, high = getattr(getattr(schema, section), least), getattr(getattr(schema, other), most)
        if low > high and least in getattr(schema, section).model_fields_set:
            place, where = _place(section, least, home, variables), "" if section == other else f"[{other}] "
            raise BadSettings(
                f"{place} = {_plain(low)}: is above {where}{most} = {_plain(high)}; lower the one or raise the other"
            )
    if unfit := not_real(schema.trading, schema.market.source):
        key, why = unfit
        raise BadSettings(f"{_place('trading', key, home, variables)} = {getattr(schema.trading, key)!r}: {why}")
    if wrong := never_buys(schema.trading, schema.risk):
        section, key, why = wrong
        value = getattr(getattr(schema, section), key)
        raise BadSettings(f"{_place(section, key, home, variables)} = {_plain(value)}: {why}")


def _plain(value: Decimal | float) -> str:
    """As a person writes it."""
    return plain(Decimal(str(value)))


def _sentences(error: ValidationError, home: Home, variables: Mapping[str, str]) -> Iterator[str]:
    """What is wrong, one sentence each, naming the key, where it was set and what was expected."""
    for fault in error.errors():
        section, key = [*map(str, fault["loc"]), "", ""][:2]
        place = _place(section, key, home, variables)
        said = fault["msg"]
        if fault["type"] == "extra_forbidden":
            said = f"is not a setting; there are {', '.join(_keys(section if key else None))}"
        elif fault["type"] in {"model_type", "model_attributes_type"}:
            said = f"is not a section; write [{section}] and below it its keys"
        yield f"{place} = {fault['input']!r}: {said[:1].lower()}{said[1:]}"


def _place(section: str, key: str, home: Home, variables: Mapping[str, str]) -> str:
    """Where a key was set."""
    variable = next((name for name in variables if name.upper() == f"{PREFIX}{section}__{key}".upper()), None)
    return f"environment: {variable}" if variable else f"{home.settings}: [{section}] {key}".rstrip()


def _keys(section: str | None) -> list[str]:
    if section is None:
        return [f"[{name}]" for name in _Schema.model_fields]
    kind = _Schema.model_fields[section].annotation
    return list(kind.model_fields) if isinstance(kind, type) and issubclass(kind, BaseModel) else []
