"""The installation's identity file. Owns who this edge is; what central grants is in meta.db."""

import json
import re
import uuid
from typing import Any, cast

from edge.errors import LogError, LogForeignError, LogVersionError
from edge.log.layout import Layout, write_durably
from edge.log.records import Identity

IDENTITY_FORMAT = 1
_SIZE_MAX_BYTES = 65_536  # ours has about 200
_INSTALL_UUID = re.compile(r"[0-9a-f]{32}")


def load_identity(layout: Layout, site: str, edge_id: str) -> Identity | None:
    """Return the identity on disk, or None when there is none that can be read.

    Raises:
        LogForeignError: if it belongs to another site or edge. LogVersionError: if a newer version
            wrote it. LogError: if it cannot be read.
    """
    try:
        with layout.identity_file.open("rb") as stream:
            document: Any = json.loads(stream.read(_SIZE_MAX_BYTES))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LogError(f"{layout.identity_file}: cannot be read: {error.strerror}") from error
    except ValueError:  # torn or scribbled over: the segments know who they belong to
        return None
    if not isinstance(document, dict):
        return None
    return _parse(cast("dict[str, Any]", document), layout, site, edge_id)


def _parse(document: dict[str, Any], layout: Layout, site: str, edge_id: str) -> Identity | None:
    written = document.get("format")
    if isinstance(written, int) and written > IDENTITY_FORMAT:
        raise LogVersionError(
            f"{layout.identity_file}: format {written} was written by a newer version; "
            f"this one reads up to {IDENTITY_FORMAT}"
        )
    install_uuid = str(document.get("install_uuid"))
    if written != IDENTITY_FORMAT or not _INSTALL_UUID.fullmatch(install_uuid):
        return None
    owner = (document.get("site"), document.get("edge_id"))
    if owner != (site, edge_id):
        raise LogForeignError(
            f"{layout.identity_file} belongs to site {owner[0]!r}, edge {owner[1]!r}; "
            f"configured are {site!r}, {edge_id!r}: use another state_dir"
        )
    return Identity(site, edge_id, install_uuid)


def new_identity(site: str, edge_id: str) -> Identity:
    """Return a fresh identity with 128 random bits."""
    return Identity(site, edge_id, uuid.uuid4().hex)


def save_identity(layout: Layout, identity: Identity) -> None:
    """Write ``identity`` durably; errors as `edge.log.layout.disk_errors`."""
    document = {
        "format": IDENTITY_FORMAT,
        "site": identity.site,
        "edge_id": identity.edge_id,
        "install_uuid": identity.install_uuid,
    }
    write_durably(layout.identity_file, json.dumps(document, indent=1).encode() + b"\n")
