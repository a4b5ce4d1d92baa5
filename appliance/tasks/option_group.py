"""Options that several tasks share: the task receives them parsed, as one value."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, TypeVar

from invoke import Context

T = TypeVar("T")


def option_group(
    parameter: str, defaults: Mapping[str, object], parse: Callable[[Context, Mapping[str, Any]], object]
) -> Callable[[Callable[..., T]], Callable[..., T]]:
    """Give a task every option of `defaults`, and pass the result of `parse` as its argument `parameter`.

    Invoke reads a task's options from its signature, so the decorated task has a signature in which the options stand
    in place of `parameter`.
    """

    def decorate(body: Callable[..., T]) -> Callable[..., T]:
        signature = inspect.signature(body)

        @wraps(body)
        def run(context: Context, **arguments: Any) -> T:
            options = {name: arguments.pop(name, default) for name, default in defaults.items()}
            return body(context, **arguments, **{parameter: parse(context, options)})

        parameters: list[inspect.Parameter] = []
        for own in signature.parameters.values():
            if own.name == parameter:
                parameters += [
                    inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default)
                    for name, default in defaults.items()
                ]
            else:
                parameters.append(own.replace(kind=inspect.Parameter.KEYWORD_ONLY) if parameters else own)
        run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        return run

    return decorate
