"""The servers of a site alone: the embedded PostgreSQL and broker, and what a dead site leaves."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest

from deploy.errors import SiteUsageError
from deploy.site.children import CHILD_VARIABLE, STATE_VARIABLE, Account, Launch
from deploy.site.leftovers import Leftover, find_leftovers, record_child, stop_leftovers
from deploy.site.postgres_account import choose_account
from deploy.site.postgres_binaries import find_binaries
from deploy.site.postgres_cluster import Cluster, prepare_cluster
from deploy.site.postgres_roles import (
    check_server,
    connection_text,
    ensure_application_role,
    server_answers,
)
from deploy.site.private_files import kept_password
from deploy.site.runtime_dir import open_runtime_dir
from deploy.site.state_dir import StateDir, open_state_dir
from shared.clock import SystemClock
from tests.support.eventually import eventually, gone

pytestmark = pytest.mark.slow


async def run(launch: Launch) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *launch.argv(), cwd=launch.folder, start_new_session=True
    )


async def until_it_answers(cluster: Cluster) -> None:
    password = kept_password(cluster.admin_password_file)
    await eventually(lambda: server_answers(cluster.socket_folder, password))


async def application(cluster: Cluster) -> psycopg.AsyncConnection:
    text = connection_text(cluster.socket_folder, user="headframe", database="headframe")
    password = kept_password(cluster.application_password_file)
    return await psycopg.AsyncConnection.connect(text, password=password, autocommit=True)


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    # As root, pytest's folders are closed to the database's account: the hard case.
    state = open_state_dir(tmp_path / "state")
    binaries = find_binaries()
    account = await choose_account(binaries, state.root)
    made = Cluster(state, binaries, account, open_runtime_dir(state) / "pg")
    await prepare_cluster(made)
    yield made
    await stop_leftovers(find_leftovers(state), SystemClock())


async def test_the_application_is_no_superuser_and_needs_its_password(cluster: Cluster) -> None:
    await run(cluster.launch())
    await until_it_answers(cluster)
    for _ in range(2):  # every start does it again
        await ensure_application_role(
            cluster.socket_folder,
            admin_password=kept_password(cluster.admin_password_file),
            application_password=kept_password(cluster.application_password_file),
        )
    connection = await application(cluster)
    row = await (
        await connection.execute(
            "SELECT rolsuper OR rolcreaterole OR rolcreatedb FROM pg_roles"
            " WHERE rolname = current_user"
        )
    ).fetchone()
    assert row == (False,)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        await connection.execute("SELECT pg_read_file('/etc/hostname')")
    await connection.close()
    text = connection_text(cluster.socket_folder, user="headframe", database="headframe")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        await psycopg.AsyncConnection.connect(text, password="wrong")
    await check_server(f"{text} password={kept_password(cluster.application_password_file)}")


async def test_what_was_committed_survives_a_killed_server(cluster: Cluster) -> None:
    server = await run(cluster.launch())
    await until_it_answers(cluster)
    await ensure_application_role(
        cluster.socket_folder,
        admin_password=kept_password(cluster.admin_password_file),
        application_password=kept_password(cluster.application_password_file),
    )
    connection = await application(cluster)
    await connection.execute("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n")
    server.kill()
    await server.wait()
    await connection.close()
    await prepare_cluster(cluster)
    await run(cluster.launch())
    await until_it_answers(cluster)
    again = await application(cluster)
    row = await (await again.execute("SELECT count(*) FROM kept")).fetchone()
    assert row == (1000,)
    await again.close()


async def test_a_server_left_behind_is_found_by_its_data_and_shut_down(cluster: Cluster) -> None:
    server = await run(cluster.launch())
    await until_it_answers(cluster)
    (found,) = find_leftovers(cluster.state)
    assert found == Leftover("postgres", server.pid)
    await stop_leftovers([found], SystemClock())
    assert await server.wait() == 0  # it was asked, not killed
    assert not (cluster.data / "postmaster.pid").exists()


async def test_a_lock_that_names_a_stranger_does_not_stop_the_start(cluster: Cluster) -> None:
    lock = cluster.data / "postmaster.pid"
    lock.write_text(f"{os.getpid()}\n{cluster.data}\n")
    await prepare_cluster(cluster)
    assert not lock.exists()
    assert find_leftovers(cluster.state) == []


async def test_data_of_another_postgresql_is_refused(cluster: Cluster) -> None:
    (cluster.data / "PG_VERSION").write_text("14\n")
    with pytest.raises(SiteUsageError, match=r"is of PostgreSQL 14, .* brings PostgreSQL 18"):
        await prepare_cluster(cluster)


async def test_an_interrupted_first_start_begins_again(cluster: Cluster) -> None:
    cluster.data.rename(cluster.state.postgres / "draft")  # what a kill during initdb leaves
    (cluster.state.postgres / "draft" / "PG_VERSION").unlink()
    await prepare_cluster(cluster)
    assert (cluster.data / "PG_VERSION").exists()


async def test_a_server_that_cannot_be_reached_is_refused() -> None:
    with pytest.raises(SiteUsageError, match="--postgres: cannot connect"):
        await check_server("postgresql://nobody@127.0.0.1:1/none")


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    return open_state_dir(tmp_path / "state")


def sleeper(**variables: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(["sleep", "60"], env={**os.environ, **variables})


async def test_a_marked_process_is_found_without_any_record(state: StateDir) -> None:
    ours = sleeper(**{STATE_VARIABLE: str(state.root), CHILD_VARIABLE: "edge"})
    other = sleeper(**{STATE_VARIABLE: f"{state.root}x", CHILD_VARIABLE: "edge"})
    try:
        assert find_leftovers(state) == [Leftover("edge", ours.pid)]
        await stop_leftovers(find_leftovers(state), SystemClock())
        assert ours.wait(5) == -signal.SIGTERM
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


async def test_a_recorded_process_is_found_but_never_its_successor(state: StateDir) -> None:
    ours = sleeper()
    record_child(state, "broker", ours.pid)
    assert find_leftovers(state) == [Leftover("broker", ours.pid)]
    record = state.run / "child-broker.json"
    table = json.loads(record.read_text())
    record.write_text(json.dumps({**table, "birth": "another-boot/1"}))
    assert find_leftovers(state) == []
    ours.kill()
    ours.wait()


async def test_a_child_gets_its_signal_when_the_supervisor_dies(tmp_path: Path) -> None:
    launch = Launch(("/bin/sh", "-c", "echo $$; exec sleep 60"), tmp_path)
    script = f"""
