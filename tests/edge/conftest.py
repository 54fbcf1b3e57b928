"""Fixtures of more than one part of the edge."""

from collections.abc import AsyncIterator

import pytest

from tests.support.staged_broker import StagedBroker, staged_broker


@pytest.fixture
async def broker() -> AsyncIterator[StagedBroker]:
    async with staged_broker() as staged:
        yield staged
