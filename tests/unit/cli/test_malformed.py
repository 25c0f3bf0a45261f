"""Malformed configurations through the real command line: one clear error a problem, exit code 2, no traceback."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from trimtab.cli.__main__ import app

GOOD = {
    "version": "1",
    "portfolio": "core",
    "quote": "USDT",
    "targets": "{BTC: 0.6, ETH: 0.3, USDT: 0.1}",
}


def good(**changed: str | None) -> str:
    """Return a portfolio file with some lines changed, added, or (None) left out."""
    lines = GOOD | changed
    return "".join(f"{key}: {value}\n" for key, value in lines.items() if value is not None)


def computed(**changed: str) -> str:
    """Return a portfolio file whose targets name a method, with some keys of theirs changed or added."""
    keys = {"method": "inverse_volatility", "assets": "[BTC, ETH]", "cash": "0.05", "every": '"0 0 * * MON"'} | changed
    return good(targets="{" + ", ".join(f"{key}: {value}" for key, value in keys.items()) + "}")


# name: (file, its problems as (path, value as it is shown, part of what is allowed))
PORTFOLIOS: dict[str, tuple[str, list[tuple[str, str, str]]]] = {
    "empty": ("", [("the whole", "nothing", "a mapping of keys to values")]),
    "a list": ("[1, 2]", [("the whole", "[1, 2]", "a mapping")]),
    "text": ("hello", [("the whole", "'hello'", "a mapping")]),
    "no yaml": ("a: b: c", [("line 1, column 5", "mapping values are not allowed here", "valid YAML")]),
    "unclosed": ("targets: {BTC: 1", [("line 1, column 17", "expected ',' or '}'", "valid YAML")]),
    "tab": ("limits:\n\tmin_trade: 1", [("line 2, column 1", "character '\\t'", "valid YAML")]),
    "two documents": (good() + "---\n" + good(), [("line 5, column 1", "another document", "valid YAML")]),
    "alias": (good(accounts="*a"), [("line 5, column 11", "an alias", "valid YAML")]),
    "executable tag": (
        good(dry_run="!!python/object/apply:os.getcwd []"),
        [("line 5, column 10", "a tag", "valid YAML")],
    ),
    "harmless tag": (good(dry_run="!!bool maybe"), [("line 5, column 10", "a tag", "valid YAML")]),
    "tagged number": (good(targets="{BTC: !!float x, USDT: 1}"), [("line 4, column 16", "a tag", "valid YAML")]),
    "file too long": (good() + "#" * 1_048_576, [("the whole", "more than 1048576 bytes", "at most 1048576 bytes")]),
    "deep lists": (good(accounts="[" * 200 + "]" * 200), [("accounts[0]", "[[[[", "text")]),
    "more keys than anybody reads": (
        good() + "".join(f"key{index}: 1\n" for index in range(150)),
        [(f"key{index}", "1", "one of accounts, dry_run") for index in range(100)]
        + [("the rest", "50 more problems", "none")],
    ),
    "weight beyond words": (good(targets="{BTC: 1e400}"), [("targets.BTC", "1000", "at most 20 digits before the")]),
    "weight beyond everything": (good(targets="{BTC: 1e99999}"), [("targets.BTC", "'1e99999'", "a number")]),
    "endless weight": (good(targets="{BTC: -.inf}"), [("targets.BTC", "-Infinity", "a number")]),
    "weight of many digits": (
        good(targets=f"{{BTC: {'9' * 30}.5, USDT: {'1' * 5_000}}}"),
        [("targets.BTC", "999999", "at most 20 digits before the"), ("targets.USDT", "111111", "at most 20 digits")],
    ),
    "weight of many decimals": (
        good(targets=f"{{BTC: 0.{'3' * 500}, USDT: 0.5}}"),
        [("targets.BTC", "0.333333", "at most 18 decimals")],
    ),
    "weight next to nothing": (good(targets="{BTC: 1e-400, USDT: 1}"), [("targets.BTC", "0.0000", "18 decimals")]),
    "absurd limits": (
        good(limits="{min_trade: 1e400, signals_per_hour: 1e400, cooldown_seconds: .nan, max_trade_share: 1e19}"),
        [
            ("limits.min_trade", "1000", "at most 20 digits before the point"),
            ("limits.max_trade_share", "10000000000000000000", "at most 1"),
            ("limits.signals_per_hour", "1000", "a whole number"),
            ("limits.cooldown_seconds", "NaN", "a whole number"),
        ],
    ),
    "cooldown of many digits": (
        good(limits=f"{{cooldown_seconds: {'9' * 40}}}"),
        [("limits.cooldown_seconds", "999999", "at most 604800")],
    ),
    "more assets than anybody holds": (
        good(targets="{" + ", ".join(f"A{index}: 0" for index in range(101)) + "}"),
        [("targets", "101 entries", "at most 100")],
    ),
    "more accounts than are asked": (
        good(accounts="[" + ", ".join(f"a{index}" for index in range(17)) + "]"),
        [("accounts", "17 entries", "at most 16")],
    ),
    "name of a screen": (good(portfolio="a" * 10_000), [("portfolio", "'aaaa", "at most 63")]),
    "asset of a screen": (
        good(targets="{" + "A" * 1_000 + ": 1}"),
        [(f"targets.{'A' * 1_000}", "'AAAA", "upper-case letters and digits, at most 20")],
    ),
    "more weekdays than there are": (
        good(windows="{weekdays: [mon, tue, wed, thu, fri, sat, sun, mon]}"),
        [("windows.weekdays", "8 entries", "at most 7")],
    ),
    "more windows than an hour has": (
        good(windows="{utc: [" + ", ".join(['"00:00-00:01"'] * 49) + "]}"),
        [("windows.utc", "49 entries", "at most 48")],
    ),
    "no window": (good(windows="{utc: []}"), [("windows.utc", "[]", "at least 1")]),
    "windows that overlap": (
        good(windows='{utc: ["08:00-12:00", "20:00-21:00", "11:59-13:00"]}'),
        [("windows.utc[2]", "'11:59-13:00'", "a window apart from 08:00-12:00")],
    ),
    "windows that overlap past midnight": (
        good(windows='{utc: ["01:00-03:00", "22:00-02:00"]}'),
        [("windows.utc[1]", "'22:00-02:00'", "a window apart from 01:00-03:00")],
    ),
    "window in another one": (
        good(windows='{utc: ["00:00-24:00", "08:00-09:00", "10:00-11:00"]}'),
        [
            ("windows.utc[1]", "'08:00-09:00'", "a window apart from 00:00-24:00"),
            ("windows.utc[2]", "'10:00-11:00'", "a window apart from 00:00-24:00"),
        ],
    ),
    "window twice": (
        good(windows='{utc: ["08:00-09:00", "08:00-09:00"]}'),
        [("windows.utc[1]", "'08:00-09:00'", "a window apart from 08:00-09:00")],
    ),
    "window the wrong way": (good(windows='{utc: ["24:00-08:00"]}'), [("windows.utc[0]", "'24:00-08:00'", "from-to")]),
    "endless depth": (good(accounts="[" * 5_000), [("the whole", "too many levels", "valid YAML")]),
    "control character": (good(portfolio='"a\x07b"'), [("the whole", "unacceptable character", "valid YAML")]),
    "key twice": (good() + "quote: EUR\n", [("line 5, column 1", "'quote'", "each key once")]),
    "inner key twice": (
        good(targets="{BTC: 0.5, USDT: 0.5, BTC: 0.5}"),
        [("line 4, column 32", "'BTC'", "each key once")],
    ),
    "unknown key": (good(polcy="{kind: threshold}"), [("polcy", "{kind: 'threshold'}", "did you mean policy?")]),
    "unknown inner key": (
        good(limits="{cooldown: 5}"),
        [("limits.cooldown", "5", "did you mean cooldown_seconds?")],
    ),
    "unknown policy key": (
        good(policy="{kind: no_trade_region, absolute: 0.1}"),
        [("policy.absolute", "0.1", "one of kind, max_deviation, risk_aversion")],
    ),
    "key that is a number": (good() + "7: x\n", [("7", "7", "keys that are text")]),
    "no name": (good(portfolio=None), [("portfolio", "nothing", "a value; it is required")]),
    "no quote": (good(quote=None), [("quote", "nothing", "a value; it is required")]),
    "no targets": (good(targets=None), [("targets", "nothing", "a value; it is required")]),
    "name in capitals": (good(portfolio="Core"), [("portfolio", "'Core'", "lower-case letters, digits and hyphens")]),
    "name that is a number": (good(portfolio="42"), [("portfolio", "42", "text")]),
    "name too long": (good(portfolio="a" * 64), [("portfolio", f"'{'a' * 64}'", "at most 63")]),
    "newer format": (good(version="2"), [("version", "2", "1")]),
    "weights above one": (
        good(targets="{BTC: 0.6, USDT: 0.5}"),
        [("targets", "1.1", "weights that sum to 1 within 0.0001")],
    ),
    "weights just off": (good(targets="{BTC: 0.6, USDT: 0.4002}"), [("targets", "1.0002", "sum to 1 within 0.0001")]),
    "no weights": (good(targets="{}"), [("targets", "{}", "at least 1 of them")]),
    "negative weight": (
        good(targets="{BTC: -0.1, USDT: 1.1}"),
        [("targets.BTC", "-0.1", "at least 0"), ("targets.USDT", "1.1", "at most 1")],
    ),
    "weight as text": (good(targets='{BTC: "0.5", USDT: 0.5}'), [("targets.BTC", "'0.5'", "a number")]),
    "weight not a number": (good(targets="{BTC: .nan, USDT: 0.5}"), [("targets.BTC", "NaN", "a number")]),
    "weight a flag": (good(targets="{BTC: true, USDT: 0.5}"), [("targets.BTC", "true", "a number")]),
    "weight too fine": (
        good(targets="{BTC: 0.1000000000000000001, USDT: 0.9}"),
        [("targets.BTC", "0.1000000000000000001", "at most 18 decimals")],
    ),
    "asset in small letters": (good(targets="{btc: 0.5, USDT: 0.5}"), [("targets.btc", "'btc'", "upper-case letters")]),
    "computed targets without a schedule": (
        good(targets="{method: equal_risk_contribution, assets: [BTC, ETH]}"),
        [("targets.every", "nothing", "a value; it is required")],
    ),
    "computed targets by another method": (
        computed(method="min_variance"),
        [("targets.method", "'min_variance'", "one of 'inverse_volatility' or 'equal_risk_contribution'")],
    ),
    "computed targets at no time": (
        computed(every='"0 24 * * *"'),
        [("targets.every", "'0 24 * * *'", "minute, hour")],
    ),
    "the same asset twice": (computed(assets="[BTC, BTC]"), [("targets.assets", "'BTC'", "each entry once")]),
    "computed targets without assets": (computed(assets="[]"), [("targets.assets", "[]", "at least 1 of them")]),
    "cash among the assets": (computed(assets="[BTC, USDT]"), [("targets.assets", "'USDT'", "without the quote")]),
    "nothing but cash": (computed(cash="1"), [("targets.cash", "1", "a number below 1")]),
    "cash too fine": (computed(cash="0.0000001"), [("targets.cash", "0.0000001", "at most 6 decimals")]),
    "bounds the wrong way round": (
        computed(bounds="{BTC: [0.6, 0.2]}"),
        [("targets.bounds.BTC", "[0.6, 0.2]", "the least, then the most")],
    ),
    "bounds of another asset": (computed(bounds="{SOL: [0, 1]}"), [("targets.bounds.SOL", "[0, 1]", "BTC, ETH")]),
    "one bound": (computed(bounds="{BTC: [0.2]}"), [("targets.bounds.BTC", "[0.2]", "at least 2 of them")]),
    "bound too fine": (
        computed(bounds="{BTC: [0.2, 0.6000001]}"),
        [("targets.bounds.BTC[1]", "0.6000001", "at most 6 decimals")],
    ),
    "bounds that leave too little": (
        computed(bounds="{BTC: [0, 0.4], ETH: [0, 0.4]}"),
        [("targets.bounds", "bounds between 0 and 0.8 in sum", "let the assets share 0.95")],
    ),
    "bounds that want too much": (
        computed(bounds="{BTC: [0.5, 1], ETH: [0.5, 1]}"),
        [("targets.bounds", "bounds between 1 and 2 in sum", "let the assets share 0.95")],
    ),
    "no smoothing at all": (computed(smoothing="0"), [("targets.smoothing", "0", "a number above 0")]),
    "a weight beside a method": (
        computed(BTC="0.5"),
        [("targets.BTC", "0.5", "one of assets, bounds, cash, every, method, min_change, smoothing")],
    ),
    "targets as a list": (good(targets="[BTC, ETH]"), [("targets", "['BTC', 'ETH']", "a mapping of keys to values")]),
    "policy of no kind": (
        good(policy='{kind: sometimes, cron: "0 0 * * *"}'),
        [("policy.kind", "'sometimes'", "one of 'no_trade_region', 'calendar', 'threshold', 'hybrid', 'vol")],
    ),
    "calendar without times": (
        good(policy="{kind: calendar, absolute: 0.1}"),
        [
            ("policy.cron", "nothing", "a value; it is required"),
            ("policy.absolute", "0.1", "one of cron, kind, window_seconds"),
        ],
    ),
    "calendar of words": (
        good(policy="{kind: calendar, cron: daily}"),
        [("policy.cron", "'daily'", "minute, hour, day of month, month and day of week in UTC")],
    ),
    "calendar that is a number": (good(policy="{kind: calendar, cron: 5}"), [("policy.cron", "5", "text")]),
    "calendar with seconds": (
        good(policy='{kind: calendar, cron: "*/5 * * * * *"}'),
        [("policy.cron", "'*/5 * * * * *'", "at most once a minute")],
    ),
    "calendar that never comes": (
        good(policy='{kind: hybrid, cron: "0 0 30 2 *", absolute: 0.1}'),
        [("policy.cron", "'0 0 30 2 *'", "now and then at least")],
    ),
    "hybrid without bounds": (
        good(policy='{kind: hybrid, cron: "0 0 * * *"}'),
        [("policy", "{kind: 'hybrid', cron: '0 0 * * *'}", "absolute, relative or both")],
    ),
    "windows beyond memory": (
        good(policy='{kind: calendar, cron: "0 0 * * *", window_seconds: 3600}'),
        [("policy.window_seconds", "3600", "a number of at most 1800")],
    ),
    "scales the wrong way round": (
        good(policy="{kind: volatility_threshold, absolute: 0.1, scale_min: 2, scale_max: 0.5}"),
        [
            ("policy.scale_min", "2", "a number of at most 1"),
            ("policy.scale_max", "0.5", "a number of at least 1"),
        ],
    ),
    "scales for a plain threshold": (
        good(policy="{kind: threshold, absolute: 0.1, scale_max: 3}"),
        [("policy.scale_max", "3", "one of absolute, kind, relative")],
    ),
    "factors below nothing": (
        good(policy="{kind: cost_adjusted, absolute: 0.1, volatility_factor: -1, safety_factor: -1, risk_aversion: 0}"),
        [
            ("policy.volatility_factor", "-1", "a number of at least 0"),
            ("policy.safety_factor", "-1", "a number of at least 0"),
            ("policy.risk_aversion", "0", "a number above 0"),
        ],
    ),
    "policy without a kind": (good(policy="{absolute: 0.1}"), [("policy.kind", "nothing", "a value; it is required")]),
    "threshold without a bound": (
        good(policy="{kind: threshold}"),
        [("policy", "{kind: 'threshold'}", "absolute, relative or both")],
    ),
    "threshold of zero": (
        good(policy="{kind: threshold, absolute: 0}"),
        [("policy.absolute", "0", "a number above 0")],
    ),
    "no risk aversion": (
        good(policy="{kind: no_trade_region, risk_aversion: -1}"),
        [("policy.risk_aversion", "-1", "a number above 0")],
    ),
    "half a signal an hour": (
        good(limits="{signals_per_hour: 0.5}"),
        [("limits.signals_per_hour", "0.5", "a whole number")],
    ),
    "no signal an hour": (good(limits="{signals_per_hour: 0}"), [("limits.signals_per_hour", "0", "at least 1")]),
    "trade share above one": (good(limits="{max_trade_share: 10}"), [("limits.max_trade_share", "10", "at most 1")]),
    "negative cooldown": (good(limits="{cooldown_seconds: -1}"), [("limits.cooldown_seconds", "-1", "at least 0")]),
    "negative minimum": (good(limits="{min_trade: -10}"), [("limits.min_trade", "-10", "at least 0")]),
    "limits as text": (good(limits="tight"), [("limits", "'tight'", "a mapping of keys to values")]),
    "unknown weekday": (good(windows="{weekdays: [mon, funday]}"), [("windows.weekdays[1]", "'funday'", "'sun'")]),
    "weekday twice": (good(windows="{weekdays: [mon, mon]}"), [("windows.weekdays", "'mon'", "each entry once")]),
    "no weekday": (good(windows="{weekdays: []}"), [("windows.weekdays", "[]", "at least 1")]),
    "hour 25": (good(windows='{utc: ["08:00-25:00"]}'), [("windows.utc[0]", "'08:00-25:00'", "from-to in UTC")]),
    "empty window": (good(windows='{utc: ["08:00-08:00"]}'), [("windows.utc[0]", "'08:00-08:00'", "from-to in UTC")]),
    "window as one time": (good(windows="{utc: [08:00]}"), [("windows.utc[0]", "'08:00'", "from-to in UTC")]),
    "account twice": (good(accounts="[main, main]"), [("accounts", "'main'", "each entry once")]),
    "accounts as text": (good(accounts="main"), [("accounts", "'main'", "a list")]),
    "dry run as yes": (good(dry_run="yes"), [("dry_run", "'yes'", "true or false")]),
    "five at once": (
        good(quote="usdt", version="0", dry_run="1", limits="{min_trade: x}", windows="{utc: 5}"),
        [
            ("version", "0", "1"),
            ("quote", "'usdt'", "upper-case letters"),
            ("limits.min_trade", "'x'", "a number"),
            ("windows.utc", "5", "a list"),
            ("dry_run", "1", "true or false"),
        ],
    ),
}

SECRET = "hunter2-hunter2"

SETTINGS: dict[str, tuple[str, dict[str, str], list[tuple[str, str, str]]]] = {
    "no yaml": ("kafka: [", {}, [("line 1, column 9", "expected the node content", "valid YAML")]),
    "a list": ("[1]", {}, [("the whole", "[1]", "a mapping of keys to values")]),
    "unknown section": ("kafak: {}", {}, [("kafak", "a mapping", "did you mean kafka?")]),
    "section twice": ("log: {}\nlog: {}", {}, [("line 2, column 1", "'log'", "each key once")]),
    "unknown key": (
        "kafka: {bootstrap_server: x}",
        {},
        [("kafka.bootstrap_server", "'x'", "did you mean bootstrap_servers?")],
    ),
    "section as text": ("metrics: on", {}, [("metrics", "'on'", "a mapping of keys to values")]),
    "port too high": ("metrics: {port: 70000}", {}, [("metrics.port", "70000", "at most 65535")]),
    "log level": ("log: {level: loud}", {}, [("log.level", "'loud'", "'error'")]),
    "registry without a scheme": ("registry: {url: localhost}", {}, [("registry.url", "'localhost'", "http://")]),
    "password in an address": (
        f"registry: {{url: 'ftp://me:{SECRET}@host'}}",
        {},
        [("registry.url", "'ftp://…@host'", "http://")],
    ),
    "registry port too high": (
        "registry: {url: 'http://h:70000'}",
        {},
        [("registry.url", "'http://h:70000'", "65535")],
    ),
    "registry port as a word": ("registry: {url: 'http://h:x/y'}", {}, [("registry.url", "'http://h:x/y'", "65535")]),
    "registry without a host": ("registry: {url: 'http://:8081'}", {}, [("registry.url", "'http://:8081'", "http://")]),
    "registry of two words": ("registry: {url: 'http://a b'}", {}, [("registry.url", "'http://a b'", "http://")]),
    "venue at no address": (
        "venues: {sim: {rest_url: 'ws://h:1', websocket_url: 'ws://h:0'}}",
        {},
        [
            ("venues.sim.rest_url", "'ws://h:1'", "http:// or https://"),
            ("venues.sim.websocket_url", "'ws://h:0'", "with a port from 1 to 65535"),
        ],
    ),
    "instrument in one word": (
        "venues: {sim: {instruments: [BTCUSDT]}}",
        {},
        [("venues.sim.instruments[0]", "'BTCUSDT'", "BTC/USDT")],
    ),
    "no broker": ("kafka: {bootstrap_servers: ''}", {}, [("kafka.bootstrap_servers", "''", '"host:9092"')]),
    "broker without a port": ("kafka: {bootstrap_servers: h}", {}, [("kafka.bootstrap_servers", "'h'", "from 1 to")]),
    "broker with a word as port": (
        "kafka: {bootstrap_servers: 'h:kafka'}",
        {},
        [("kafka.bootstrap_servers", "'h:kafka'", "ports from 1 to 65535")],
    ),
    "one broker of two with an absurd port": (
        "{}",
        {"TRIMTAB_KAFKA__BOOTSTRAP_SERVERS": "a:9092,b:99999"},
        [("TRIMTAB_KAFKA__BOOTSTRAP_SERVERS", "'a:9092,b:99999'", "ports from 1 to 65535")],
    ),
    "broker after a comma missing": (
        "kafka: {bootstrap_servers: 'a:9092,'}",
        {},
        [("kafka.bootstrap_servers", "'a:9092,'", "separated by commas")],
    ),
    "broker as a web address": (
        f"kafka: {{bootstrap_servers: 'http://me:{SECRET}@h:9092'}}",
        {},
        [("kafka.bootstrap_servers", "'http://…@h:9092'", '"host:9092"')],
    ),
    "broker with a password": (
        f"kafka: {{bootstrap_servers: 'me:{SECRET}@h:9092'}}",
        {},
        [("kafka.bootstrap_servers", "'…@h:9092'", '"host:9092"')],
    ),
    "no password for the broker": (
        "kafka: {security_protocol: SASL_SSL, username: me}",
        {},
        [
            ("kafka.sasl_mechanism", "nothing", "a value; SASL_SSL needs it"),
            ("kafka.password", "nothing", "a value; SASL_SSL needs it"),
        ],
    ),
    "password that nobody asks for": (
        f"kafka: {{username: me, password: {SECRET}}}",
        {},
        [
            ("kafka.username", "'me'", "nothing with PLAINTEXT; SASL_SSL or SASL_PLAINTEXT uses it"),
            ("kafka.password", "a value that is not shown", "nothing with PLAINTEXT"),
        ],
    ),
    "broker's password twice": (
        f"kafka: {{security_protocol: SASL_SSL, password: {SECRET}, password_file: /x}}",
        {},
        [("kafka.password_file", "'/x'", "nothing beside password")],
    ),
    "broker's password in no file": (
        "kafka: {security_protocol: SASL_SSL, password_file: /nowhere}",
        {},
        [("kafka.password_file", "'/nowhere'", "a readable file (No such file or directory)")],
    ),
    "unknown way to log in": (
        "kafka: {security_protocol: sasl_ssl, sasl_mechanism: GSSAPI}",
        {},
        [
            ("kafka.security_protocol", "'sasl_ssl'", "'SASL_SSL'"),
            ("kafka.sasl_mechanism", "'GSSAPI'", "'SCRAM-SHA-512'"),
        ],
    ),
    "authorities that are none": (
        "kafka: {security_protocol: SSL, ca_file: /dev/null}",
        {},
        [("kafka.ca_file", "'/dev/null'", "certificates in PEM")],
    ),
    "authorities without encryption": (
        "kafka: {ca_file: /nowhere}",
        {},
        [("kafka.ca_file", "'/nowhere'", "nothing with PLAINTEXT"), ("kafka.ca_file", "'/nowhere'", "in PEM")],
    ),
    "endless session": (
        "kafka: {session_timeout_seconds: .inf}",
        {},
        [("kafka.session_timeout_seconds", "Infinity", "at most 60")],
    ),
    "database as words": ("postgres: {dsn: foo bar}", {}, [("postgres.dsn", "'foo bar'", "postgresql://role@host")]),
    "database of colons": (
        "{}",
        {"TRIMTAB_POSTGRES__DSN": "postgresql://:::"},
        [("TRIMTAB_POSTGRES__DSN", "'postgresql://:::'", "postgresql://role@host:5432/database")],
    ),
    "no database": ("postgres: {dsn: ' '}", {}, [("postgres.dsn", "' '", "postgresql://role@host")]),
    "database with an absurd port": (
        f"postgres: {{dsn: 'postgresql://me:{SECRET}@h:70000/d'}}",
        {},
        [("postgres.dsn", "'postgresql://…@h:70000/d'", "ports from 1 to 65535")],
    ),
    "password that breaks the address": (
        f"postgres: {{admin_dsn: 'postgresql://me:%zz/{SECRET}@h/d'}}",
        {},
        [("postgres.admin_dsn", "'postgresql://…@h/d'", "postgresql://role@host")],
    ),
    "password that breaks the keywords": (
        f"postgres: {{dsn: 'host=h password=my {SECRET} user=me'}}",
        {},
        [("postgres.dsn", "'host=h password=… user=me'", "host=host port=5432")],
    ),
    "password in the query": (
        f"postgres: {{dsn: 'postgresql://h:x/d?password={SECRET}'}}",
        {},
        [("postgres.dsn", "'postgresql://h:x/d?password=…'", "ports from 1 to 65535")],
    ),
    "another database": ("postgres: {dsn: 'mysql://h/d'}", {}, [("postgres.dsn", "'mysql://h/d'", "postgresql://")]),
    "unknown word of the database": (
        "postgres: {dsn: 'host=h pasword=x'}",
        {},
        [("postgres.dsn", "'host=h pasword=x'", "postgresql://role@host")],
    ),
    "unknown encryption of the database": (
        "postgres: {dsn: 'host=h sslmode=must'}",
        {},
        [("postgres.dsn", "'host=h sslmode=must'", "sslmode one of disable")],
    ),
    "patience in words": (
        "postgres: {dsn: 'host=h connect_timeout=soon'}",
        {},
        [("postgres.dsn", "'host=h connect_timeout=soon'", "postgresql://role@host")],
    ),
    "dead letters at their old place": (
        "drift: {dead_letters_per_minute_max: 5}",
        {},
        [("drift.dead_letters_per_minute_max", "5", "one of impact_coefficient")],
    ),
    "factor that is endless": (
        "drift: {safety_factor: .inf, trigger: 0, landing: 2}",
        {},
        [
            ("drift.trigger", "0", "above 0"),
            ("drift.landing", "2", "at most 1"),
            ("drift.safety_factor", "Infinity", "a finite number"),
        ],
    ),
    "request rate that is none": (
        "venues: {sim: {requests_per_second: .nan}}",
        {},
        [("venues.sim.requests_per_second", "NaN", "a number of at most 100000")],
    ),
    "numbers beyond words": (
        "kafka: {session_timeout_seconds: 1e400, dead_letters_per_minute_max: 1e400}\nlog: {level: 1e400}",
        {},
        [
            ("kafka.session_timeout_seconds", "1000", "at most 60"),
            ("kafka.dead_letters_per_minute_max", "1000", "at most 1000000"),
            ("log.level", "1000", "'error'"),
        ],
    ),
    "numbers beyond words in variables": (
        "{}",
        {"TRIMTAB_DRIFT__TRIGGER": "1e400", "TRIMTAB_EXECUTOR__LEASE_SECONDS": "nan"},
        [
            ("TRIMTAB_DRIFT__TRIGGER", "'1e400'", "at most 1000"),
            ("TRIMTAB_EXECUTOR__LEASE_SECONDS", "'nan'", "at most 86400"),
        ],
    ),
    "seconds as words": (
        "reconciler: {compare_interval_seconds: often}",
        {},
        [("reconciler.compare_interval_seconds", "'often'", "a number")],
    ),
    "no time at all": ("executor: {lease_seconds: 0}", {}, [("executor.lease_seconds", "0", "above 0")]),
    "unknown venue kind": ("venues: {sim: {kind: mtgox}}", {}, [("venues.sim.kind", "'mtgox'", "'binance'")]),
    "instruments as text": ("venues: {sim: {instruments: BTC}}", {}, [("venues.sim.instruments", "'BTC'", "a list")]),
    "account at no venue": (
        "venues: {binance: {}}\naccounts: {main: {venue: binanse, api_key: k, secret: s}}",
        {},
        [("accounts.main.venue", "'binanse'", "did you mean binance?")],
    ),
    "account without keys": (
        "venues: {sim: {}}\naccounts: {main: {venue: sim}}",
        {},
        [
            ("accounts.main.api_key", "nothing", "exactly one of api_key and api_key_file"),
            ("accounts.main.secret", "nothing", "exactly one of secret and secret_file"),
        ],
    ),
    "secret under a wrong name": (
        f"venues: {{sim: {{}}}}\naccounts: {{main: {{venue: sim, api_key: k, secret: s, secrett: {SECRET}}}}}",
        {},
        [("accounts.main.secrett", "a value that is not shown", "did you mean secret?")],
    ),
    "secret as the whole account": (
        f"accounts: {{main: {SECRET}}}",
        {},
        [("accounts.main", "a value that is not shown", "a mapping of keys to values")],
    ),
    "unknown variable": (
        "{}",
        {"TRIMTAB_KAFKA_BOOTSTRAP_SERVERS": SECRET},
        [("TRIMTAB_KAFKA_BOOTSTRAP_SERVERS", "a value that is not shown", "mean TRIMTAB_KAFKA__BOOTSTRAP_SERVERS?")],
    ),
    "bad value in a variable": (
        "log: {level: info}",
        {"TRIMTAB_LOG__LEVEL": "loud"},
        [("TRIMTAB_LOG__LEVEL", "'loud'", "'error'")],
    ),
    "variable that is not JSON": (
        "{}",
        {"TRIMTAB_POSTGRES": f"dsn={SECRET}"},
        [("TRIMTAB_POSTGRES", "a value that is not shown", "JSON, or one variable a key")],
    ),
    "file and variables at once": (
        "log: {level: loud}",
        {"TRIMTAB_METRICS__PORT": "x", "TRIMTAB_COLOUR": "red"},
        [
            ("TRIMTAB_COLOUR", "a value that is not shown", "names of settings"),
            ("log.level", "'loud'", "'error'"),
            ("TRIMTAB_METRICS__PORT", "'x'", "a whole number"),
        ],
    ),
}


def run(*words: str, variables: dict[str, str] | None = None) -> Result:
    clean: dict[str, str | None] = {name: None for name in os.environ if name.startswith("TRIMTAB_")}
    return CliRunner().invoke(app, words, env=clean | (variables or {}))


def check(stderr: str, source: str, expected: list[tuple[str, str, str]]) -> None:
    lines = stderr.splitlines()
    assert len(lines) == len(expected), stderr
    for line, (path, value, allowed) in zip(lines, expected, strict=True):
        assert line.startswith(f"error: {source}: {path}: found {value}"), line
        assert "; allowed: " in line
        assert allowed in line.split("; allowed: ", 1)[1], line
    assert "Traceback" not in stderr
    assert SECRET not in stderr


@pytest.mark.parametrize("name", PORTFOLIOS)
def test_a_malformed_portfolio_file_gets_one_error_a_problem(name: str, tmp_path: Path) -> None:
    text, expected = PORTFOLIOS[name]
    file = tmp_path / "portfolio.yaml"
    file.write_text(text, encoding="utf-8")

    shown = run("validate", str(file))

    assert shown.exit_code == 2
    assert shown.stdout == ""
    check(shown.stderr, str(file), expected)


@pytest.mark.parametrize("name", PORTFOLIOS)
def test_the_same_errors_as_one_json_document(name: str, tmp_path: Path) -> None:
    text, expected = PORTFOLIOS[name]
    file = tmp_path / "portfolio.yaml"
    file.write_text(text, encoding="utf-8")

    shown = run("validate", str(file), "--json")

    assert shown.exit_code == 2
    errors = json.loads(shown.stdout)["errors"]
    assert [error["path"] or "the whole" for error in errors] == [path for path, _, _ in expected]
    assert all(set(error) == {"path", "value", "allowed"} for error in errors)


@pytest.mark.parametrize("name", SETTINGS)
def test_malformed_settings_get_one_error_a_problem(name: str, tmp_path: Path) -> None:
    text, variables, expected = SETTINGS[name]
    file = tmp_path / "settings.yaml"
    file.write_text(text, encoding="utf-8")

    shown = run("doctor", variables={"TRIMTAB_SETTINGS": str(file)} | variables)

    assert shown.exit_code == 2
    assert shown.stdout == ""
    check(shown.stderr, str(file), expected)


@pytest.mark.parametrize(
    "words",
    [
        ["status"],
        ["fills"],
        ["explain", "core"],
        ["halt", "--all"],
        ["resume", "core"],
        ["allocate", "core", "main", "BTC", "1", "--reference", "x"],
        ["doctor"],
        ["migrate"],
        ["topics", "check"],
        ["topics", "apply", "--wait", "60"],
        ["ingest"],
        ["drift"],
        ["executor"],
        ["reconciler"],
    ],
)
def test_every_command_and_service_refuses_absurd_addresses_without_waiting(words: list[str]) -> None:
    shown = run(
        *words,
        variables={
            "TRIMTAB_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:99999",
            "TRIMTAB_REGISTRY__URL": "http://127.0.0.1:99999",
            "TRIMTAB_POSTGRES__DSN": f"postgresql://me:{SECRET}@:::",
        },
    )

    assert shown.exit_code == 2
    assert shown.stdout == ""
    check(
        shown.stderr,
        "settings",
        [
            ("TRIMTAB_KAFKA__BOOTSTRAP_SERVERS", "'127.0.0.1:99999'", "ports from 1 to 65535"),
            ("TRIMTAB_REGISTRY__URL", "'http://127.0.0.1:99999'", "a port from 1 to 65535"),
            ("TRIMTAB_POSTGRES__DSN", "'postgresql://…@:::'", "postgresql://role@host:5432/database"),
        ],
    )


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["validate"], "Missing argument 'file'."),
        (["validate", "no-such-file.yaml"], "no-such-file.yaml: the whole: found No such file or directory; allowed: "),
        (["validate", "."], ".: the whole: found Is a directory; allowed: a readable YAML file"),
        (["validate", "--jsn", "x.yaml"], "No such option: --jsn"),
        (["statu"], "No such command 'statu'. Did you mean 'status'?"),
        (["exchange", "--journal", "x.jsonl"], "exactly one of --tape and --synthetic is needed"),
        (["halt"], "Invalid value: name exactly one of a portfolio, --all and --venue"),
        (["halt", "core", "--all"], "Invalid value: name exactly one of a portfolio, --all and --venue"),
        (["halt", "--all", "--reason", " "], "Invalid value for --reason: found ' '; allowed: some words, of at most"),
        (["halt", "--all", "--reason", "x" * 501], "Invalid value for --reason: found 'xxx"),
        (
            ["allocate", "a", "b", "BTC", "1e400", "--reference", "x"],
            "Invalid value for 'amount': found '1e400'; allowed",
        ),
        (["allocate", "a", "b", "BTC", "nan", "--reference", "x"], "Invalid value for 'amount': found 'nan'; allowed"),
        (["allocate", "a", "b", "BTC", "1e-19", "--reference", "x"], "Invalid value for 'amount': found '1e-19'; all"),
        (["fills", "--limit", "0"], "Invalid value for '--limit': found '0'; allowed: a number of at "),
        (["topics", "apply", "--wait", "nan"], "Invalid value for '--wait': found 'nan'; allowed: a number of at "),
        (["topics", "apply", "--wait", "-1"], "Invalid value for '--wait': found '-1'; allowed: a number of at "),
        (["bench", "nosuch"], "Invalid value for NAME: 'nosuch'; allowed: codec"),
        (["bench", "--seconds", "nan"], "Invalid value for '--seconds': found 'nan'; allowed: a number of at "),
        (["up", "--seed", "-1"], "Invalid value for '--seed': found '-1'; allowed: a number of at "),
        (["up", "--tape", "nosuch.csv"], "Invalid value for '--tape': path 'nosuch.csv' does not exist."),
        (["demo", "--seconds", "0"], "Invalid value for '--seconds': found '0'; allowed: a number of at "),
        (["demo", "--seconds", "-5"], "Invalid value for '--seconds': found '-5'; allowed: a number of at "),
        (["demo", "--seconds", "nan"], "Invalid value for '--seconds': found 'nan'; allowed: a number of at "),
        (["demo", "--seconds", "inf"], "Invalid value for '--seconds': found 'inf'; allowed: a number of at "),
        (["demo", "--seconds", "soon"], "Invalid value for '--seconds': found 'soon'; allowed: a number"),
        (["demo", "--speed", "0"], "Invalid value for '--speed': found '0'; allowed: a number of at "),
        (["demo", "--speed", "-1"], "Invalid value for '--speed': found '-1'; allowed: a number of at "),
        (["demo", "--volatility", "nan"], "Invalid value for '--volatility': found 'nan'; allowed: a number of at "),
        (["demo", "--seed", "-1"], "Invalid value for '--seed': found '-1'; allowed: a number of at "),
        (["demo", "--faults-seed", "-1"], "Invalid value for '--faults-seed': found '-1'; allowed: a number of at "),
        (["demo", "--tape", "nosuch"], "Invalid value for '--tape': path 'nosuch' does not exist."),
        (["demo", "--portfolios", "nosuch"], "Invalid value for '--portfolios': dir 'nosuch' does not exist."),
        (["demo", "--portfolios", __file__], f"Invalid value for '--portfolios': dir '{__file__}' is a file."),
        (["demo", "--folder", __file__], f"Invalid value for '--folder': '{__file__}' is a file; a folder is needed"),
        (["demo", "--kill", "all", "--kill", "kafka"], "Invalid value for --kill: all, kafka; allowed: all by itself"),
        (["demo", "--kill", "zookeeper"], "Invalid value for --kill: 'zookeeper'; allowed: all, ingest, drift"),
    ],
)
def test_wrong_usage_is_one_line(words: list[str], error: str) -> None:
    shown = run(*words)

    assert shown.exit_code == 2
    assert shown.stderr.startswith(f"error: {error}"), shown.stderr
    assert shown.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "content", "error"),
    [
        (["validate", "portfolio.yaml"], good(quote=None), "portfolio.yaml: quote: found nothing; allowed: a value"),
        (["validate", "portfolio.yaml"], "\xff\xfe", "portfolio.yaml: byte 0: found invalid start byte; allowed: text"),
        (["doctor"], "kafka: {x: 1}", "portfolio.yaml: kafka.x: found 1; allowed: one of bootstrap_servers"),
    ],
)
def test_the_installed_command_ends_the_same_way(words: list[str], content: str, error: str, tmp_path: Path) -> None:
    (tmp_path / "portfolio.yaml").write_text(content, encoding="latin-1")
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TRIMTAB_")}

    ended = subprocess.run(
        [str(Path(sys.executable).with_name("trimtab")), *words],
        cwd=tmp_path,
        env=clean | {"TRIMTAB_SETTINGS": "portfolio.yaml"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr.startswith(f"error: {error}"), ended.stderr
    assert ended.stderr.count("\n") == 1
