"""A PostgreSQL for the length of a benchmark, set up as `headframe up` sets up its own."""

import asyncio
import secrets
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from bench.children import answer_of, started
from central.config import DatabaseConfig
from central.store.address import address_of
from central.store.schema import upgrade_schema
from deploy.site.postgres_account import choose_account
from deploy.site.postgres_binaries import find_binaries
from deploy.site.postgres_cluster import Cluster, prepare_cluster
from deploy.site.postgres_roles import connection_text, ensure_application_role, server_answers
from deploy.site.postgres_settings import APPLICATION_ROLE, DATABASE
from deploy.site.state_dir import StateDir

START_TIMEOUT_S = 60.0


@asynccontextmanager
async def running_database(
    folder: Path, postgres: str | None
) -> AsyncGenerator[tuple[DatabaseConfig, tuple[int, ...]]]:
    """Yield a migrated database and the processes that are its server.

    ``postgres`` names an empty database of a real server; None: an embedded one below ``folder``.

    Raises:
        BenchError: if the server does not start.
        HeadframeError: if the database cannot be used.
    """
    if postgres is not None:
        config = DatabaseConfig(url=postgres)
        upgrade_schema(address_of(config))
        yield config, ()
        return
    state = StateDir(folder / "site")
    for needed in (state.root, state.secrets):
        needed.mkdir(mode=0o711, exist_ok=True)
    binaries = find_binaries()
    account = await choose_account(binaries, state.root)
    with tempfile.TemporaryDirectory(prefix="hfb-") as socket_folder:
        above = Path(socket_folder)
        await asyncio.to_thread(above.chmod, 0o711)
        cluster = Cluster(state, binaries, account, above / "pg")
        await prepare_cluster(cluster)
        output = folder / "postgresql.log"
        async with started(output, *cluster.launch().argv()) as process:
            admin = cluster.admin_password_file.read_text(encoding="utf-8").strip()

            async def answers() -> bool:
                return await server_answers(cluster.socket_folder, admin)

            await answer_of(
                process,
                answers,
                timeout_s=START_TIMEOUT_S,
                output=output,
                failed="PostgreSQL did not start",
            )
            yield await _own_database(cluster, admin), (process.pid,)


async def _own_database(cluster: Cluster, admin: str) -> DatabaseConfig:
    password = secrets.token_urlsafe(16)
    await ensure_application_role(
        cluster.socket_folder, admin_password=admin, application_password=password
    )
    cluster.application_password_file.write_text(password + "\n", encoding="utf-8")
    config = DatabaseConfig(
        url=connection_text(cluster.socket_folder, user=APPLICATION_ROLE, database=DATABASE),
        password_file=cluster.application_password_file,
        statement_timeout_s=300.0,
    )
    upgrade_schema(address_of(config))
    return config
