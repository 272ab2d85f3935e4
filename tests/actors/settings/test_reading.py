"""Settings: strict, and every error names the key, its place and what was expected."""

import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from actors.domain.orders import Limits
from actors.settings.reading import BadSettings, Cluster, Settings, Tracing, load
from actors.settings.schema import checked
from messages.claude import Asking
from messages.trading import TradingTerms
from storage.files import Unreadable
from storage.home import Home

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.upper().startswith("TROUPE_"):
            monkeypatch.delenv(name)


def refused(home: Home) -> str:
    with pytest.raises((BadSettings, Unreadable)) as error:
        load(home)
    assert "\n" not in str(error.value)
    return str(error.value).replace(f"{home.path}/", "")


def test_without_anything_set_all_has_its_default(home: Home) -> None:
    assert load(home) == Settings(folder=home.path / "prices")


def test_the_bare_defaults_are_those_of_the_schema(home: Home) -> None:
    assert checked({}, {}, home) == load(home)


def test_all_that_can_be_set_is_read(home: Home, tmp_path: Path) -> None:
    home.settings.write_text(f"""
        [desk]
        currency = "EUR"
        grace = 2.5
        [market]
        source = "csv"
        folder = "{tmp_path}"
        calendar = "XTSE"
        [research]
        watch = ["aapl", "IBM"]
        [workers]
        threads = 64
        processes = 3
        memory_mb = 100
        cluster = "tls://scheduler.example:8786"
        cluster_ca = "tls/ca.pem"
        cluster_cert = "/etc/tls/desk.pem"
        cluster_key = "tls/desk.key"
        [tasks]
        keep_days = 30
        [metrics]
        port = 0
        required = false
        [claude]
        model = "claude-opus-5-5"
        max_usd_per_question = 0.1
        max_usd_per_round = 2
        max_usd_per_day = 3.000000001
        max_usd_per_month = 10000
        answer_within = 10
        first_token_within = 2.5
        silence = 3
        connect_within = 4
        max_clients = 16
        side_by_side = 16
        idle = 5
        standby = true
        thinking = 0
        output = 64000

        [tracing]
        sample = 1
        exporter = "otlp"
        endpoint = "https://collector.example/v1/traces"
        [log]
        format = "json"
        level = "debug"
        [backups]
        keep = 3
        [trading]
        analysts = ["rules", "claude"]
        broker = "paper"
        approval_hours = 720
        reconcile_minutes = 1
        costs = "per_cent"
        volume_share = 0.000000001
        target_weight = 0.11
        band = 0
        risk_per_trade = 0.02
        [notify]
        command = ["notify-send", "Troupe"]
        [risk]
        max_position = 0.2
        max_symbol = 0.21
        max_sector = 0.5
        max_gross = 0.99
        max_net = 0.8
        max_daily_loss = 0.1
        max_drawdown = 1
        max_orders_a_day = 0
        max_orders_a_minute = 0
        price_collar = 0.01
        max_price_age = 0
        min_conviction = 0
        allow_short = true
        cash_buffer = 0.03
        lot = 0.000000001
        min_value = 0.5
        """)
    claude = Asking(
        "claude-opus-5-5", Decimal("0.1"), Decimal(2), Decimal("3.000000001"), Decimal(10_000), 10, 2.5, 3, 4, 16, 16,
        5, standby=True, thinking=0, output=64_000,
    )  # fmt: skip

    cluster = Cluster(
        "tls://scheduler.example:8786", home.path / "tls/ca.pem", Path("/etc/tls/desk.pem"), home.path / "tls/desk.key"
    )

    terms = TradingTerms(
        ("rules", "claude"), "paper", 720, 1, "per_cent", Decimal("1e-9"), Decimal("0.11"), Decimal(0),
        Decimal("0.02"),
    )  # fmt: skip
    limits = Limits(
        Decimal("0.2"), Decimal("0.21"), Decimal("0.5"), Decimal("0.99"), Decimal("0.8"), Decimal("0.1"), Decimal(1),
        0, 0, Decimal("0.01"), 0, 0.0, True, Decimal("0.03"), Decimal("1e-9"), Decimal("0.5"),
    )  # fmt: skip

    assert load(home) == Settings(
        "EUR", 2.5, "csv", tmp_path, ("aapl", "IBM"), 64, 3, 100, cluster, 0, False, 30, claude, 3, terms, limits,
        "XTSE", "json", "debug", Tracing(1.0, "otlp", "https://collector.example/v1/traces"),
        ("notify-send", "Troupe"),
    )  # fmt: skip


