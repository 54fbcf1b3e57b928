"""Who may talk to whom: certificates, names and TLS versions on the real transport."""

import ssl
from pathlib import Path

import aiohttp
import pytest
from prometheus_client import CollectorRegistry

from central.config import SyncConfig
from central.errors import CentralError
from central.inbox.acceptor import SyncListener, identity_of, start_sync_listener
from central.metrics import SyncMetrics
from edge.config import UplinkConfig
from edge.uplink.transport import tls_context
from shared.clock import SystemClock
from tests.support.certificates import Authority
from tests.support.edge_log import opened
from tests.support.eventually import until
from tests.support.memory_inbox import MemoryInboxStore
from tests.support.sync_link import HOST, SyncSite, uplinked


async def error_of(config: UplinkConfig, folder: Path, expected: str) -> None:
    """Wait until an uplink with ``config`` has given up with ``expected`` in its error."""
    async with opened(folder / "edge") as journal, uplinked(config, journal) as uplink:
        await until(lambda: expected in (uplink.link.error or ""))
        assert uplink.link.sessions == 0


async def start(config: SyncConfig) -> None:
    """Start a listener with ``config`` and stop it."""
    metrics = SyncMetrics(CollectorRegistry())
    async with start_sync_listener(config, MemoryInboxStore(), SystemClock(), metrics):
        pass


async def answer_of(listener: SyncListener, context: ssl.SSLContext) -> int:
    """Return the HTTP status of an upgrade with ``context``."""
    connector = aiohttp.TCPConnector(ssl=context)
    async with aiohttp.ClientSession(connector=connector) as session:
        try:
            await session.ws_connect(f"wss://{HOST}:{listener.port}/sync/v1")
        except aiohttp.WSServerHandshakeError as error:
            return error.status
    return 101


async def test_the_edge_refuses_a_central_of_another_authority(tmp_path: Path) -> None:
    site, stranger = SyncSite(tmp_path), Authority(tmp_path / "other")
    async with site.listening(MemoryInboxStore()) as listener:
        config = site.uplink_config(listener.port)
        config = config.model_copy(update={"ca_file": stranger.ca_file})
        await error_of(config, tmp_path, "certificate verify failed")


async def test_the_edge_refuses_a_central_whose_certificate_is_for_another_address(
    tmp_path: Path,
) -> None:
    site = SyncSite(tmp_path)
    site.central = site.authority.issue("elsewhere", host="192.0.2.1")
    async with site.listening(MemoryInboxStore()) as listener:
        await error_of(site.uplink_config(listener.port), tmp_path, "certificate verify failed")


async def test_central_refuses_an_edge_of_another_authority(tmp_path: Path) -> None:
    site, stranger = SyncSite(tmp_path), Authority(tmp_path / "other")
    store = MemoryInboxStore()
    async with site.listening(store) as listener:
        config = site.uplink_config(listener.port, files=stranger.issue("kaduna/edge-1"))
        await error_of(config, tmp_path, "cannot connect")
        assert not store.database.data


async def test_central_refuses_an_edge_without_a_certificate(tmp_path: Path) -> None:
    site = SyncSite(tmp_path)
    async with site.listening(MemoryInboxStore()) as listener:
        context = ssl.create_default_context(cafile=str(site.authority.ca_file))
        with pytest.raises(aiohttp.ClientError):
            await answer_of(listener, context)


async def test_central_refuses_tls_1_2(tmp_path: Path) -> None:
    site = SyncSite(tmp_path)
    async with site.listening(MemoryInboxStore()) as listener:
        context = tls_context(site.uplink_config(listener.port))
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises(aiohttp.ClientConnectorError):
            await answer_of(listener, context)


@pytest.mark.parametrize("name", ["central", "kaduna/edge/1", "Kaduna/edge-1", "/edge-1"])
async def test_a_certificate_that_names_no_edge_is_forbidden(tmp_path: Path, name: str) -> None:
    site = SyncSite(tmp_path)
    async with site.listening(MemoryInboxStore()) as listener:
        files = site.authority.issue(name)
        context = tls_context(site.uplink_config(listener.port, files=files))
        assert await answer_of(listener, context) == 403


async def test_an_edge_that_says_another_name_than_its_certificate_is_turned_away(
    tmp_path: Path,
) -> None:
    site, store = SyncSite(tmp_path), MemoryInboxStore()
    async with site.listening(store) as listener:
        config = site.uplink_config(listener.port, files=site.authority.issue("kaduna/edge-2"))
        expected = "bad_identity: HELLO says kaduna/edge-1, the certificate says kaduna/edge-2"
        await error_of(config, tmp_path, expected)
        assert not store.database.data


async def test_another_installation_under_the_same_name_is_turned_away(tmp_path: Path) -> None:
    site, store = SyncSite(tmp_path), MemoryInboxStore()
    async with (
        site.listening(store) as listener,
        opened(tmp_path / "edge") as journal,
        uplinked(site.uplink_config(listener.port), journal) as uplink,
    ):
        await until(lambda: uplink.link.is_connected)
        await error_of(site.uplink_config(listener.port), tmp_path / "b", "duplicate_identity")
        assert uplink.link.sessions == 2  # the incumbents stay, undisturbed


async def test_the_same_installation_takes_its_own_old_session_over(tmp_path: Path) -> None:
    site, store = SyncSite(tmp_path), MemoryInboxStore()
    async with site.listening(store) as listener, opened(tmp_path / "edge") as journal:
        config = site.uplink_config(listener.port, backoff_min_s=60.0, backoff_max_s=60.0)
        async with uplinked(config, journal) as old, uplinked(config, journal) as new:
            await until(lambda: old.link.sessions + new.link.sessions >= 2)
            await until(lambda: "taken_over" in f"{old.link.error}{new.link.error}")
            assert len(listener.live) == 1


@pytest.mark.parametrize(
    ("key", "named"), [("ca_file", "uplink.ca_file"), ("cert_file", "uplink.cert_file")]
)
async def test_a_missing_file_is_named(tmp_path: Path, key: str, named: str) -> None:
    site = SyncSite(tmp_path)
    config = site.uplink_config(1).model_copy(update={key: tmp_path / "missing.pem"})
    await error_of(config, tmp_path, f"{named} {tmp_path}/missing.pem")


async def test_an_address_that_is_not_secure_is_refused(tmp_path: Path) -> None:
    config = UplinkConfig(url="ws://127.0.0.1:1/sync/v1", backoff_max_s=0.5)
    await error_of(config, tmp_path, "uplink.url must be wss://")


@pytest.mark.parametrize("key", ["cert_file", "client_ca_file"])
async def test_a_listener_without_its_files_does_not_start(tmp_path: Path, key: str) -> None:
    site = SyncSite(tmp_path)
    missing = Path(tmp_path / "missing.pem")
    site_config = site.sync_config().model_copy(update={key: missing})
    with pytest.raises(CentralError, match=f"sync.{key} .*missing.pem"):
        await start(site_config)


async def test_a_listener_whose_port_is_taken_does_not_start(tmp_path: Path) -> None:
    site = SyncSite(tmp_path)
    async with site.listening(MemoryInboxStore()) as listener:
        with pytest.raises(CentralError, match=f"cannot listen on {HOST}:{listener.port}"):
            await start(site.sync_config(port=listener.port))


def test_a_certificate_with_two_names_names_nobody() -> None:
    name = ("commonName", "kaduna/edge-1")
    assert identity_of({"subject": ((name,), (name,))}) is None
    assert identity_of(None) is None
