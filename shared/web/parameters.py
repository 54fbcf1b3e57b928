"""Reading of requests into typed models, with every mistake named at once. Does no I/O."""

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar, cast, get_origin

import msgspec
from multidict import MultiMapping
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from shared.errors import ApiError, ErrorCode, Mistake, invalid_field
from shared.validation import expectation

BODY_SIZE_MAX_BYTES = 65_536  # the longest body of a route so far, a sign-in, has 2 kB
SHOWN_VALUE_LENGTH_MAX = 80  # of a wrong value, in the message that refuses it
MISTAKES_MAX = 50  # named in one answer

ModelT = TypeVar("ModelT", bound=BaseModel)


class Parameters(BaseModel):
    """Base of all query, path and body models: frozen, and an unknown name is a mistake.

    A misspelt filter that is silently ignored shows the wrong data as if it were right.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")


class NoParameters(Parameters):
    """A request that takes none."""


class RequestReading:
    """Gathers the mistakes of one request's parts, so that they can be refused together."""

    def __init__(self) -> None:
        self.mistakes: list[Mistake] = []

    def query(self, model: type[ModelT], values: MultiMapping[str]) -> ModelT | None:
        """Return the query as ``model``, or ``None`` after noting what is wrong with it."""
        if not values and model is NoParameters:
            return model.model_construct()
        raw: dict[str, Any] = {}
        for name in dict.fromkeys(values.keys()):
            texts = values.getall(name)
            if _is_list(model, name):
                raw[name] = [part for text in texts for part in text.split(",")]
            elif len(texts) > 1:
                self._note(name, f"given {len(texts)} times, expected once")
            else:
                raw[name] = texts[0]
        return self._validate(model, raw, show_values=True)

    def path(self, model: type[ModelT], values: Mapping[str, str]) -> ModelT | None:
        """Return the path's variable parts as ``model``, or ``None`` after noting mistakes."""
        if not values and model is NoParameters:
            return model.model_construct()
        return self._validate(model, dict(values), show_values=True)

    def body(self, model: type[ModelT], value: Any) -> ModelT | None:
        """Return a decoded body as ``model``, or ``None`` after noting mistakes."""
        if not isinstance(value, dict):
            self._note("body", "must be an object")
            return None
        return self._validate(model, cast("dict[str, Any]", value), show_values=False)

    def refuse_mistakes(self) -> None:
        """Do nothing if there was no mistake.

        Raises:
            ApiError: 400 with all mistakes.
        """
        if self.mistakes:
            raise ApiError(400, _sentence(self.mistakes), mistakes=self.mistakes[:MISTAKES_MAX])

    def _validate(
        self, model: type[ModelT], values: Mapping[str, Any], *, show_values: bool
    ) -> ModelT | None:
        for name, value in values.items():
            if isinstance(value, str) and "\0" in value:
                # Valid in JSON and in addresses, never in a name, and no database takes it.
                self._note(name, "contains a NUL character")
        try:
            return model.model_validate(values)
        except ValidationError as error:
            for wrong in error.errors(include_url=False, include_context=False):
                field = ".".join(str(level) for level in wrong["loc"]) or None
                self._note(field, _message(wrong, model, show_value=show_values))
            return None

    def _note(self, field: str | None, message: str) -> None:
        self.mistakes.append(Mistake(ErrorCode.INVALID_REQUEST, field, message))


def decode_json(content: bytes) -> Any:
    """Return the JSON value in ``content``.

    Raises:
        ApiError: 400 saying at which byte it stops being JSON.
    """
    try:
        return msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise invalid_field("body", f"not valid JSON: {error}") from error
    except RecursionError as error:
        raise invalid_field("body", "nested too deeply") from error


def single_values(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return form fields as a mapping.

    Raises:
        ApiError: 400 naming a field that is given twice.
    """
    values: dict[str, str] = {}
    for name, text in pairs:
        if name in values:
            raise invalid_field(name, "given twice, expected once")
        values[name] = text
    return values


def _is_list(model: type[BaseModel], name: str) -> bool:
    field = model.model_fields.get(name)
    return field is not None and get_origin(field.annotation) in {list, tuple, frozenset}


def _message(wrong: ErrorDetails, model: type[BaseModel], *, show_value: bool) -> str:
    message = expectation(wrong, model.model_fields)
    if show_value and wrong["type"] not in {"extra_forbidden", "missing"}:
        return f"{message}, got {str(wrong['input'])[:SHOWN_VALUE_LENGTH_MAX]!r}"
    return message


def _sentence(mistakes: list[Mistake]) -> str:
    first = mistakes[0]
    where = f"{first.field}: " if first.field else ""
    more = f" (and {len(mistakes) - 1} more)" if len(mistakes) > 1 else ""
    return f"{where}{first.message}{more}"
