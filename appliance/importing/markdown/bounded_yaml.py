"""A YAML loader with limits, for files that anybody may have written.

The loader written in C recurses for each level and crashes the process at some thirty thousand. A chain of merges grows
without bounds. Guarantees that any text gives a value or an error: depth, aliases, merges and numbers are checked
before anything is built of them.
"""

from __future__ import annotations

from typing import Any

import yaml

#: Limits on the depth of nesting, on the aliases of a text, and on the pairs that a mapping may merge.
DEPTH, ALIASES, MERGED = 50, 200, 20_000
#: Characters that a number may have.
_LONGEST_NUMBER = 100
#: Whole numbers from this one on stay text.
_LARGE_NUMBER = 1 << 60
#: Each level begins with one of these characters.
_LEVEL_STARTS = "[{-?:"

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Base):  # type: ignore[misc]  # one of two classes, known when it runs
    def flatten_mapping(self, node: Any) -> None:
        written = len(node.value)
        super().flatten_mapping(node)
        if len(node.value) > max(MERGED, written):
            raise _refusal(f"a mapping merges more than {MERGED:,} pairs", node.start_mark)

    def construct_yaml_int(self, node: Any) -> Any:
        if len(node.value) > _LONGEST_NUMBER:
            raise _refusal(f"a number has {len(node.value):,} digits", node.start_mark)
        number = super().construct_yaml_int(node)
        # Larger numbers can be chosen to share one hash, which makes a table of them slow.
        return number if abs(number) < _LARGE_NUMBER else node.value


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)


def load_yaml(text: str) -> Any:
    """The value of a text.

    Raises:
        yaml.YAMLError, ValueError, TypeError, OverflowError, AttributeError: it is not YAML, or exceeds a limit.
    """
    if "*" in text or sum(text.count(sign) for sign in _LEVEL_STARTS) > DEPTH:
        _check(text)
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader, the one written in C
    except LookupError as error:  # a value that does not fit its tag
        raise yaml.YAMLError("a value is not of the kind that its tag names") from error


def _check(text: str) -> None:
    """Check the limits event by event, which does not recurse."""
    depth = aliases = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.events.CollectionStartEvent):
            depth += 1
            if depth > DEPTH:
                raise _refusal(f"values are nested more than {DEPTH} deep", event.start_mark)
        elif isinstance(event, yaml.events.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.events.AliasEvent):
            aliases += 1
            if aliases > ALIASES:
                raise _refusal(f"more than {ALIASES} values are given by alias", event.start_mark)


def _refusal(problem: str, mark: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=mark)