@pytest.mark.parametrize(("written", "calendar"), [("", None), ("source = 'csv'", "XNYS"), ("calendar = 'XLON'", None)])
def test_only_prices_of_ones_own_go_by_a_calendar(home: Home, written: str, calendar: str | None) -> None:
    home.settings.write_text(f"[market]\n{written}\n")

    assert load(home).calendar == calendar


AGREEING = [
    "[risk]\nmax_position = 0.02",  # smaller than the default of target_weight: the smaller one holds
    "[risk]\nmax_gross = 0.5\nmax_net = 0.05",
    "[risk]\nmax_drawdown = 0.001",
    "[risk]\nmax_orders_a_day = 1",
    "[risk]\nmax_position = 0",  # nothing is to be bought
    "[trading]\ntarget_weight = 0",
    "[trading]\ntarget_weight = 0.011",
    "[trading]\nband = 0.049",
    "[trading]\ntarget_weight = 1\n[risk]\nmax_position = 1\nmax_symbol = 1\nmax_sector = 1",
]


@pytest.mark.parametrize("written", AGREEING)
def test_limits_that_do_not_contradict_one_another_are_taken(home: Home, written: str) -> None:
    home.settings.write_text(written)

    assert load(home) != Settings(folder=home.path / "prices")


def test_limits_agree_across_file_and_environment(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    home.settings.write_text("[risk]\nmax_position = 0.04")
    monkeypatch.setenv("TROUPE_TRADING__TARGET_WEIGHT", "0.041")

    assert refused(home) == (
        "environment: TROUPE_TRADING__TARGET_WEIGHT = 0.041: is above [risk] max_position = 0.04; "
        "lower the one or raise the other"
    )


def test_a_cap_below_the_default_of_a_narrower_one_is_no_contradiction(home: Home) -> None:
    home.settings.write_text("[claude]\nmax_usd_per_day = 0\nanswer_within = 20")

    assert (load(home).claude.max_usd_per_day, load(home).claude.max_usd_per_question) == (Decimal(0), Decimal("0.5"))


def test_caps_agree_across_file_and_environment(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    home.settings.write_text("[claude]\nmax_usd_per_round = 20")
    monkeypatch.setenv("TROUPE_CLAUDE__MAX_USD_PER_DAY", "30.1")

    assert load(home).claude.max_usd_per_day == Decimal("30.1")

    monkeypatch.setenv("TROUPE_CLAUDE__MAX_USD_PER_QUESTION", "20.5")
    assert refused(home) == (
        "environment: TROUPE_CLAUDE__MAX_USD_PER_QUESTION = 20.5: is above max_usd_per_round = 20; "
        "lower the one or raise the other"
    )


def test_keys_and_consent_to_real_money_are_no_settings(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TROUPE_ALPACA_KEY", "TROUPE_ALPACA_SECRET", "TROUPE_ALPACA_LIVE"):
        monkeypatch.setenv(name, "s-1")
    assert "s-1" not in repr(load(home))

    monkeypatch.setenv("TROUPE_ALPACA_LIFE", "yes")
    assert refused(home).startswith("environment: TROUPE_ALPACA_LIFE: is not a setting")


@pytest.mark.parametrize("name", ["TROUPE_TRADING__MONEY", "troupe_trading__account"])
def test_whose_money_is_traded_is_not_said_in_the_environment(
    home: Home, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "real")

    assert refused(home) == f"environment: {name}: whose money is traded is said in desk.toml alone; write it there"


def test_a_cluster_on_this_machine_needs_no_certificates(home: Home) -> None:
    home.settings.write_text('[workers]\ncluster = "tcp://127.0.0.1:8786"')

    assert load(home).cluster == Cluster("tcp://127.0.0.1:8786")


@pytest.mark.parametrize(
    ("written", "why"),
    [
        (
            'cluster = "tcp://scheduler.example:8786"',
            "desk.toml: [workers] cluster = 'tcp://scheduler.example:8786': write tls://host:port; tcp://, which "
            "anyone can read and change, is for 127.0.0.1 alone",
        ),
        (
            'cluster = "tls://scheduler.example:8786"\ncluster_ca = "ca.pem"',
            "desk.toml: [workers] cluster = 'tls://scheduler.example:8786': needs cluster_cert, a file, as tls:// "
            "always does",
        ),
        (
            'cluster_key = "key.pem"',
            "desk.toml: [workers] cluster_key = 'key.pem': is for a cluster at tls://; set cluster, or leave it out",
        ),
    ],
)
def test_a_cluster_that_others_could_read_or_that_is_half_described_is_refused(
    home: Home, written: str, why: str
) -> None:
    home.settings.write_text(f"[workers]\n{written}")

    assert refused(home) == why


def test_a_folder_is_looked_for_in_the_home(home: Home) -> None:
    home.settings.write_text('[market]\nfolder = "mine"')

    assert load(home).folder == home.path / "mine"


def test_a_variable_goes_before_the_file_and_leaves_the_rest_of_its_section(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.settings.write_text('[desk]\ncurrency = "EUR"\ngrace = 20')
    monkeypatch.setenv("TROUPE_DESK__GRACE", "30")
    monkeypatch.setenv("TROUPE_RESEARCH__WATCH", '["FB"]')

    assert (load(home).grace, load(home).currency, load(home).watch) == (30, "EUR", ("FB",))


SECTIONS = (
    "[desk], [market], [research], [workers], [tasks], [metrics], [log], [tracing], [notify], [backups], [claude], "
    "[trading], [risk]"
)


@pytest.mark.parametrize("written", ["", "[workers]\nthreads = 3"])
def test_a_variable_may_be_written_in_any_case(home: Home, monkeypatch: pytest.MonkeyPatch, written: str) -> None:
    home.settings.write_text(written)
    monkeypatch.setenv("troupe_Desk__grace", "30")

    assert load(home).grace == 30


FILES = [
    ("[desk]\ngrase = 3", "desk.toml: [desk] grase = 3: is not a setting; there are currency, grace"),
    ("[dask]\ngrace = 3", f"desk.toml: [dask] = {{'grace': 3}}: is not a setting; there are {SECTIONS}"),
    ("grace = 3", f"desk.toml: [grace] = 3: is not a setting; there are {SECTIONS}"),
    ("[workers]\nthreads = 'many'", "desk.toml: [workers] threads = 'many': input should be a valid integer"),
    ("[workers]\nthreads = 1.5", "desk.toml: [workers] threads = 1.5: input should be a valid integer"),
    ("[workers]\nthreads = 0", "desk.toml: [workers] threads = 0: input should be greater than or equal to 1"),
    ("[workers]\nthreads = 65", "desk.toml: [workers] threads = 65: input should be less than or equal to 64"),
    ("[desk]\ngrace = nan", "desk.toml: [desk] grace = nan: input should be"),
    ("[desk]\ngrace = 0.9", "desk.toml: [desk] grace = 0.9: input should be greater than or equal to 1"),
    ("[desk]\ncurrency = 'usd'", "desk.toml: [desk] currency = 'usd': string should match pattern"),
    ("[market]\nsource = 'yahoo'", "desk.toml: [market] source = 'yahoo': input should be 'sample' or 'csv'"),
    ("[metrics]\nport = 70000", "desk.toml: [metrics] port = 70000: input should be less than or equal to 65535"),
    ("[research]\nwatch = 'AAPL'", "desk.toml: [research] watch = 'AAPL': input should be a valid array"),
    ("[research]\nwatch = ['']", "desk.toml: [research] watch = '': string should have at least 1 character"),
    ("[workers]\nthreads = '4'", "desk.toml: [workers] threads = '4': input should be a valid integer"),
    ("[workers]\nthreads = true", "desk.toml: [workers] threads = True: input should be a valid integer"),
    ("[desk]\ngrace = '5'", "desk.toml: [desk] grace = '5': input should be a valid number"),
    ("[claude]\nmax_usd_per_day = true", "desk.toml: [claude] max_usd_per_day = True: input should be a valid number"),
    ("[claude]\nmax_usd_per_day = nan", "desk.toml: [claude] max_usd_per_day = nan: input should be a valid number"),
    ("[claude]\nmax_usd_per_day = inf", "desk.toml: [claude] max_usd_per_day = inf: input should be a valid number"),
    *(
        (f"[claude]\n{written}", f"desk.toml: [claude] {written}: {sentence}")
        for written, sentence in [
            ("max_usd_per_round = -1", "input should be greater than or equal to 0"),
            ("max_usd_per_month = 10000.5", "input should be less than or equal to 10000"),
            ("max_usd_per_day = '5'", "input should be a valid number"),
            ("max_usd_per_day = 1e-10", "decimal input should have no more than 9 decimal places"),
            ("max_usd_per_question = 2", "is above max_usd_per_round = 1; lower the one or raise the other"),
            ("max_usd_per_round = 5.5", "is above max_usd_per_day = 5; lower the one or raise the other"),
            ("max_usd_per_day = 51", "is above max_usd_per_month = 50; lower the one or raise the other"),
            ("silence = 181", "is above answer_within = 180; lower the one or raise the other"),
            ("side_by_side = 4", "is above max_clients = 3; lower the one or raise the other"),
            ("answer_within = 9", "input should be greater than or equal to 10"),
            ("side_by_side = 0", "input should be greater than or equal to 1"),
            ("side_by_side = 17", "input should be less than or equal to 16"),
            ("max_clients = 0", "input should be greater than or equal to 1"),
            ("thinking = 500", "claude thinks with at least 1024 tokens; write that or more, or 0 for not at all"),
            ("thinking = -1", "input should be greater than or equal to 0"),
            ("output = 255", "input should be greater than or equal to 256"),
            ("standby = 1", "input should be a valid boolean"),
            ("model = ''", "string should match pattern"),
            ("model = 'a b'", "string should match pattern"),
            ("mode = 'on'", "is not a setting; there are model, max_usd_per_question, max_usd_per_round"),
        ]
    ),
    ("[market]\ncalendar = 'NYSE'", "desk.toml: [market] calendar = 'NYSE': is no exchange's calendar; there are"),
    *(
        (f"[risk]\n{written}", f"desk.toml: [risk] {written}: {sentence}")
        for written, sentence in [
            ("max_position = 1.4", "input should be less than or equal to 1"),
            ("max_position = -0.1", "input should be greater than or equal to 0"),
            ("max_position = nan", "input should be a valid number"),
            ("max_position = '0.1'", "input should be a valid number"),
            ("max_position = 1e-10", "decimal input should have no more than 9 decimal places"),
            ("max_daily_loss = 0", "input should be greater than 0"),
            ("min_conviction = 1.1", "input should be less than or equal to 1"),
            ("max_orders_a_day = 1.5", "input should be a valid integer"),
            ("max_price_age = 31", "input should be less than or equal to 30"),
            ("lot = 0", "input should be greater than 0"),
            ("allow_short = 1", "input should be a valid boolean"),
            ("max_position = 0.11", "is above max_symbol = 0.1; lower the one or raise the other"),
            ("max_symbol = 0.31", "is above max_sector = 0.3; lower the one or raise the other"),
            ("max_daily_loss = 0.16", "is above max_drawdown = 0.15; lower the one or raise the other"),
            ("max_orders_a_minute = 21", "is above max_orders_a_day = 20; lower the one or raise the other"),
            ("max_position = 0.01", "is not above [trading] band = 0.01, so that nothing would ever be bought; lower"),
            ("max_symbol = 0.005", "is not above [trading] band = 0.01, so that nothing would ever be bought; lower"),
        ]
    ),
    *(
        (f"[trading]\n{written}", f"desk.toml: [trading] {written}: {sentence}")
        for written, sentence in [
            ("target_weight = 0.11", "is above [risk] max_position = 0.1; lower the one or raise the other"),
            ("risk_per_trade = 0.04", "is above [risk] max_daily_loss = 0.03; lower the one or raise the other"),
            ("target_weight = 0.01", "is not above [trading] band = 0.01, so that nothing would ever be bought; lower"),
            ("band = 0.05", "is not below the target weight, 0.05, so that nothing would ever be bought; lower the ba"),
            ("volume_share = 0", "input should be greater than 0"),
            ("approval_hours = 0", "input should be greater than or equal to 1"),
            ("costs = 'free'", "input should be 'none', 'us_retail', 'us_per_share' or 'per_cent'"),
            ("broker = 'real'", "input should be 'paper' or 'alpaca'"),
        ]
    ),
    ("[trading]\nanalysts = ['astrology']", "desk.toml: [trading] analysts = 'astrology': input should be 'claude' or"),
    (
        "[risk]\nmax_gross = 0.5\nmax_sector = 0.6",
        "desk.toml: [risk] max_sector = 0.6: is above max_gross = 0.5; lower the one or raise the other",
    ),
    (
        "[risk]\nmax_gross = 0.5\nmax_net = 0.6",
        "desk.toml: [risk] max_net = 0.6: is above max_gross = 0.5; lower the one or raise the other",
    ),
    (
        "[trading]\ntarget_weight = 0.06\n[risk]\nmax_symbol = 0.05",
        "desk.toml: [trading] target_weight = 0.06: is above [risk] max_symbol = 0.05; lower the one",
    ),
    *(
        ("[trading]\n" + more, f"desk.toml: [trading] {says}")
        for more, says in [
            ('account = "12345"', """account = '12345': is for money = "real"; leave it out"""),
            ('account = "1 2"', "account = '1 2': string should match pattern"),
            ('money = "some"', "money = 'some': input should be 'paper' or 'real'"),
            ('money = "real"', """money = 'real': is for broker = "alpaca"; set that, or leave it out"""),
            ('money = "real"\nbroker = "alpaca"', """money = 'real': needs account = "NUMBER" below it"""),
            (
                'money = "real"\nbroker = "alpaca"\naccount = "12345"',
                "money = 'real': is not traded on sample prices, which end in 2013; set [market] source",
            ),
        ]
    ),
    ("desk = 3", "desk.toml: [desk] = 3: is not a section; write [desk]"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "sentence"), FILES)
def test_a_wrong_key_in_the_file_is_named_with_its_place_and_what_was_expected(
    home: Home, text: str, sentence: str
) -> None:
    home.settings.write_text(text)

    assert refused(home).startswith(sentence)


VARIABLES = [
    ("TROUPE_DESK__GRASE", "3", "environment: TROUPE_DESK__GRASE = '3': is not a setting; there are currency, grace"),
    ("TROUPE_DASK__GRACE", "3", "environment: TROUPE_DASK__GRACE: is not a setting; they are TROUPE_DESK__…, "),
    ("TROUPE_WORKERS__THREADS__X", "2", "environment: TROUPE_WORKERS__THREADS__X: is not a setting; they are TROUPE_"),
    ("TROUPE_HOME", "x", "environment: TROUPE_HOME: is not a setting; they are TROUPE_DESK__…, "),
    ("TROUPE_DESK", "{}", "environment: TROUPE_DESK: is not a setting; they are TROUPE_DESK__…, "),
    ("TROUPE_METRICS__PORT", "any", "environment: TROUPE_METRICS__PORT = 'any': input should be a valid integer"),
    ("TROUPE_DESK__GRACE", "301", "environment: TROUPE_DESK__GRACE = '301': input should be less than or equal to 300"),
    ("TROUPE_MARKET__SOURCE", "", "environment: TROUPE_MARKET__SOURCE = '': input should be 'sample' or 'csv'"),
    ("TROUPE_CLAUDE__MAX_USD_PER_DAY", "-1", "environment: TROUPE_CLAUDE__MAX_USD_PER_DAY = '-1': input should be gre"),
    ("TROUPE_CLAUDE__SILENCE", "0", "environment: TROUPE_CLAUDE__SILENCE = '0': input should be greater than or equal"),
    ("TROUPE_CLAUDE__THINKING", "1", "environment: TROUPE_CLAUDE__THINKING = '1': claude thinks with at least 1024"),
    ("TROUPE_RESEARCH__WATCH", "AAPL", 'environment: TROUPE_RESEARCH__WATCH: a list is written as JSON, such as ["'),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value", "sentence"), VARIABLES)
def test_a_wrong_variable_is_named_with_what_was_expected(
    home: Home, monkeypatch: pytest.MonkeyPatch, name: str, value: str, sentence: str
) -> None:
    monkeypatch.setenv(name, value)

    assert refused(home).startswith(sentence)


@pytest.mark.parametrize("content", [b"[desk", b"grace: 3", b"[desk]\ngrace = 3\ngrace = 4"])
def test_what_is_not_toml_is_named_with_its_line(home: Home, content: bytes) -> None:
    home.settings.write_bytes(content)

    assert refused(home).startswith("desk.toml: is not TOML (")


def test_what_is_not_text_is_named(home: Home) -> None:
    home.settings.write_bytes(b"\xff\xfe")

    assert refused(home) == "desk.toml: is not UTF-8 text (invalid start byte at byte 0)"


def test_a_directory_in_its_place_is_named(home: Home) -> None:
    home.settings.mkdir()

    assert refused(home) == "desk.toml: is not a file"


def test_a_file_of_ten_megabytes_is_not_read(home: Home) -> None:
    home.settings.write_bytes(b"#" * 10_000_000)

    assert refused(home) == "desk.toml: has 10.0 MB; settings may have 0.1"


@pytest.mark.parametrize(("setting", "loaded"), [("", False), ("[desk]\ngrace = 3", True)])
def test_pydantic_is_imported_only_where_something_is_set(home: Home, setting: str, loaded: bool) -> None:
    home.settings.write_text(setting)
    script = (
        "import sys, pathlib; from actors.settings.reading import load; from storage.home import Home; "
        f"load(Home(pathlib.Path({str(home.path)!r}))); print('pydantic' in sys.modules)"
    )

    ended = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)

    assert ended.stdout.strip() == str(loaded)
