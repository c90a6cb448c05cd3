"""The command line. No logic: it parses, calls driver and validate, and prints."""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from . import __version__, driver, report, targets, validate
from .errors import McugenError, OutputError, TargetError
from .ir import Array
from .kernels import KERNELS
from .ops import OPS

MAX_COUNT = 100_000
OK, NO, ERROR = 0, 1, 2  # fine; a budget or comparison does not hold; the command cannot be done

_EXAMPLES = {
    "": """examples:
  mcugen targets
  mcugen analyze digits.mcugen --target cortex-m0 --max-ram 4K
  mcugen generate digits.mcugen --target cortex-m4 -o firmware/digits
  mcugen validate firmware/digits --on all
""",
    "targets": "examples:\n  mcugen targets\n  mcugen targets --json\n",
    "ops": "examples:\n  mcugen ops\n  mcugen ops --json\n",
    "analyze": """examples:
  mcugen analyze digits.mcugen --target cortex-m0
  mcugen analyze digits.mcugen --target cortex-m4 --optimize size --max-flash 16K --max-ram 4K
  mcugen analyze digits.mcugen --target cortex-m4 --json | jq .totals

exit status: 0 within the budget, 1 over it, 2 on errors
""",
    "generate": """examples:
  mcugen generate digits.mcugen --target cortex-m4 -o firmware/digits
  mcugen generate digits.mcugen --target cortex-m0 --optimize size -o firmware/digits
  mcugen generate digits.mcugen --target cortex-m0 --emit=plan

exit status: 0 written, 1 the model does not fit the target (nothing is written), 2 on errors
""",
    "validate": """examples:
  mcugen validate firmware/digits --on host
  mcugen validate firmware/digits --on all --count 500
  mcugen validate firmware/digits --on qemu --data inputs.npy

exit status: 0 every byte equal, 1 a mismatch, 2 on errors
""",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line; the exit status. Errors go to standard error, with --json to standard output."""
    argv = sys.argv[1:] if argv is None else argv
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        args = _parser().parse_args(argv)
        status: int = args.run(args)
        sys.stdout.flush()
    except (McugenError, MemoryError) as caught:
        e = caught if isinstance(caught, McugenError) else McugenError("E403", f"not enough memory: {caught}")
        if "--json" in argv:
            _dump(_error(e))
        else:
            print(f"mcugen: {e}", file=sys.stderr)
        return ERROR
    except BrokenPipeError:  # the reader of our output has gone, and Python flushes once more at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ERROR
    except KeyboardInterrupt:
        print("mcugen: interrupted", file=sys.stderr)
        return 130
    return status


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are errors like all others."""

    def error(self, message: str) -> NoReturn:
        raise OutputError("E703", message, where=self.prog[len("mcugen ") :], hint=f"see `{self.prog} --help`")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="mcugen",
        description="Compile trained ternary networks to C for Cortex-M, and prove every byte.",
        epilog=_EXAMPLES[""],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"mcugen {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Any, about: str) -> argparse.ArgumentParser:
        p = commands.add_parser(
            name,
            help=about,
            description=about[0].upper() + about[1:] + ".",
            epilog=_EXAMPLES[name],
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        p.add_argument("--json", action="store_true", help="print JSON for machines")
        p.set_defaults(run=run)
        return p

    command("targets", _targets, "list the targets")
    command("ops", _ops, "list the operators and the kernels that run them")
    p = command("analyze", _analyze, "flash, RAM and cycles of a model, layer by layer, without a compiler or a board")
    _model_arguments(p)
    for what, unit in (("flash", "bytes"), ("ram", "bytes"), ("cycles", "per inference")):
        p.add_argument(f"--max-{what}", type=_size, metavar="N", help=f"exit 1 above this many {unit} (4K, 1.5M)")
    p = command("generate", _generate, "write the firmware for a model")
    _model_arguments(p)
    p.add_argument("-o", "--output", metavar="DIR", help="the directory to write; an earlier one is replaced")
    p.add_argument("--emit", choices=("ir", "plan", "c"), help="print this stage instead of writing a directory")
    p.add_argument("--full", action="store_true", help="with --emit=ir: print all constants, so that it reads back")
    p = command("validate", _validate, "compare generated firmware with the integer reference, byte for byte")
    p.add_argument("directory", metavar="DIR", help="what `mcugen generate` wrote")
    p.add_argument("--on", choices=(*validate.PLACES, "all"), default="host", help="where to run (default: host)")
    p.add_argument("--count", type=int, default=100, metavar="N", help="vectors to run (default: 100)")
    p.add_argument("--data", metavar="FILE", help="quantised inputs, .npy or .npz (first array), (N, ...) of bytes")
    return parser


def _model_arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("model", metavar="MODEL", help="an archive saved by mcugen.qat.save, or module:function")
    p.add_argument("--target", required=True, metavar="T", help="see `mcugen targets`")
    p.add_argument("--optimize", choices=driver.OPTIMIZE, default="balanced", help="the goal (default: balanced)")
    p.add_argument(
        "--result", choices=driver.RESULTS, default="values", help="what the model gives: its values, or the class"
    )
    p.add_argument("--name", metavar="NAME", help="another name for the model: prefix of files and C symbols")


def _size(text: str) -> int:
    unit = {"K": 1024, "M": 1024**2}.get(text[-1:].upper(), 1)
    try:
        value = float(text if unit == 1 else text[:-1]) * unit
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number like 4096, 4K or 1.5M") from None
    if not 0 <= value < 2**40:
        raise argparse.ArgumentTypeError(f"{text!r} is out of range")
    return int(value)


def _dump(document: Any) -> None:
    print(json.dumps(document, indent=2))


def _error(e: McugenError) -> dict[str, Any]:
    return {"error": {"code": e.code, "where": e.where, "message": e.message, "hint": e.hint}}


def _targets(args: argparse.Namespace) -> int:
    found = [targets.get(n) for n in targets.names()]
    if args.json:
        keys = ("name", "about", "flash", "ram", "clock", "machine", "source")
        _dump([{**{k: getattr(t, k) for k in keys}, "core": t.core.name} for t in found])
    else:
        rows = [("target", "core", "emulator", "about", "flash B", "RAM B", "MHz")]
        for t in found:
            mhz = f"{t.clock / 1e6:g}" if t.clock else ""
            rows.append((t.name, t.core.name, t.machine, t.about, f"{t.flash:,}", f"{t.ram:,}", mhz))
        print(report.table(rows, left=4))
    return OK


def _ops(args: argparse.Namespace) -> int:
    kernels = {name: list(dict.fromkeys(k.name for k in KERNELS if k.op is op)) for name, op in OPS.items()}
    about = {name: (op.__doc__ or "").strip().splitlines()[0] for name, op in OPS.items()}
    if args.json:
        _dump([{"name": n, "about": about[n], "kernels": kernels[n]} for n in OPS])
    else:
        rows = [("operator", "kernels", "what it computes")]
        rows += [(n, ", ".join(kernels[n]), about[n]) for n in OPS]
        print(report.table(rows, left=3))
    return OK


def _compile(args: argparse.Namespace) -> driver.Artifact:
    return driver.compile(args.model, target=args.target, optimize=args.optimize, name=args.name, result=args.result)


def _analyze(args: argparse.Namespace) -> int:
    artifact = _compile(args)
    totals = artifact.report["totals"]
    limits = {
        "flash": (totals["flash_bytes_estimated"], args.max_flash, artifact.target.flash),
        "ram": (totals["ram_bytes"], args.max_ram, artifact.target.ram),
        "cycles": (totals["cycles_estimated"], args.max_cycles, None),
    }
    over = []
    for what, (used, asked, has) in limits.items():
        limit = min(v for v in (asked, has, float("inf")) if v is not None)
        if used > limit:
            over.append({"what": what, "used": used, "limit": limit, "over": used - limit})
    if args.json:
        _dump({**artifact.report, "over": over})
    else:
        print(report.text(artifact.report))
        for o in over:
            print(f"over   {o['what']}: {o['used']:,} of {o['limit']:,}, {o['over']:,} too many")
    return NO if over else OK


def _generate(args: argparse.Namespace) -> int:
    if not args.emit and not args.output:
        raise OutputError("E703", "give -o DIR, or --emit=ir|plan|c", where="generate")
    artifact = _compile(args)
    if args.emit:
        text = driver.stage(artifact, args.emit, args.full)
        if args.json:
            _dump({"stage": args.emit, "text": text})
        else:
            print(text, end="")
        return OK
    if not artifact.fits:
        e = TargetError("E404", "the model does not fit the target; nothing was written", where=artifact.name)
        if args.json:
            _dump({**_error(e), "report": artifact.report})
        else:
            print(f"{report.text(artifact.report)}\n\nmcugen: {e}", file=sys.stderr)
        return NO
    artifact.save(args.output)
    if args.json:
        _dump({"directory": args.output, "files": list(artifact.files), "report": artifact.report})
        return OK
    print(report.text(artifact.report))
    print(f"\nwrote {len(artifact.files)} files to {args.output}")
    return OK


def _validate(args: argparse.Namespace) -> int:
    directory = Path(args.directory)
    artifact, changed = validate.open_directory(directory)
    x = _inputs(args, artifact)
    places = validate.PLACES if args.on == "all" else (args.on,)
    verdicts = []
    for place in places:
        verdicts.append(validate.validate(directory, artifact, place, x))
        if not args.json:
            print(validate.text(verdicts[-1]))
    if args.json:
        _dump(
            {
                "model": artifact.name,
                "changed_files": list(changed),
                "passed": all(v.passed for v in verdicts),
                "machines": [{**vars(v), "differences": [vars(d) for d in v.differences]} for v in verdicts],
            }
        )
    elif changed:
        print(f"note: not as this mcugen generates them: {', '.join(changed)}")
        if f"{artifact.name}.c" in changed and not all(v.passed for v in verdicts):
            print("note: layers are named by the steps and the memory map that this mcugen gives the model")
    return OK if all(v.passed for v in verdicts) else NO


def _inputs(args: argparse.Namespace, artifact: driver.Artifact) -> Array:
    if not 1 <= args.count <= MAX_COUNT:
        raise OutputError("E703", f"--count wants a number from 1 to {MAX_COUNT:,}", where="validate")
    if not args.data:
        return driver.vectors(artifact.archive, args.count)
    t = artifact.archive.graph.inputs[0].type
    try:
        with open(args.data, "rb") as f:
            loaded: Any = np.load(f, allow_pickle=False)
            x = loaded[loaded.files[0]] if hasattr(loaded, "files") else loaded
    except Exception as e:  # numpy raises more kinds than it documents, and a file can be anything
        raise OutputError("E701", f"cannot read: {type(e).__name__}: {e}", where=args.data) from None
    if not isinstance(x, np.ndarray):
        raise OutputError("E704", "is no array", where=args.data)
    if x.dtype != t.dtype.numpy or x.ndim < 1 or len(x) == 0 or x[0].size != t.size or int(x.max()) > t.dtype.hi:
        raise OutputError("E704", f"{x.dtype}{list(x.shape)} does not fit [N] x {t}", where=args.data)
    return np.asarray(x.reshape(-1, *t.shape))
