"""Entity tags."""

import pytest

from shared.web.etags import matches, state_etag

TAG = state_etag("pump-1", 1, 2.5)


def test_the_same_state_has_the_same_tag_and_another_has_another() -> None:
    assert state_etag("pump-1", 1, 2.5) == TAG
    assert state_etag("pump-1", 1, 2.6) != TAG


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, False),
        ("", False),
        (TAG, True),
        (TAG.removeprefix("W/"), True),  # weak comparison: RFC 9110, 8.8.3.2
        (f'"other", {TAG}', True),
        ("*", True),
        ('W/"other"', False),
        (TAG.strip('"'), False),
    ],
)
def test_matches_by_the_weak_comparison(header: str | None, *, expected: bool) -> None:
    assert matches(header, TAG) == expected
