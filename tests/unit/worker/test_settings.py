import pytest

from blox_store.errors import SettingsError
from blox_store.settings import read_settings
from blox_worker.settings import BrokerSettings, LogSettings, MetricsSettings, WorkerSettings


@pytest.mark.parametrize(
    "url", ["redis://head:6379/1", "rediss://:pw@head/0", "unix:///run/r.sock"]
)
def test_a_broker_is_a_redis(monkeypatch, url):
    monkeypatch.setenv("BLOX_BROKER_URL", url)
    assert read_settings(BrokerSettings).broker_url == url


def test_another_broker_is_refused_without_showing_its_password(monkeypatch):
    monkeypatch.setenv("BLOX_BROKER_URL", "amqp://guest:geheim@head")
    with pytest.raises(SettingsError, match=r"BLOX_BROKER_URL='amqp://guest:\*\*\*@head': redis"):
        read_settings(BrokerSettings)


def test_a_lease_outlasts_two_heartbeats(monkeypatch):
    monkeypatch.setenv("BLOX_LEASE_S", "1")
    with pytest.raises(SettingsError, match="BLOX_LEASE_S=1: at least twice BLOX_HEARTBEAT_S=10"):
        read_settings(WorkerSettings)


@pytest.mark.parametrize(
    ("address", "listens_on"),
    [
        ("", None),
        ("127.0.0.1:9540", ("127.0.0.1", 9540)),
        ("[::1]:1", ("::1", 1)),
        ("head.lab:65535", ("head.lab", 65535)),
    ],
)
def test_metrics_are_served_on_a_host_and_a_port(monkeypatch, address, listens_on):
    monkeypatch.setenv("BLOX_METRICS_ADDRESS", address)
    assert read_settings(MetricsSettings).listens_on == listens_on


@pytest.mark.parametrize("address", ["9540", ":9540", "h:", "h:0", "h:65536", "::1:9540", "a b:1"])
def test_another_address_is_refused(monkeypatch, address):
    monkeypatch.setenv("BLOX_METRICS_ADDRESS", address)
    with pytest.raises(SettingsError, match=f"BLOX_METRICS_ADDRESS='{address}': HOST:PORT is"):
        read_settings(MetricsSettings)


def test_logs_are_text_or_json(monkeypatch):
    monkeypatch.setenv("BLOX_LOG", "xml")
    with pytest.raises(SettingsError, match="BLOX_LOG='xml': Input should be 'text' or 'json'"):
        read_settings(LogSettings)
