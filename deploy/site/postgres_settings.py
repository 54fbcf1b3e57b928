"""The configuration files of the embedded PostgreSQL. Pure."""

from collections.abc import Mapping

ADMIN_ROLE = "headframe_admin"  # superuser: only the supervisor knows its password
APPLICATION_ROLE = "headframe"
DATABASE = "headframe"
PORT = 5432  # only part of the socket's name: nothing listens on TCP

# Sized for two cores and 4 GB shared with the rest of a demo site.
SETTINGS: Mapping[str, str] = {
    "listen_addresses": "''",
    "port": str(PORT),
    "unix_socket_permissions": "0777",  # the folder is closed; passwords are asked all the same
    "password_encryption": "scram-sha-256",
    "max_connections": "60",
    "cluster_name": "headframe",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "max_worker_processes": "4",
    "max_parallel_workers": "2",
    "max_parallel_workers_per_gather": "1",
    "jit": "off",  # short queries: compiling them costs more than it saves
    # Promise 1: an acknowledged batch is on disk.
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "wal_compression": "pglz",
    "wal_level": "replica",
    "max_wal_size": "1GB",
    "min_wal_size": "80MB",
    "checkpoint_timeout": "5min",
    "random_page_cost": "1.1",
    "autovacuum_naptime": "30s",
    "restart_after_crash": "on",
    "timezone": "'UTC'",
    "log_timezone": "'UTC'",
    "datestyle": "'iso, ymd'",
    "lc_messages": "'C'",
    "log_destination": "'stderr'",
    "log_line_prefix": "'%m [%p] %q%u@%d '",
    "log_min_duration_statement": "2s",
    "log_lock_waits": "on",
    "log_checkpoints": "off",
}

HBA = """\
# Written at every start. The socket's folder is closed to other users, and a password is asked too.
# TYPE  DATABASE  USER  ADDRESS  METHOD
local   all       all            scram-sha-256
host    all       all   all      scram-sha-256
"""


def configuration_text(socket_folder: str) -> str:
    """Return the whole ``postgresql.conf``; ``socket_folder`` is where clients find the server."""
    quoted = socket_folder.replace("'", "''")
    lines = [f"{name} = {value}" for name, value in SETTINGS.items()]
    return "\n".join(
        ["# Written at every start.", *lines, f"unix_socket_directories = '{quoted}'", ""]
    )
