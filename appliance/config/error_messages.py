"""Error messages for an invalid TOML file.

Pydantic reports what is wrong with a value. A person needs to know where the value is and what to write instead. This
module translates between the two; it reads no file and knows no particular setting.
"""

from __future__ import annotations

import difflib
import inspect
import json
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

Location = tuple[int | str, ...]

_EXPECTED = {
    "bool_type": "true or false",
    "dict_type": "a table of keys and values",
    "finite_number": "a finite number",
    "float_type": "a number, without quotes",
    "int_type": "a whole number, without quotes",
    "list_type": "a list in [ ]",
    "model_type": "a table of keys and values",
    "path_type": "a path in quotes",
    "string_type": "text in quotes",
}
_LIMITS = {
    "greater_than_equal": ("ge", "{} or more"),
    "greater_than": ("gt", "more than {}"),
    "less_than_equal": ("le", "{} or less"),
    "less_than": ("lt", "less than {}"),
}


def describe_errors(error: ValidationError, model: type[BaseModel], raw: Mapping[str, Any]) -> list[str]:
    """Return one sentence for each error in `raw`, validated as `model`, in the order of the model's keys."""
    found = (sentence for detail in error.errors() for sentence in _describe(detail, model, raw))
    return [_printable(sentence) for sentence in found]


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _describe(detail: ErrorDetails, model: type[BaseModel], raw: Mapping[str, Any]) -> list[str]:
    key = format_location(detail["loc"], raw)
    kind, context, given = detail["type"], detail.get("ctx", {}), detail["input"]
    if kind == "value_error":
        message = str(context["error"])
        return [f"{key}: {message}"] if key else message.split("\n")  # the check of the whole file joins several
    if kind == "extra_forbidden":
        *section, unknown = detail["loc"]
        return [f"{key}: unknown key; {_suggest_key(str(unknown), known_keys(model, tuple(section)))}"]
    if kind == "missing":
        return [f"{key}: is missing; add it"]
    if kind == "too_short":
        return [f"{key}: is empty; add at least one"]
    return [f"{key}: must be {_expected(detail, model)}, not {format_value(given)}"]


def format_location(location: Location, raw: Any) -> str:
    """Return the place of an error for people. An item of a list is called by its name, or else by its number.

    `("targets", 0, "port")` becomes `targets.front1.port`, or `targets #1.port` when the item has no name.
    """
    words: list[str] = []
    current = raw
    for part in location:
        current = _step(current, part)
        name = current.get("name") if isinstance(current, Mapping) else None
        if not isinstance(part, int):
            words.append(part)
        elif isinstance(name, str) and name:
            words.append(name)
        else:
            words[-1] += f" #{part + 1}"
    return ".".join(words)


def _step(value: Any, part: int | str) -> Any:
    if isinstance(value, Mapping):
        return value.get(str(part))
    if isinstance(value, Sequence) and isinstance(part, int) and part < len(value):
        return value[part]
    return None


def _expected(detail: ErrorDetails, model: type[BaseModel]) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "literal_error":
        return str(context["expected"]).replace("'", "")
    if kind in _LIMITS:
        name, words = _LIMITS[kind]
        return words.format(f"{context[name]:g}")
    if kind == "list_type" and model_in(_annotation(model, detail["loc"])):
        return f"a list of tables, each begun with [[{detail['loc'][-1]}]]"
    return _EXPECTED.get(kind, detail["msg"].removeprefix("Input should be ").rstrip("."))


def _suggest_key(key: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(key, known, 1)
    return f"did you mean {close[0]}?" if close else f"remove it, or use one of {', '.join(sorted(known))}"


def format_value(value: Any) -> str:
    """Return a value as it would be written in the file, shortened to fit on one line."""
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        text = str(value)
    return text if len(text) <= 60 else text[:57] + "…"


def known_keys(model: type[BaseModel], location: Location = ()) -> list[str]:
    """Return the keys that a file may set at `location` in `model`."""
    annotation = _annotation(model, location) if location else model
    found = model_in(annotation)
    return [name for name, field in found.model_fields.items() if not field.exclude] if found else []


def _annotation(model: type[BaseModel], location: Location) -> Any:
    annotation: Any = model
    for part in location:
        current = model_in(annotation)
        if isinstance(part, int):
            continue
        if current is None or part not in current.model_fields:
            return None
        annotation = current.model_fields[part].annotation
    return annotation


def model_in(annotation: Any) -> type[BaseModel] | None:
    """Return the section class in an annotation such as `list[Section]` or `Section | None`."""
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(model_in, typing.get_args(annotation))), None)
