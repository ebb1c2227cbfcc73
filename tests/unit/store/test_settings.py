import pytest

from blox_store.errors import SettingsError
from blox_store.settings import StoreSettings, read_settings
from blox_worker.settings import WorkerSettings


def test_the_store_is_a_sqlite_file_unless_it_is_said_otherwise(monkeypatch):
    monkeypatch.delenv("BLOX_DATABASE_URL", raising=False)
    assert read_settings(StoreSettings).database_url == "sqlite:///blox.db"
    monkeypatch.setenv("BLOX_DATABASE_URL", "postgresql://u@h/db")
    assert read_settings(StoreSettings).database_url == "postgresql://u@h/db"


def test_worker_settings_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("BLOX_LEASE_S", "120")
    monkeypatch.setenv("BLOX_DATA_DIR", "/mnt/data")
    settings = read_settings(WorkerSettings)
    assert settings.lease_s == 120
    assert str(settings.data_dir) == "/mnt/data"


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("BLOX_LEASE_S", "soon", "BLOX_LEASE_S='soon': Input should be a valid number"),
        ("BLOX_HEARTBEAT_S", "0", "BLOX_HEARTBEAT_S='0': Input should be greater than 0"),
        ("BLOX_MAX_ATTEMPTS", "0", "BLOX_MAX_ATTEMPTS='0': Input should be greater than 0"),
        ("BLOX_CHECKPOINT_EVERY_S", "-1", "BLOX_CHECKPOINT_EVERY_S='-1': Input should be greater"),
        ("BLOX_LEASE_S", "inf", "BLOX_LEASE_S='inf': Input should be a finite number"),
        ("BLOX_HEARTBEAT_S", "45", "^BLOX_LEASE_S=60: at least twice BLOX_HEARTBEAT_S=45"),
    ],
)
def test_a_bad_setting_quotes_the_variable_and_the_value(monkeypatch, name, value, message):
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=message):
        read_settings(WorkerSettings)
