"""Redis and PostgreSQL by TLS, with a certificate authority of our own, as between nodes."""

import asyncio
from urllib.parse import quote

import pytest
from flower.utils.broker import Broker as FlowerBroker

from blox_store.errors import StoreUnavailable
from blox_store.store import Store
from blox_worker.errors import BrokerUnavailable
from blox_worker.queue.broker import Broker
from blox_worker.queue.celery_app import make_app
from tests.support.certificates import made_certificate
from tests.support.queue_messages import taken
from tests.support.servers import free_port, own_postgres, own_redis
from tests.support.store_jobs import make_run

PASSWORD = "p@ss:w/rd"
STORE_ID = "0123456789abcdef"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """The folder of the servers' certificate."""
    return made_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def postgres(authority):
    """A PostgreSQL on localhost that offers TLS; gives its URL without a query."""
    port = free_port()
    with own_postgres("listen_addresses=localhost", tls=authority, port=port):
        yield f"postgresql://postgres@localhost:{port}/postgres"


@pytest.fixture(scope="module")
def redis(authority):
    """A Redis on localhost that speaks TLS alone and wants a password; gives its URL."""
    port = free_port()
    options = ["--tls-port", str(port), "--tls-auth-clients", "no", "--requirepass", PASSWORD]
    quoted = quote(PASSWORD, safe="")
    with own_redis(*options, tls=authority, password=quoted):
        yield f"rediss://:{quoted}@localhost:{port}/0"


def test_a_store_is_reached_by_tls_and_the_server_is_checked(postgres, authority):
    url = f"{postgres}?sslmode=verify-full&sslrootcert={authority}/certificate"
    with Store(url, migrate=True) as store, store._database.read() as connection:
        used = connection.exec_driver_sql(
            "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
        )
        assert used.scalar() is True


def test_a_server_whose_certificate_nobody_vouches_for_is_refused(postgres, tmp_path):
    other = made_certificate(tmp_path)
    with pytest.raises(StoreUnavailable, match="certificate verify failed"):
        Store(f"{postgres}?sslmode=verify-full&sslrootcert={other}/certificate")


@pytest.mark.parametrize("also", ["", "&ssl_cert_reqs=required"])
def test_a_queue_is_reached_by_tls(redis, authority, sqlite_store_url, also):
    url = f"{redis}?ssl_ca_certs={authority}/certificate{also}"
    with Store(sqlite_store_url) as store:
        run, _ = make_run(store)
        store.runs.add_jobs(run.id, [3, 4])
        app = make_app(url, store.id)
        Broker(app).publish(run, store.jobs.due(run.id))
        assert PASSWORD not in Broker(app).url
        assert [index for _, index in taken(app)] == [3, 4]


def test_a_queue_whose_certificate_nobody_vouches_for_is_refused(redis):
    broker = Broker(make_app(redis, STORE_ID))
    with pytest.raises(BrokerUnavailable, match="certificate verify failed") as caught:
        broker.waiting()
    assert PASSWORD not in str(caught.value)


def test_flowers_page_of_the_queue_checks_the_certificate_too(redis, authority):
    app = make_app(f"{redis}?ssl_ca_certs={authority}/certificate", STORE_ID)
    with app.connection() as connection:
        shown = connection.as_uri(include_password=True)
    page = FlowerBroker(shown, broker_use_ssl=app.conf.broker_use_ssl)
    assert asyncio.run(page.queues(["queue"])) == [{"name": "queue", "messages": 0}]
