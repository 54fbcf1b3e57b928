"""Roles and rights: who may do what. Pure tables; every route and socket names one right."""

from collections.abc import Collection
from enum import StrEnum

from shared.ids import Kind


class Role(StrEnum):
    """What an approved account works as; an account may have several."""

    ADMIN = "admin"
    REMOTE_ENGINEER = "remote_engineer"
    SAFETY_OFFICER = "safety_officer"
    MAINTENANCE_TECH = "maintenance_tech"
    SUPERVISOR = "supervisor"
    OPERATOR = "operator"
    OPERATOR_VIEWER = "operator_viewer"
    ANALYST = "analyst"


class Right(StrEnum):
    """One thing an account may do, as ``subject:act``."""

    ALERTS_READ = "alerts:read"
    ASSETS_READ = "assets:read"
    ENVIRONMENT_READ = "environment:read"
    SYNC_READ = "sync:read"
    TELEMETRY_READ = "telemetry:read"
    WORKERS_READ = "workers:read"


ALL_ROLES = frozenset(Role)
# Admin may all; remote_engineer may all but users and audit, as in the system it replaces.
_FULL_ACCESS = frozenset({Role.ADMIN, Role.REMOTE_ENGINEER})

ROLES_OF_RIGHT: dict[Right, frozenset[Role]] = {
    Right.ALERTS_READ: ALL_ROLES,
    Right.ASSETS_READ: ALL_ROLES,
    Right.ENVIRONMENT_READ: ALL_ROLES,
    Right.SYNC_READ: _FULL_ACCESS | {Role.ANALYST},
    Right.TELEMETRY_READ: ALL_ROLES,
    Right.WORKERS_READ: _FULL_ACCESS | {Role.SAFETY_OFFICER},
}


def may(roles: Collection[Role], right: Right) -> bool:
    """Tell whether an account with ``roles`` has ``right``; an account without a role has none."""
    allowed = ROLES_OF_RIGHT[right]
    return any(role in allowed for role in roles)


def visible_kinds(roles: Collection[Role], kinds: Collection[Kind]) -> frozenset[Kind]:
    """Return those of ``kinds`` that ``roles`` may see: workers only with ``workers:read``."""
    if may(roles, Right.WORKERS_READ):
        return frozenset(kinds)
    return frozenset(kinds) - {Kind.WORKER}
