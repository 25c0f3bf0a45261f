"""Settings: where values come from, and how secrets stay out of sight."""

import os
import re
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from trimtab.configuration import ConfigurationError
from trimtab.settings import FILE_VARIABLE, OTHER_VARIABLES, Settings, load_settings


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("TRIMTAB_"):
            monkeypatch.delenv(name)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "settings.yaml"
    monkeypatch.setenv("TRIMTAB_SETTINGS", str(path))
    return path


def test_the_environment_wins_over_the_file_key_by_key(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("kafka: {bootstrap_servers: one:9092, session_timeout_seconds: 9}\n")
    monkeypatch.setenv("TRIMTAB_KAFKA__BOOTSTRAP_SERVERS", "two:9092")

    kafka = load_settings().kafka

    assert kafka.bootstrap_servers == "two:9092"
    assert kafka.session_timeout_seconds == 9


def test_an_empty_file_means_the_defaults(file: Path) -> None:
    file.write_text("")

    assert load_settings().log.level == "info"


@pytest.mark.parametrize(
    "dsn",
    ["postgresql://role@host:5433/books", "postgresql://role@host:5433/books?sslmode=prefer", "host=host user=role"],
)
@pytest.mark.parametrize("password", ["plain", "s p&c=?%/'\\\"", "ünï"])
def test_a_password_file_completes_the_address(dsn: str, password: str, file: Path) -> None:
    file.with_name("password").write_text(f"{password}\n", encoding="utf-8")
    file.write_text(f"postgres: {{dsn: '{dsn}', password_file: '{file.with_name('password')}'}}")

    read = conninfo_to_dict(load_settings().postgres.dsn.get_secret_value())

    assert read["password"] == password
    assert (read["user"], read["host"]) == ("role", "host")


def test_a_password_file_that_is_not_there(file: Path) -> None:
    file.write_text("postgres: {admin_dsn: 'host=h', admin_password_file: /nowhere/password}")

    with pytest.raises(
        ConfigurationError, match=r"postgres\.admin_password_file: found '/nowhere/password'; allowed: "
    ):
        load_settings()


def test_secrets_do_not_show(file: Path) -> None:
    file.write_text(
        "postgres: {dsn: 'postgresql://r:hunter2@h/d'}\n"
        "venues: {v: {}}\naccounts: {a: {venue: v, api_key: hunter2, secret: hunter2}}\n"
    )
    settings = load_settings()

    assert "hunter2" not in repr(settings)
    assert settings.accounts["a"].credentials() == ("hunter2", "hunter2")


@pytest.mark.parametrize("given", ["passphrase: words", "passphrase_file: /run/secrets/words"])
def test_a_key_at_coinbase_has_a_passphrase(file: Path, given: str) -> None:
    account = "venue: v, api_key: k, secret: c2VjcmV0"
    file.write_text(f"venues: {{v: {{kind: coinbase}}, w: {{}}}}\naccounts: {{a: {{{account}}}}}\n")
    with pytest.raises(
        ConfigurationError, match=r"accounts\.a\.passphrase: found nothing; allowed: one of passphrase and"
    ):
        load_settings()
    file.write_text(f"venues: {{v: {{kind: coinbase}}}}\naccounts: {{a: {{{account}, {given}}}}}\n")
    load_settings()
    file.write_text(f"venues: {{v: {{}}}}\naccounts: {{a: {{{account}}}}}\n")
    load_settings()


def test_every_variable_that_anything_reads_is_known() -> None:
    root = Path(__file__).parents[2]
    files = [root / "docker-compose.yml", *(root / "services").rglob("*.py"), *(root / "tests").glob("*.py")]
    files.remove(root / "services" / "trimtab" / "settings" / "loading.py")
    text = "\n".join(file.read_text(encoding="utf-8") for file in files)
    named = set(re.findall(r"\bTRIMTAB_[A-Z]+(?:_[A-Z]+)*\b(?!__)", text))

    sections = {f"TRIMTAB_{name.upper()}" for name in Settings.model_fields}
    assert named <= OTHER_VARIABLES | sections
    assert named | {FILE_VARIABLE} >= OTHER_VARIABLES, "a variable that nothing reads"
