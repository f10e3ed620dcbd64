"""Settings pickled as an ``argparse.Namespace``, read without executing the pickle."""

from __future__ import annotations

import pickletools
import zipfile
import zlib
from pathlib import Path
from typing import Any

_EMPTY: dict[str, Any] = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple}
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_VALUES = {
    *("BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "INT", "BINFLOAT", "FLOAT"),
    *("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "UNICODE"),
}
_MOST_BYTES = 2**20
_MOST_VALUES = 2**16


class _Name:
    """What a pickle refers to; never imported."""


class _Settings(dict[str, Any]):
    """The attributes of a namespace."""


_MARK, _NAMESPACE, _DEVICE, _OBJECT, _REBUILD = (_Name() for _ in range(5))
_KNOWN = {
    ("argparse", "Namespace"): _NAMESPACE,
    ("torch", "device"): _DEVICE,
    # Pickles of the protocols 0 and 1 make objects through these two.
    ("copy_reg", "_reconstructor"): _REBUILD,
    ("copyreg", "_reconstructor"): _REBUILD,
    ("__builtin__", "object"): _OBJECT,
    ("builtins", "object"): _OBJECT,
}


def read_namespace(path: str | Path) -> dict[str, Any]:
    """Read the attributes of a pickled ``argparse.Namespace`` of plain values.

    The pickle's instructions are interpreted here, and only those that build numbers, strings,
    lists, tuples and dictionaries are known: nothing that the file names is imported or called.

    Args:
        path: A file of ``torch.save`` (zip or older) or ``pickle.dump``, 1 MiB at most.

    Returns:
        The attributes; a ``torch.device`` as text.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is damaged, or holds anything else.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    try:
        return _attributes(_pickles(path))
    except (
        *(AttributeError, IndexError, KeyError, TypeError, ValueError, OverflowError),
        *(zipfile.BadZipFile, zlib.error, RuntimeError, OSError),
    ) as error:
        raise ValueError(
            f"{path} must be a pickled argparse.Namespace of plain values; got {error}"
        ) from error


def _pickles(path: Path) -> bytes:
    _check_size(path.stat().st_size)
    if not zipfile.is_zipfile(path):
        return path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        found = [each for each in archive.infolist() if each.filename.endswith("/data.pkl")]
        if len(found) != 1:
            raise ValueError(f"an archive with {len(found)} files named data.pkl")
        _check_size(found[0].file_size)
        return archive.read(found[0])


def _check_size(size: int) -> None:
    if size > _MOST_BYTES:
        raise ValueError(f"{size} bytes, more than {_MOST_BYTES}")


def _attributes(data: bytes) -> dict[str, Any]:
    """Attributes of the first namespace among the pickles that follow one another."""
    rest = data
    while rest:
        value, used = _interpret(rest)
        # An older torch.save begins with pickles of its magic number and system.
        if isinstance(value, _Settings):
            _check_plain(value)
            return dict(value)
        rest = rest[used:]
    raise ValueError("no namespace")


def _check_plain(settings: _Settings) -> None:
    """Refuse what is not plain; a few lists in one another can write out to any length."""
    pending: list[Any] = list(settings.values())
    count = 0
    while pending:
        value = pending.pop()
        count += 1
        if isinstance(value, _Name | _Settings):
            raise ValueError("a value that is not plain")
        if count > _MOST_VALUES:
            raise ValueError(f"more than {_MOST_VALUES} values")
        if isinstance(value, dict):
            pending += [*value, *value.values()]
        elif isinstance(value, list | tuple):
            pending += value


def _interpret(data: bytes) -> tuple[Any, int]:
    stack: list[Any] = []
    memo: dict[int, Any] = {}
    for opcode, argument, position in pickletools.genops(data):
        name = opcode.name
        if name in _EMPTY:
            stack.append(_EMPTY[name]())
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in _VALUES:
            stack.append(argument)
        elif name == "MARK":
            stack.append(_MARK)
        elif name in ("GLOBAL", "STACK_GLOBAL"):
            stack.append(_reference(stack, argument if name == "GLOBAL" else None))
        elif name in ("NEWOBJ", "REDUCE"):
            arguments, maker = stack.pop(), stack.pop()
            stack.append(_made(maker, arguments))
        elif name == "BUILD":
            state = stack.pop()
            if not isinstance(stack[-1], _Settings):
                raise ValueError("a state of what is no namespace")
            stack[-1].update(state)
        elif name in ("PUT", "BINPUT", "LONG_BINPUT"):
            memo[_number(argument)] = stack[-1]
        elif name == "MEMOIZE":
            memo[len(memo)] = stack[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            stack.append(memo[_number(argument)])
        elif name in ("TUPLE", "LIST", "DICT", "APPENDS", "SETITEMS"):
            _gather(stack, name)
        elif name in ("TUPLE1", "TUPLE2", "TUPLE3"):
            count = int(name[-1])
            items = stack[-count:]
            del stack[-count:]
            stack.append(tuple(items))
        elif name == "APPEND":
            item = stack.pop()
            stack[-1].append(item)
        elif name == "SETITEM":
            value, key = stack.pop(), stack.pop()
            stack[-1][key] = value
        elif name == "STOP":
            return stack.pop(), _number(position) + 1
        elif name not in ("PROTO", "FRAME"):
            raise ValueError(f"the instruction {name}")
    raise ValueError("no end")


def _reference(stack: list[Any], written: object) -> _Name:
    if written is None:
        name, owner = stack.pop(), stack.pop()
    else:
        owner, _, name = str(written).partition(" ")
    if not isinstance(owner, str) or not isinstance(name, str):
        raise ValueError("a reference that is no text")
    if (owner, name) not in _KNOWN:
        raise ValueError(f"a reference to {owner}.{name}")
    return _KNOWN[owner, name]


def _made(maker: object, arguments: object) -> Any:
    """The namespace or the name of the device that a call would make."""
    if isinstance(arguments, tuple):
        if maker is _DEVICE and all(isinstance(each, str | int) for each in arguments):
            return ":".join(map(str, arguments))
        if maker is _NAMESPACE and not arguments:
            return _Settings()
        if maker is _REBUILD and arguments == (_NAMESPACE, _OBJECT, None):
            return _Settings()
    raise ValueError("a call of what is no namespace")


def _gather(stack: list[Any], name: str) -> None:
    """Use what was put on the stack since the last mark."""
    place = len(stack) - 1 - stack[::-1].index(_MARK)
    items = stack[place + 1 :]
    del stack[place:]
    if name == "TUPLE":
        stack.append(tuple(items))
    elif name == "LIST":
        stack.append(items)
    elif name == "DICT":
        stack.append(dict(zip(items[::2], items[1::2], strict=True)))
    elif name == "APPENDS":
        stack[-1].extend(items)
    else:
        stack[-1].update(dict(zip(items[::2], items[1::2], strict=True)))


def _number(value: object) -> int:
    if not isinstance(value, int):
        raise ValueError(f"{value!r} in place of a number")
    return value
