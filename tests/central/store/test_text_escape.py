"""Text that PostgreSQL cannot hold, there and back."""

from hypothesis import given
from hypothesis import strategies as st

from central.store.text_escape import escape_text, unescape_text

# Any text, but dense in the two characters that matter.
TEXTS = st.text(alphabet=st.one_of(st.sampled_from("\x00\x100a"), st.characters()))


@given(TEXTS)
def test_every_text_comes_back_and_none_is_stored_with_a_nul(text: str) -> None:
    stored = escape_text(text)
    assert "\x00" not in stored
    assert unescape_text(stored) == text


@given(TEXTS, TEXTS)
def test_different_texts_are_stored_differently(one: str, other: str) -> None:
    assert (escape_text(one) == escape_text(other)) == (one == other)


def test_ordinary_text_is_stored_as_it_is() -> None:
    assert escape_text("mill 3: running\n") == "mill 3: running\n"
