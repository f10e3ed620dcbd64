"""YAML and JSON files of plain values: read strictly, overridden by dotted keys, written back."""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from shapegen.formats.atomic import replacing

# YAML 1.2's numbers: YAML 1.1 takes `1e-4` for text, for want of a dot and a sign.
_FLOAT = re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$")
_BOOL = re.compile(r"^(true|True|TRUE|false|False|FALSE)$")
_MOST_VALUES = 100_000
"""Values in a file, aliases written out: ten lines of them can stand for billions."""
_DROPPED = {"tag:yaml.org,2002:bool", "tag:yaml.org,2002:timestamp"}


class _Loader(yaml.SafeLoader):
    """YAML with 1.2's booleans and exponents, without dates, and with duplicate keys refused."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's own registry, replaced as a whole
        first: [rule for rule in rules if rule[0] not in _DROPPED]
        for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = key_node.value
            if key_node.tag != "tag:yaml.org,2002:merge" and isinstance(key, Hashable):
                if key in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key `{key}` stands twice", key_node.start_mark
                    )
                seen.add(key)
        return super().construct_mapping(node, deep)


class _Dumper(yaml.SafeDumper):
    """Quotes whatever YAML 1.1 or our loader would take for something else than text."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", _BOOL, list("tTfF"))
for _each in (_Loader, _Dumper):
    _each.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+.0123456789"))


def parse(text: str, *, source: str = "YAML") -> Any:
    """Read the one document in ``text``.

    Raises:
        ValueError: Not YAML; a key that stands twice. The line begins with ``source``.
    """
    try:
        return _document(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"{source}:{mark.line + 1}:{mark.column + 1}" if mark else source
        raise ValueError(f"{place}: not valid YAML: {error.problem}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"{source}: not valid YAML: {reason}") from None


def _document(text: str) -> Any:
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        if _unfolded(node, {}) > _MOST_VALUES:
            raise ValueError(f"its aliases stand for more than {_MOST_VALUES} values")
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _unfolded(node: yaml.Node, known: dict[int, int]) -> int:
    """Number of values at and below a node if every alias were written out."""
    if id(node) in known:
        if not known[id(node)]:
            raise ValueError("an alias stands inside of what it stands for")
        return known[id(node)]
    known[id(node)] = 0
    below: list[yaml.Node] = []
    if isinstance(node, yaml.MappingNode):
        below = [each for pair in node.value for each in pair]
    elif isinstance(node, yaml.SequenceNode):
        below = node.value
    known[id(node)] = 1 + sum(_unfolded(each, known) for each in below)
    return known[id(node)]


def read(path: str | Path) -> dict[str, Any]:
    """Read a file that holds one section of keys; JSON is YAML too.

    Raises:
        ValueError: No such file, not readable, not YAML, or not a section.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ValueError(f"{path}: not a text file in UTF-8") from None
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror or error}") from None
    values = parse(text, source=str(path))
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise ValueError(f"{path}: a configuration is a section of keys; got {_kind(values)}")
    return values


def write(values: Mapping[str, Any], path: str | Path) -> None:
    """Write plain values as YAML, or as JSON where the name ends in ``.json``."""
    path = Path(path)
    text = json.dumps(values, indent=2) + "\n" if path.suffix == ".json" else text_of(values)
    with replacing(path) as aside:
        aside.write_text(text, encoding="utf-8")


def text_of(values: Mapping[str, Any]) -> str:
    """YAML that :func:`parse` reads back as equal values."""
    return yaml.dump(dict(values), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=99)


def override(values: Mapping[str, Any], assignments: Sequence[str]) -> dict[str, Any]:
    """Set dotted keys: ``train.epochs=3``; the value is read as YAML.

    Raises:
        ValueError: No ``=``, an empty key, or a key inside something that is not a section.
    """
    result = _copied(values)
    for assignment in assignments:
        dotted, equals, text = assignment.partition("=")
        parts = dotted.strip().split(".")
        if not equals or not all(parts):
            raise ValueError(f"an override is section.key=value; got {assignment!r}")
        section = result
        for depth, part in enumerate(parts[:-1]):
            inner = section.setdefault(part, {})
            if not isinstance(inner, dict):
                raise ValueError(
                    f"cannot set `{dotted}`: `{'.'.join(parts[: depth + 1])}` is not a section"
                )
            section = inner
        section[parts[-1]] = parse(text, source=assignment)
    return result


def _copied(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: _copied(value) if isinstance(value, Mapping) else value
        for key, value in values.items()
    }


def _kind(values: Any) -> str:
    if values is None:
        return "an empty file"
    return "a section whose keys are not text" if isinstance(values, dict) else repr(values)[:60]
