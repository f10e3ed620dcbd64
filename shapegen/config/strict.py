"""Plain values to frozen dataclasses and back: nothing is guessed, every complaint is one line."""

from __future__ import annotations

import difflib
import re
import types
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

Config = TypeVar("Config")

_WORDS: dict[Any, str] = {
    bool: "true or false",
    int: "an integer",
    float: "a number",
    str: "text",
    Path: "a path",
    type(None): "null",
}
_SCIENTIFIC = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+")


def from_dict(
    cls: type[Config],
    values: Mapping[str, Any] | Config,
    *,
    at: str = "",
    known: Iterable[str] = (),
) -> Config:
    """Build a dataclass from plain values, strictly.

    A float takes an integer and the text ``1e-4`` (YAML 1.1 reads that as text); an int takes
    ``1e3`` but not ``1.5``; nothing else is converted.

    Args:
        cls: A dataclass; its fields may be ``bool int float str Path None Any``, ``Literal``,
            enums, unions, tuples, ``dict[str, ...]`` and other dataclasses.
        values: One entry a field, those with a default optional; an instance is returned.
        at: Dotted path of the section, for messages.
        known: Dotted paths of keys elsewhere that an unknown key may have been meant for.

    Raises:
        ValueError: Unknown or missing key, a value of the wrong type or out of range.
    """
    if isinstance(values, cls):
        return values
    if not isinstance(values, Mapping):
        raise ValueError(
            f"{_named(at)} must be a section with the keys {_listed(_fields(cls))}; "
            f"got {_got(values)}"
        )
    accepted = _fields(cls)
    for key in values:
        if key not in accepted:
            raise ValueError(_unknown(str(key), at, accepted, [*keys(cls, at), *known]))
    missing = [name for name, each in accepted.items() if name not in values and _required(each)]
    if missing:
        raise ValueError(f"missing key {_named(_joined(at, missing[0]))}")
    hints = get_type_hints(cls)
    built = {
        key: _converted(value, hints[key], _joined(at, key), known)
        for key, value in values.items()
    }
    try:
        return cls(**built)
    except ValueError as error:
        first = str(error).split(" ", 1)[0]
        # A dataclass's own check starts with the field's name.
        message = _joined(at, str(error)) if first in accepted else f"{_named(at)}: {error}"
        raise ValueError(message) from None


def to_dict(config: object) -> dict[str, Any]:
    """The plain values that :func:`from_dict` builds an equal dataclass from."""
    if not is_dataclass(config) or isinstance(config, type):
        raise TypeError(f"a configuration is a dataclass; got {type(config).__name__}")
    return {name: _plain(getattr(config, name)) for name in _fields(type(config))}


