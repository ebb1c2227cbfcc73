"""The YAML of a header: plain values only, and never more work than its bytes justify."""

from __future__ import annotations

from typing import Any, Final

import yaml

from blox_store.errors import ReleaseCorrupt

MAX_DEPTH = 16  # a header nests 6 deep
MAX_VALUES = 10_000  # after aliases are resolved; the largest header of version 1 has under 100

_PLAIN_SCALARS = (str, int, float, type(None))
# libyaml's, a fifth of the time of PyYAML's own, which is there where PyYAML was built without libyaml.
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load_plain(text: str) -> Any:
    """Return the value of a YAML text of mappings, sequences, strings, numbers and aliases.

    Raises `ReleaseCorrupt` for anything else: no YAML, tags, merge keys, dates, a text whose
    aliases expand into much more than it holds or into themselves.
    """
    try:
        _check_events(text)
        value = yaml.load(text, _LOADER)
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a number or a date out of range
        reason = " ".join(str(error).split())
        raise ReleaseCorrupt(f"the header is no valid YAML: {reason}") from error
    return _Copy().of(value, MAX_DEPTH)


def _check_events(text: str) -> None:
    """Refuse what must not be composed, which recurses, or constructed, which copies merge keys."""
    depth = 0
    for event in yaml.parse(text, _LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            raise ReleaseCorrupt(f"the header nests deeper than {MAX_DEPTH} levels")
        tag = getattr(event, "tag", None)
        if tag is not None:
            raise ReleaseCorrupt(f"the header holds the YAML tag {tag!r}; none is allowed")
        if isinstance(event, yaml.ScalarEvent) and event.value == "<<":
            raise ReleaseCorrupt("the header holds a YAML merge key; none is allowed")


class _Copy:
    """Copies a value so that nothing in it is shared, and counts what it copies."""

    def __init__(self) -> None:
        self.left = MAX_VALUES

    def of(self, value: Any, depth: int) -> Any:
        self.left -= 1
        if self.left < 0 or depth < 0:
            raise ReleaseCorrupt(
                f"the header's aliases expand to over {MAX_VALUES} values or {MAX_DEPTH} levels"
            )
        if isinstance(value, dict):
            return {self.of(k, depth - 1): self.of(v, depth - 1) for k, v in value.items()}
        if isinstance(value, list):
            return [self.of(item, depth - 1) for item in value]
        if not isinstance(value, _PLAIN_SCALARS):
            raise ReleaseCorrupt(f"the header holds a {type(value).__name__}, {value!r}")
        return value


class Flow(list[Any]):
    """A list that is written in flow style, `[1, 2]`, which takes fewer bytes."""


class _Dumper(yaml.SafeDumper):
    pass


def _represent_flow(dumper: yaml.SafeDumper, value: Flow) -> yaml.Node:
    return dumper.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=True)


_Dumper.add_representer(Flow, _represent_flow)


def dump_plain(value: Any) -> str:
    """Return the YAML of a plain value; a list that stands in it twice becomes an alias."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False)