import os, subprocess, sys
from deploy.site.children import Launch
from pathlib import Path
launch = Launch({launch.command!r}, Path("/"))
subprocess.Popen(launch.argv())
sys.stdin.read()
"""
    supervisor = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        script,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert supervisor.stdout is not None
    pid = int(await supervisor.stdout.readline())
    supervisor.kill()
    await supervisor.wait()
    await eventually(lambda: ended(pid))


async def ended(pid: int) -> bool:
    return gone(pid)


@pytest.mark.needs_root
async def test_the_databases_account_reads_where_it_must_and_can_do_nothing_else(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").write_text("inside")  # below a folder that pytest closes: 0700
    account = Account("nobody", 65534, 65534, (), read_anywhere=True)
    script = 'cat "$1/file" && grep -E "^(Uid|CapEff|NoNewPrivs)" /proc/self/status; touch "$1/x"'
    launch = Launch(("/bin/sh", "-c", script, "sh", str(tmp_path)), Path("/"), account=account)
    child = await asyncio.create_subprocess_exec(
        *launch.argv(), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    output, complaints = await child.communicate()
    lines = output.decode().split("\n")
    assert lines[0].startswith("insideUid:\t65534\t65534")
    assert lines[1:3] == ["CapEff:\t0000000000000004", "NoNewPrivs:\t1"]  # DAC_READ_SEARCH alone
    assert b"Permission denied" in complaints
