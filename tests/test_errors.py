"""Errors: one tree, stable codes, and every raise in mcugen/ belongs to it."""

from __future__ import annotations

import ast
import builtins
import pickle
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from mcugen import errors
from mcugen.errors import CODES, McugenError

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "mcugen"

# the hundreds of each class's codes
CLASSES = {
    "ModelError": "1",
    "GraphError": "2",
    "ArchiveError": "3",
    "TargetError": "4",
    "ToolError": "5",
    "MismatchError": "6",
    "OutputError": "7",
    "McugenError": "",
}
# calls that make a code a variable; their callers' literals are checked all the same
PASSED_ON = {"e.code", "code"}


def calls(source: str) -> Iterator[tuple[int, str, ast.expr | None]]:
    """(line, class, code) of every construction of one of the errors."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            if name in CLASSES:
                yield node.lineno, name, node.args[0] if node.args else None


def wrong(source: str) -> list[str]:
    """What is wrong with the codes in a file, in words."""
    bad = []
    for line, name, code in calls(source):
        if isinstance(code, ast.Constant):
            if code.value not in CODES:
                bad.append(f"{line}: {code.value} is not registered")
            elif CLASSES[name] and code.value[1] != CLASSES[name]:
                bad.append(f"{line}: {name} with {code.value}")
        elif code is None or ast.unparse(code) not in PASSED_ON:
            bad.append(f"{line}: {name} without a literal code")
    for node in ast.walk(ast.parse(source)):
        text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
        if re.fullmatch(r"E\d{3}", text) and text not in CODES:
            bad.append(f"{node.lineno}: {text} is not registered")
    return bad


def strangers(source: str) -> list[str]:
    """Exceptions raised that are not mcugen's, in words."""
    bad = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Raise) and node.exc is not None:
            name = ast.unparse(node.exc.func if isinstance(node.exc, ast.Call) else node.exc)
            builtin = isinstance(getattr(builtins, name, None), type) and name not in (
                "NotImplementedError",
                "SystemExit",
            )
            if builtin or ("." in name and name.split(".")[-1] not in CLASSES):
                bad.append(f"{node.lineno}: {name}")
    return bad


# Python's own exceptions, raised where a caller in the same file turns them into mcugen's, or where a class of
# torch or argparse must raise what its users expect: (file, exception)
ALLOWED = {
    ("ir.py", "ValueError"),  # parse: E206
    ("archive.py", "ValueError"),  # _refusing: E303
    ("archive.py", "zipfile.BadZipFile"),
    ("__init__.py", "AttributeError"),  # the protocol of a module's __getattr__
    ("cli.py", "argparse.ArgumentTypeError"),
}


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_every_raise_has_a_registered_code(path: Path) -> None:
    assert wrong(path.read_text()) == []


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_only_errors_of_mcugen_leave(path: Path) -> None:
    own = path.relative_to(PACKAGE).as_posix()
    assert [s for s in strangers(path.read_text()) if (own, s.split(": ")[1]) not in ALLOWED] == []


@pytest.mark.parametrize(
    "source",
    [
        'raise GraphError("E999", "x")',
        'raise GraphError("E501", "x")',
        'raise errors.ToolError("E201", "x")',
        "raise GraphError(message)",
        "raise GraphError()",
        'code = "E998"',
    ],
)
def test_the_test_bites(source: str) -> None:
    assert wrong(source) != []


def test_the_test_bites_on_strangers() -> None:
    assert strangers("raise ValueError('x')") == ["1: ValueError"]
    assert strangers("raise TypeError") == ["1: TypeError"]
    assert strangers("raise zlib.error('x')") == ["1: zlib.error"]
    assert strangers("raise GraphError('E201', 'x') from e\nraise\nraise e") == []


def test_codes_are_in_order_and_their_class_is_drawn() -> None:
    assert list(CODES) == sorted(CODES)
    assert errors.__doc__
    drawn = dict(re.findall(r"(\w+Error) +E(\d)xx", errors.__doc__))
    assert drawn == {k: v for k, v in CLASSES.items() if v}
    assert {c[1] for c in CODES} == set(drawn.values())


def test_the_tree_is_what_is_drawn() -> None:
    defined = {k: v for k, v in vars(errors).items() if isinstance(v, type) and issubclass(v, Exception)}
    assert defined.keys() == CLASSES.keys()
    assert all(v.__base__ is (Exception if k == "McugenError" else McugenError) for k, v in defined.items())


def test_a_message_says_where_what_and_what_to_do() -> None:
    e = errors.GraphError("E201", "a does not fit b", where="conv1", hint="make it fit")
    assert str(e) == "[E201] conv1: a does not fit b\n  make it fit"
    assert (e.code, e.message, e.where, e.hint) == ("E201", "a does not fit b", "conv1", "make it fit")
    assert str(McugenError("E704", "what")) == "[E704] what"
    with pytest.raises(AssertionError):
        McugenError("E999", "what")


def test_errors_go_from_one_process_to_another() -> None:
    error = errors.ToolError("E504", "too deep", where="f", hint="less")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is errors.ToolError and str(again) == str(error) == "[E504] f: too deep\n  less"
