"""What must be true before an edge can run, checked without starting it. All faults at once."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from edge.config import EdgeConfig
from edge.errors import LogError
from edge.ingest.findings import Finding, Grade
from edge.ingest.listener.settings import listener_faults
from edge.ingest.mosquitto_settings import included_folders, judge_settings, read_settings
from edge.ingest.mqtt import read_password, tls_context
from edge.log.database import check_sqlite_version
from shared.errors import ConfigurationError


def failed_checks(config: EdgeConfig) -> Iterator[str]:
    """Yield what stands in the way of a start, each as one sentence that names the key."""
    for check in (check_sqlite_version, lambda: read_password(config.mqtt)):
        try:
            check()
        except (LogError, ConfigurationError) as error:
            yield str(error)
    try:
        tls_context(config.mqtt)
    except ConfigurationError as error:
        yield str(error)
    yield from listener_faults(config.listener)
    yield from _unreadable_files(config)
    yield from _unwritable_state(config.state_dir)
    if (config.api.tls_cert_file is None) != (config.api.tls_key_file is None):
        yield "api: tls_cert_file and tls_key_file must be given together"
    if config.uplink.url is not None and not config.uplink.url.startswith("wss://"):
        yield f"uplink.url: expected wss://HOST:PORT/PATH, got {config.uplink.url}"


def broker_findings(config: EdgeConfig) -> Iterator[Finding]:
    """Yield what the broker's own configuration, where it is named, means for the promise."""
    file = config.mqtt.broker_config_file
    if file is None:
        return
    try:
        text = file.read_text(encoding="utf-8")
        for folder in included_folders(text):
            for more in sorted(Path(folder).glob("*.conf")):
                text += "\n" + more.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        told = f"mqtt.broker_config_file: {file}: {error}"
        yield Finding("broker settings", Grade.FAILED, told, "name a file the edge may read")
        return
    yield from judge_settings(read_settings(text), config.ingest.payload_size_max_bytes)


def _unreadable_files(config: EdgeConfig) -> Iterator[str]:
    files = {
        "uplink.ca_file": config.uplink.ca_file,
        "uplink.cert_file": config.uplink.cert_file,
        "uplink.key_file": config.uplink.key_file,
        "api.tls_cert_file": config.api.tls_cert_file,
        "api.tls_key_file": config.api.tls_key_file,
        "api.jwks_file": config.api.jwks_file,
        "api.accounts_file": config.api.accounts_file,
        "api.signing_key_file": config.api.signing_key_file,
    }
    for key, file in files.items():
        if file is not None and not os.access(file, os.R_OK):
            yield f"{key}: {file} cannot be read"


def _unwritable_state(state_dir: Path) -> Iterator[str]:
    existing = state_dir
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    try:
        with tempfile.TemporaryFile(dir=existing):
            return
    except OSError as error:
        yield f"state_dir: {existing} cannot be written: {error.strerror}"
