"""Who may do what; the contract's table in code."""

import pytest

from shared.access.roles import ALL_ROLES, ROLES_OF_RIGHT, Right, Role, may, visible_kinds
from shared.ids import Kind

# From the table of the contract, in the order of its columns.
MAY_SEE_WORKERS = {Role.ADMIN, Role.REMOTE_ENGINEER, Role.SAFETY_OFFICER}
MAY_SEE_SYNC = {Role.ADMIN, Role.REMOTE_ENGINEER, Role.ANALYST}


@pytest.mark.parametrize("role", ALL_ROLES)
def test_workers_are_seen_by_those_who_answer_for_safety(role: Role) -> None:
    assert may([role], Right.WORKERS_READ) == (role in MAY_SEE_WORKERS)


@pytest.mark.parametrize("role", ALL_ROLES)
def test_the_links_are_seen_by_analysts(role: Role) -> None:
    assert may([role], Right.SYNC_READ) == (role in MAY_SEE_SYNC)


@pytest.mark.parametrize("right", [Right.ASSETS_READ, Right.ENVIRONMENT_READ, Right.TELEMETRY_READ])
def test_everybody_with_a_role_reads_the_mine(right: Right) -> None:
    assert ROLES_OF_RIGHT[right] == ALL_ROLES


@pytest.mark.parametrize("right", Right)
def test_admin_and_remote_engineer_have_every_right_so_far(right: Right) -> None:
    assert may([Role.ADMIN], right)
    assert may([Role.REMOTE_ENGINEER], right)


@pytest.mark.parametrize("right", Right)
def test_an_account_without_a_role_has_no_right(right: Right) -> None:
    assert not may([], right)


def test_two_roles_have_the_rights_of_both() -> None:
    assert may([Role.OPERATOR, Role.SAFETY_OFFICER], Right.WORKERS_READ)


def test_workers_are_left_out_for_who_may_not_see_them() -> None:
    kinds = frozenset({Kind.WORKER, Kind.VEHICLE})
    assert visible_kinds([Role.ANALYST], kinds) == {Kind.VEHICLE}
    assert visible_kinds([Role.SAFETY_OFFICER], kinds) == kinds
