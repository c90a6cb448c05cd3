"""Objects that are compiled once: most tests build the same kernels, with the same flags, in other directories."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mcugen import toolchain
from mcugen.toolchain import Compiler

INCLUDE = re.compile(r"^[ \t]*#[ \t]*include[ \t]+([^<\s]\S*)", re.MULTILINE)
Compile = Callable[..., tuple[Path, ...]]


def texts(source: Path, include: Sequence[Path]) -> dict[str, str] | None:
    """The source and all that it includes by quotes, by the names it says; None if it includes what a macro names."""
    found = {source.name: source.read_text()}
    left = [(source, found[source.name])]
    while left:
        path, text = left.pop()
        for word in INCLUDE.findall(text):
            name = word.strip('"')
            if name == word:
                return None
            there = next((p for d in (path.parent, *include) if (p := d / name).is_file()), None)
            if there and name not in found:
                found[name] = there.read_text()
                left.append((there, found[name]))
    return found


def compiled_once(store: Path, compile: Compile = toolchain.compile) -> Compile:
    """`compile` that copies an object from the store if compiler, options and all texts are what they were.

    Files included by <> are the compiler's, which stays the same.
    """

    def once(
        cc: Compiler,
        sources: Sequence[Path],
        out_dir: Path,
        *,
        flags: Sequence[str] = (),
        include: Sequence[Path] = (),
        defines: Mapping[str, str] | None = None,
        **rest: Any,
    ) -> tuple[Path, ...]:
        if any(flag.startswith("-fcallgraph-info") for flag in flags):  # more comes of it than objects
            return compile(cc, sources, out_dir, flags=flags, include=include, defines=defines, **rest)
        said = repr((cc.command, *flags, sorted((defines or {}).items()), sorted(rest.items())))
        kept: list[Path | None] = []
        for source in sources:
            made_of = texts(source, include)
            digest = hashlib.sha256(repr((said, made_of)).encode()).hexdigest()
            kept.append(None if made_of is None else store / digest)
        missing = [i for i, k in enumerate(kept) if k is None or not k.exists()]
        some = [sources[i] for i in missing]
        with tempfile.TemporaryDirectory(dir=store) as work:
            new = compile(cc, some, Path(work), flags=flags, include=include, defines=defines, **rest)
            objects = [out_dir / f"{i:02d}-{source.name}.o" for i, source in enumerate(sources)]
            for i, path in zip(missing, new, strict=True):
                shutil.copyfile(path, objects[i])
                if (k := kept[i]) is not None:
                    os.replace(path, k)
        for i in {*range(len(sources))} - {*missing}:
            shutil.copyfile(kept[i], objects[i])
        return tuple(objects)

    return once
