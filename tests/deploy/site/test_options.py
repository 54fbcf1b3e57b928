"""Which options go together, and what the others say."""

from pathlib import Path

import pytest

from deploy.errors import SiteUsageError
from deploy.publisher import BrokerAddress
from deploy.site.options import (
    RATE_LIMIT_OFF,
    SiteOptions,
    check_options,
    is_loopback,
    parse_rate_limit,
)

STATE = Path("state")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.10", "::1", "localhost"])
def test_a_loopback_host_needs_nothing_else(host: str) -> None:
    check_options(SiteOptions(STATE, host=host))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "mine.example"])
def test_another_host_is_refused_without_tls(host: str) -> None:
    with pytest.raises(SiteUsageError, match=r"--host .*--tls-cert and --tls-key, or --insecure"):
        check_options(SiteOptions(STATE, host=host))


def test_another_host_is_allowed_where_that_is_meant() -> None:
    check_options(SiteOptions(STATE, host="0.0.0.0", insecure=True))


def test_another_host_is_allowed_with_tls(tmp_path: Path) -> None:
    for name in ("cert", "key"):
        (tmp_path / name).touch()
    options = SiteOptions(
        STATE, host="10.0.0.1", tls_cert=tmp_path / "cert", tls_key=tmp_path / "key"
    )
    check_options(options)
    assert options.web_address("http", 8000) == "https://10.0.0.1:8000"
    assert options.mqtt_host == "127.0.0.1"  # the embedded broker has no TLS


def test_a_listener_needs_an_account_for_its_device() -> None:
    given = BrokerAddress("10.0.0.5", 1883)
    check_options(SiteOptions(STATE, listener_port=1884))
    with pytest.raises(SiteUsageError, match="--listener-port: nobody may publish"):
        check_options(SiteOptions(STATE, listener_port=1884, broker=given))


def test_half_a_certificate_is_refused() -> None:
    with pytest.raises(SiteUsageError, match="belong together"):
        check_options(SiteOptions(STATE, tls_cert=Path("cert.pem")))


def test_a_certificate_that_is_not_there_is_named() -> None:
    with pytest.raises(SiteUsageError, match=r"--tls-cert gone\.pem: no such file"):
        check_options(SiteOptions(STATE, tls_cert=Path("gone.pem"), tls_key=Path("key.pem")))


def test_a_rate_limit_is_a_number_or_off() -> None:
    assert [parse_rate_limit(text) for text in ("5", "off", None)] == [5, RATE_LIMIT_OFF, None]
    for text in ("0", "-1", "many", "1.5", "٣"):
        with pytest.raises(SiteUsageError, match="expected a number of requests or off"):
            parse_rate_limit(text)


def test_a_wildcard_is_told_as_an_address_that_can_be_dialled() -> None:
    anywhere = SiteOptions(STATE, host="0.0.0.0", insecure=True)
    assert anywhere.web_address("http", 8000) == "http://127.0.0.1:8000"
    assert SiteOptions(STATE, host="::1").web_address("ws", 1) == "ws://[::1]:1"


def test_a_name_is_not_trusted_to_be_loopback() -> None:
    assert not is_loopback("localhost.evil.example")
