"""What pydantic finds is told in the words of whoever wrote it."""

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from shared.validation import expectation


class Pump(BaseModel):
    model_config = ConfigDict(extra="forbid")

    rate_hz: Annotated[float, Field(gt=0)] = 1.0
    name: Annotated[str, Field(min_length=1, pattern="^[a-z]+$")] = "a"
    mode: Literal["auto", "manual"] = "auto"
    poles: int = 2

    @field_validator("poles")
    @classmethod
    def _even(cls, poles: int) -> int:
        if poles % 2:
            raise ValueError("Must be even")
        return poles


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"rate_hz": 0}, "expected greater than 0"),
        ({"rate_hz": "x"}, "expected a valid number, unable to parse string as a number"),
        ({"name": ""}, "expected at least 1 character"),
        ({"name": "A"}, "expected pattern '^[a-z]+$'"),
        ({"mode": "off"}, "expected 'auto' or 'manual'"),
        ({"poles": 3}, "must be even"),
        ({"phases": 3}, "unknown; known are: rate_hz, name, mode, poles"),
    ],
)
def test_the_words(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Pump.model_validate(values)
    (wrong,) = caught.value.errors()
    assert expectation(wrong, Pump.model_fields) == words


def test_an_unknown_key_is_named_so_where_the_known_ones_are_not_told() -> None:
    with pytest.raises(ValidationError) as caught:
        Pump.model_validate({"phases": 3})
    assert expectation(caught.value.errors()[0]) == "unknown: there is no such key"


def test_what_is_missing_is_required() -> None:
    class Needed(BaseModel):
        name: str

    with pytest.raises(ValidationError) as caught:
        Needed.model_validate({})
    assert expectation(caught.value.errors()[0]) == "is required"
