"""Text as PostgreSQL can hold it: everything but U+0000. Pure, reversible.

A device may put a NUL character into a string, and the value must come back as it was sent.
U+0010 (Data Link Escape, made for this) escapes: NUL is stored as U+0010 ``0``, and U+0010 itself
as U+0010 U+0010. Text without either, which is all text that people write, is stored unchanged.
"""

_ESCAPE = "\x10"
_NUL = "\x00"


def escape_text(text: str) -> str:
    """Return ``text`` without NUL characters; `unescape_text` gives it back."""
    if _NUL not in text and _ESCAPE not in text:
        return text
    return text.replace(_ESCAPE, _ESCAPE * 2).replace(_NUL, _ESCAPE + "0")


def unescape_text(stored: str) -> str:
    """Return what `escape_text` was given."""
    if _ESCAPE not in stored:
        return stored
    halves = stored.split(_ESCAPE * 2)
    return _ESCAPE.join(half.replace(_ESCAPE + "0", _NUL) for half in halves)
