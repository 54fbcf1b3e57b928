"""The embedded PostgreSQL's data: made once, checked and configured at every start."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from deploy.errors import SiteUsageError
from deploy.site.children import Account, Launch
from deploy.site.leftovers import FAST_SHUTDOWN, postmaster_pid
from deploy.site.postgres_binaries import PostgresBinaries
from deploy.site.postgres_settings import ADMIN_ROLE, HBA, configuration_text
from deploy.site.private_files import kept_password, write_private
from deploy.site.program import run_to_end
from deploy.site.state_dir import StateDir

INITDB_TIMEOUT_S = 120.0  # 1 s here; slow flash takes its time
_INITDB_OPTIONS = (
    "--encoding=UTF8",
    # Sorting by code point: the same on every machine, for ever, whatever the C library does.
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--data-checksums",
    "--auth=scram-sha-256",
)


@dataclass(frozen=True, slots=True)
class Cluster:
    """One embedded PostgreSQL."""

    state: StateDir
    binaries: PostgresBinaries
    account: Account | None
    socket_folder: Path

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.state.postgres / "data"

    @property
    def admin_password_file(self) -> Path:
        """The superuser's password."""
        return self.state.secrets / "postgres-admin"

    @property
    def application_password_file(self) -> Path:
        """The application role's password."""
        return self.state.secrets / "postgres-application"

    def launch(self) -> Launch:
        """Return how to start the server."""
        return Launch(
            command=(str(self.binaries.postgres), "-D", str(self.data)),
            folder=Path("/"),
            account=self.account,
            death_signal=FAST_SHUTDOWN,
        )


async def prepare_cluster(cluster: Cluster) -> None:
    """Make the cluster if there is none, and write its configuration.

    Raises:
        SiteUsageError: if it is of another major version.
        SiteError: if it cannot be made.
    """
    _own_folder(cluster.state.postgres, cluster.account)
    _own_folder(cluster.socket_folder, cluster.account)
    _check_major(cluster)
    if not (cluster.data / "PG_VERSION").exists():
        await _make_cluster(cluster)
    _drop_stale_pid(cluster)
    text = configuration_text(str(cluster.socket_folder))
    _write_owned(cluster.data / "postgresql.conf", text, cluster.account)
    _write_owned(cluster.data / "pg_hba.conf", HBA, cluster.account)


def _check_major(cluster: Cluster) -> None:
    stated = cluster.data / "PG_VERSION"
    if stated.exists() and stated.read_text().strip() != str(cluster.binaries.major):
        raise SiteUsageError(
            f"--state {cluster.state.root}: its data is of PostgreSQL {stated.read_text().strip()},"
            f" this version of Headframe brings PostgreSQL {cluster.binaries.major}; dump it with"
            " the old version or choose another --state"
        )


async def _make_cluster(cluster: Cluster) -> None:
    draft = cluster.state.postgres / "draft"  # becomes "data" only when it is complete
    password_file = cluster.state.postgres / "password"
    shutil.rmtree(draft, ignore_errors=True)
    password = kept_password(cluster.admin_password_file)
    _write_owned(password_file, password + "\n", cluster.account)
    launch = Launch(
        command=(
            str(cluster.binaries.initdb),
            *("-D", str(draft), f"--username={ADMIN_ROLE}", f"--pwfile={password_file}"),
            *_INITDB_OPTIONS,
        ),
        folder=Path("/"),
        account=cluster.account,
    )
    try:
        await run_to_end(
            "initdb",
            launch.argv(),
            timeout_s=INITDB_TIMEOUT_S,
            variables={"LC_ALL": "C", "TZ": "UTC"},
        )
        draft.rename(cluster.data)
    finally:
        password_file.unlink(missing_ok=True)


def _drop_stale_pid(cluster: Cluster) -> None:
    """Remove a lock that names a process which is not this cluster's server.

    After a power cut the number may belong to anyone, and PostgreSQL would refuse to start. The
    shared-memory check of PostgreSQL itself still guards against backends that are alive.
    """
    lock = cluster.data / "postmaster.pid"
    if lock.exists() and postmaster_pid(cluster.data) is None:
        lock.unlink()


def _own_folder(folder: Path, account: Account | None) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)
    if account is not None:
        os.chown(folder, account.uid, account.gid)


def _write_owned(file: Path, text: str, account: Account | None) -> None:
    write_private(file, text, owner=None if account is None else (account.uid, account.gid))
