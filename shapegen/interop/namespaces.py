"""Settings pickled as an ``argparse.Namespace``, read without executing the pickle."""

from __future__ import annotations

import pickletools
import zipfile
from pathlib import Path
from typing import Any

_PLAIN = {
    "NONE": None,
    "NEWTRUE": True,
    "NEWFALSE": False,
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
}
_VALUES = {
    *("BININT", "BININT1", "BININT2", "LONG1", "LONG4", "INT", "BINFLOAT", "FLOAT"),
    *("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "UNICODE"),
}
_ALLOWED = {("argparse", "Namespace"): dict, ("torch", "device"): str}
_MARK = object()
_MOST_BYTES = 2**20


def read_namespace(path: str | Path) -> dict[str, Any]:
    """Read the attributes of a pickled ``argparse.Namespace`` of plain values.

    The pickle's instructions are interpreted here, and only those that build numbers, strings,
    lists, tuples and dictionaries are known: nothing that the file names is imported or called.

    Args:
        path: A file of ``torch.save`` (zip or older) or ``pickle.dump``.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is damaged, or holds anything else.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    try:
        return _attributes(_pickles(path))
    except (KeyError, IndexError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"{path} must be a pickled argparse.Namespace of plain values; got {error}"
        ) from error


def _pickles(path: Path) -> bytes:
    if path.stat().st_size > _MOST_BYTES:
        raise ValueError(f"{path.stat().st_size} bytes")
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith("data.pkl")]
            return archive.read(names[0])
    return path.read_bytes()


def _attributes(data: bytes) -> dict[str, Any]:
    """Attributes of the first namespace among the pickles that follow one another."""
    rest = data
    while rest:
        value, used = _interpret(rest)
        # An older torch.save begins with pickles of its magic number and system.
        if isinstance(value, dict) and value.get("__class__") == ("argparse", "Namespace"):
            return {name: each for name, each in value.items() if name != "__class__"}
        rest = rest[used:]
    raise ValueError("no namespace")


def _interpret(data: bytes) -> tuple[Any, int]:
    stack: list[Any] = []
    memo: dict[int, Any] = {}
    for opcode, argument, position in pickletools.genops(data):
        name = opcode.name
        if name in _PLAIN:
            value = _PLAIN[name]
            stack.append(value() if callable(value) else value)
        elif name in _VALUES:
            stack.append(argument)
        elif name == "MARK":
            stack.append(_MARK)
        elif name in ("GLOBAL", "STACK_GLOBAL"):
            if name == "GLOBAL":
                owner, _, wanted = str(argument).partition(" ")
            else:
                wanted, owner = stack.pop(), stack.pop()
            if (owner, wanted) not in _ALLOWED:
                raise ValueError(f"a reference to {owner}.{wanted}")
            stack.append((owner, wanted))
        elif name in ("NEWOBJ", "REDUCE"):
            arguments, made = stack.pop(), stack.pop()
            if made == ("torch", "device"):
                stack.append(":".join(map(str, arguments)))
            elif made == ("argparse", "Namespace") and arguments == ():
                stack.append({"__class__": made})
            else:
                raise ValueError(f"a call of {made}")
        elif name == "BUILD":
            state = stack.pop()
            stack[-1].update(state)
        elif name in ("PUT", "BINPUT", "LONG_BINPUT"):
            memo[_number(argument)] = stack[-1]
        elif name == "MEMOIZE":
            memo[len(memo)] = stack[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            stack.append(memo[_number(argument)])
        elif name in ("TUPLE", "APPENDS", "SETITEMS", "LIST", "DICT"):
            items = _since_mark(stack)
            if name == "TUPLE":
                stack.append(tuple(items))
            elif name == "LIST":
                stack.append(items)
            elif name == "APPENDS":
                stack[-1].extend(items)
            else:
                pairs = dict(zip(items[::2], items[1::2], strict=True))
                stack.append(pairs) if name == "DICT" else stack[-1].update(pairs)
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


def _number(value: object) -> int:
    if not isinstance(value, int):
        raise ValueError(f"{value!r} in place of a number")
    return value


def _since_mark(stack: list[Any]) -> list[Any]:
    place = len(stack) - 1 - stack[::-1].index(_MARK)
    items = stack[place + 1 :]
    del stack[place:]
    return items
