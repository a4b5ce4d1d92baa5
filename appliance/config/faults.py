"""Faults of a checked file as sentences.

Pydantic tells what is wrong with a value; a person wants to know where it stands and what to write instead.
Everything here turns the one into the other; it reads no file and knows no setting.
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


def sentences(error: ValidationError, model: type[BaseModel], raw: Mapping[str, Any]) -> list[str]:
    """Every fault of `raw`, checked as `model`, as one sentence each, in the order of the model's keys."""
    found = (sentence for detail in error.errors() for sentence in _sentences(detail, model, raw))
    return [_printable(sentence) for sentence in found]


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _sentences(detail: ErrorDetails, model: type[BaseModel], raw: Mapping[str, Any]) -> list[str]:
    key = place(detail["loc"], raw)
    kind, context, given = detail["type"], detail.get("ctx", {}), detail["input"]
    if kind == "value_error":
        said = str(context["error"])
        return [f"{key}: {said}"] if key else said.split("\n")  # the whole file's model says several at once
    if kind == "extra_forbidden":
        *section, unknown = detail["loc"]
        return [f"{key}: unknown key; {_mend_key(str(unknown), known_keys(model, tuple(section)))}"]
    if kind == "missing":
        return [f"{key}: is missing; add it"]
    if kind == "too_short":
        return [f"{key}: is empty; add at least one"]
    return [f"{key}: must be {_expected(detail, model)}, not {shown(given)}"]


def place(location: Location, raw: Any) -> str:
    """Where a fault stands, in a person's words: an item of a list goes by its name, else its number.

    `("targets", 0, "port")` becomes `targets.front1.port` when the item is named so, else `targets #1.port`.
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
    if kind == "list_type" and _model_in(_annotation(model, detail["loc"])):
        return f"a list of tables, each begun with [[{detail['loc'][-1]}]]"
    return _EXPECTED.get(kind, detail["msg"].removeprefix("Input should be ").rstrip("."))


def _mend_key(key: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(key, known, 1)
    return f"did you mean {close[0]}?" if close else f"remove it, or use one of {', '.join(sorted(known))}"


def shown(value: Any) -> str:
    """A value as it may stand in the file, shortened so that the sentence stays one line."""
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        text = str(value)
    return text if len(text) <= 60 else text[:57] + "…"


def known_keys(model: type[BaseModel], location: Location = ()) -> list[str]:
    """The keys that may stand at `location` in `model`, without those that are not the file's to set."""
    annotation = _annotation(model, location) if location else model
    found = _model_in(annotation)
    return [name for name, field in found.model_fields.items() if not field.exclude] if found else []


def _annotation(model: type[BaseModel], location: Location) -> Any:
    annotation: Any = model
    for part in location:
        current = _model_in(annotation)
        if isinstance(part, int):
            continue
        if current is None or part not in current.model_fields:
            return None
        annotation = current.model_fields[part].annotation
    return annotation


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The section's model that an annotation such as `list[Section]` or `Section | None` speaks of."""
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_in, typing.get_args(annotation))), None)