def merged(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Plain values with changes, section by section."""
    result = dict(values)
    for key, change in changes.items():
        old = result.get(key)
        if isinstance(old, Mapping) and isinstance(change, Mapping):
            change = merged(old, change)
        result[key] = change
    return result


def keys(cls: type, at: str = "") -> list[str]:
    """Dotted paths of all keys of a dataclass and of the dataclasses in it."""
    paths = []
    hints = get_type_hints(cls)
    for name in _fields(cls):
        paths.append(_joined(at, name))
        for kind in (hints[name], *get_args(hints[name])):
            if isinstance(kind, type) and is_dataclass(kind):
                paths.extend(keys(kind, _joined(at, name)))
    return paths


def nearest(name: str, choices: Iterable[str]) -> str:
    """``did you mean ...?`` for the most similar choice, or the list of choices."""
    choices = list(choices)
    close = difflib.get_close_matches(name, choices, n=1, cutoff=0.6)
    if close:
        return f"did you mean `{close[0]}`?"
    return f"accepted: {', '.join(choices) if choices else 'nothing'}"


def _unknown(key: str, at: str, accepted: Iterable[str], known: list[str]) -> str:
    # A key that stands in the wrong section, else a misspelt one.
    meant = [path for path in known if path.rsplit(".", 1)[-1] == key]
    near = difflib.get_close_matches(key, list(accepted), n=1, cutoff=0.6)
    meant += [_joined(at, name) for name in near]
    if meant:
        return f"unknown key {_named(_joined(at, key))}; did you mean {_named(meant[0])}?"
    return f"unknown key {_named(_joined(at, key))}; accepted: {_listed(accepted)}"


def _converted(value: Any, kind: Any, at: str, known: Iterable[str]) -> Any:
    origin = get_origin(kind)
    if kind is Any:
        return value
    if origin is Literal:
        if any(value == choice and type(value) is type(choice) for choice in get_args(kind)):
            return value
        raise _wrong(kind, at, value, nearest_of=[str(choice) for choice in get_args(kind)])
    if origin in (Union, types.UnionType):
        return _member(value, get_args(kind), at, known)
    if origin is tuple:
        return _items(value, kind, at, known)
    if origin is dict:
        if not isinstance(value, Mapping):
            raise _wrong(kind, at, value)
        inner = get_args(kind)[1]
        return {str(k): _converted(v, inner, _joined(at, str(k)), known) for k, v in value.items()}
    if isinstance(kind, type) and is_dataclass(kind):
        return from_dict(cast(type[Any], kind), value, at=at, known=known)
    if isinstance(kind, type) and issubclass(kind, Enum):
        try:
            return kind(value)
        except ValueError:
            choices = [str(member.value) for member in kind]
            raise _wrong(kind, at, value, nearest_of=choices) from None
    return _scalar(value, kind, at)


def _scalar(value: Any, kind: Any, at: str) -> Any:
    exact = type(value)
    if exact is kind:
        if kind is float and value != value:
            raise ValueError(f"{_named(at)} must be a number; got nan")
        return value
    if kind is float:
        if exact is int:
            return float(value)
        if exact is str and _SCIENTIFIC.fullmatch(value):
            return float(value)
    if kind is int and exact is float and value.is_integer():
        return int(value)
    if kind is Path and isinstance(value, str | Path):
        return Path(value)
    raise _wrong(kind, at, value)


def _member(value: Any, kinds: tuple[Any, ...], at: str, known: Iterable[str]) -> Any:
    # 1.0 in `int | float` stays a float: the exact type is preferred to a conversion.
    for kind in kinds:
        if type(value) is kind:
            return _scalar(value, kind, at)
    others = [kind for kind in kinds if kind is not type(None)]
    if len(others) == 1:
        return _converted(value, others[0], at, known)
    for kind in others:
        try:
            return _converted(value, kind, at, known)
        except ValueError:
            continue
    raise _wrong(Union[kinds], at, value)  # noqa: UP007 - the members are a tuple


def _items(value: Any, kind: Any, at: str, known: Iterable[str]) -> tuple[Any, ...]:
    inner = get_args(kind)
    if not isinstance(value, list | tuple):
        raise _wrong(kind, at, value)
    if len(inner) == 2 and inner[1] is Ellipsis:
        inner = (inner[0],) * len(value)
    if len(value) != len(inner):
        raise ValueError(f"{_named(at)} must have {len(inner)} entries; got {len(value)}")
    return tuple(
        _converted(item, each, f"{at}[{i}]", known)
        for i, (item, each) in enumerate(zip(value, inner, strict=True))
    )


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return to_dict(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return value


def _wrong(kind: Any, at: str, value: Any, nearest_of: Iterable[str] = ()) -> ValueError:
    message = f"{_named(at)} must be {_words(kind)}; got {_got(value)}"
    close = difflib.get_close_matches(str(value), list(nearest_of), n=1, cutoff=0.6)
    return ValueError(f"{message}; did you mean `{close[0]}`?" if close else message)


def _words(kind: Any) -> str:
    origin = get_origin(kind)
    if origin is Literal:
        return "one of " + _listed(map(str, get_args(kind)))
    if origin in (Union, types.UnionType):
        return " or ".join(map(_words, get_args(kind)))
    if origin is tuple:
        return "a list"
    if origin is dict or is_dataclass(kind):
        return "a section of keys"
    if isinstance(kind, type) and issubclass(kind, Enum):
        return "one of " + _listed(str(member.value) for member in kind)
    return _WORDS.get(kind, str(kind))


def _got(value: Any) -> str:
    shown = repr(value)
    if len(shown) > 60:
        shown = shown[:57] + "..."
    return "nothing" if value is None else f"{shown} ({_kind(value)})"


def _kind(value: Any) -> str:
    names = {str: "text", int: "integer", float: "number", bool: "boolean"}
    if isinstance(value, Mapping):
        return "section"
    return "list" if isinstance(value, list | tuple) else names.get(type(value), "unusable")


def _fields(cls: type) -> dict[str, Field[Any]]:
    return {each.name: each for each in fields(cls) if each.init}


def _required(each: Field[Any]) -> bool:
    return each.default is MISSING and each.default_factory is MISSING


def _joined(at: str, name: str) -> str:
    return f"{at}.{name}" if at else name


def _named(at: str) -> str:
    return f"`{at}`" if at else "the configuration"


def _listed(names: Iterable[str] | Iterator[str]) -> str:
    return ", ".join(names)
