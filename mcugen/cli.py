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

from . import __version__, driver, explain, measure, profile, project, report, results, targets, validate
from .errors import McugenError, OutputError, TargetError, ToolError
from .image import Image
from .ir import Array
from .kernels import KERNELS
from .ops import OPS

MAX_COUNT = 100_000
OK, NO, ERROR = 0, 1, 2  # fine; a budget or comparison does not hold; the command cannot be done

GOAL = (
    "the goal: speed; size, where twice the time must save a tenth of the flash or a fifth of the RAM; or balanced, "
    "where a share of flash counts half more than one of time or RAM (default: balanced)"
)
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
  mcugen analyze digits.mcugen --target cortex-m4 --explain
  mcugen analyze digits.mcugen --target cortex-m0 --max-ms 2500
  mcugen analyze digits.mcugen --all-targets --max-ms 500

Flash and stack are measured with the cross compiler where there is one, else flash is estimated and marked so.
Cycles, and the milliseconds that follow from the target's clock, are always estimates.
They count no wait states of flash; `mcugen targets` shows those.

--max-flash and --max-ram choose other kernels, at the least cost in the goal's terms, where the goal's own choice is
too large. Give them to `generate` too.

exit status: 0 within the target's memories and the budget (with --all-targets: at least one target is),
1 over it, 2 on errors
""",
    "generate": """examples:
  mcugen generate digits.mcugen --target cortex-m4 -o firmware/digits
  mcugen generate digits.mcugen --target cortex-m0 --optimize size -o firmware/digits
  mcugen generate digits.mcugen --target cortex-m4 --optimize speed --max-flash 24K --max-ram 6K -o firmware/digits
  mcugen generate digits.mcugen --target cortex-m0 --emit=plan
  mcugen generate digits.mcugen --target cortex-m4 --mean 0.1307 --std 0.3081 -o firmware/camera
  mcugen generate digits.mcugen --target cortex-m4 --zip digits.zip
  mcugen generate digits.mcugen --target cortex-m4 --project platformio --board nucleo_f446re -o project
  mcugen generate digits.mcugen --target cortex-m0 --project platformio --offline --run -o project

exit status: 0 written, 1 the model does not fit the target or the limits (nothing is written) or --run found a wrong
answer, 2 on errors
""",
    "pio-offline": """examples:
  mcugen pio-offline
  mcugen pio-offline project/.pio-core

exit status: 0 `pio run` can do without the registry now, 2 on errors
""",
    "validate": """examples:
  mcugen validate firmware/digits --on host
  mcugen validate firmware/digits --on all --count 500
  mcugen validate firmware/digits --on qemu --data inputs.npy

exit status: 0 every byte equal, 1 a mismatch, 2 on errors; `--on all` leaves out what is not installed or
does not fit and says so, and is an error only if nothing is left
""",
    "profile": """examples:
  mcugen profile digits.mcugen --target cortex-m4
  mcugen profile firmware/digits --functions
  mcugen profile digits.mcugen --target nucleo-f446re --wait-states
  mcugen profile digits.mcugen --target cortex-m0plus --wait-states 1 --json | jq .cycles

Simulated: the generated code is compiled for the core, runs instruction by instruction, and gives the right answer.
Cycles come from the tables of Arm's manuals (M0, M0+, M3, M4), are an estimate for M33, and rough for M7; for M55 only
instructions are counted. Boards were seen to take 22 to 42 % more cycles than such figures without wait states.

exit status: 0 measured, 2 on errors
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
    p = command("analyze", _analyze, "flash, RAM, stack and cycles of a model, layer by layer, without a board")
    _model_arguments(p, target=False)
    p.add_argument("--all-targets", action="store_true", help="which targets the model fits, and by how much not")
    p.add_argument("--estimate", action="store_true", help="do not compile: flash is estimated, stack unknown")
    p.add_argument("--explain", action="store_true", help="why each layer has its kernel, and what others would cost")
    p.add_argument("--max-ms", type=_milliseconds, metavar="N", help="exit 1 above this many milliseconds (estimated)")
    p.add_argument("--max-cycles", type=_size, metavar="N", help="exit 1 above this many per inference (1.5M)")
    p = command("generate", _generate, "write the firmware for a model")
    _model_arguments(p)
    p.add_argument("-o", "--output", metavar="DIR", help="the directory to write; an earlier one is replaced")
    p.add_argument("--emit", choices=("ir", "plan", "c"), help="print this stage instead of writing a directory")
    p.add_argument("--full", action="store_true", help="with --emit=ir: print all constants, so that it reads back")
    p.add_argument("--zip", metavar="FILE", help="write (also) a library that the Arduino IDE imports")
    p.add_argument("--project", choices=("platformio",), help="make DIR a project that builds, or add the model to one")
    p.add_argument(
        "--board", metavar="B", help="with --project: add this board: a target, its PlatformIO id, or PLATFORM/ID"
    )
    p.add_argument("--offline", action="store_true", help="with --project: do what `mcugen pio-offline` does")
    p.add_argument("--run", action="store_true", dest="go", help="with --project: run the known-answer test on QEMU")
    p = command("pio-offline", _pio_offline, "let PlatformIO build without its registry, with SCons from PyPI")
    p.add_argument("core", nargs="?", metavar="CORE_DIR", help="default: $PLATFORMIO_CORE_DIR, else ~/.platformio")
    p = command("validate", _validate, "compare generated firmware with the integer reference, byte for byte")
    p.add_argument("directory", metavar="DIR", help="what `mcugen generate` wrote")
    p.add_argument("--on", choices=(*validate.PLACES, "all"), default="host", help="where to run (default: host)")
    p.add_argument("--count", type=int, default=100, metavar="N", help="vectors to run (default: 100)")
    p.add_argument("--data", metavar="FILE", help="quantised inputs, (N, ...) of bytes: .npy, or .npz by input name")
    p = command("profile", _profile, "cycles of one inference, layer by layer, in a simulator of the core")
    p.add_argument("model", metavar="MODEL_OR_DIR", help="an archive, module:function, or what `mcugen generate` wrote")
    p.add_argument("--target", metavar="T", help="see `mcugen targets`; a directory knows its own")
    p.add_argument("--optimize", choices=driver.OPTIMIZE, default="balanced", help=GOAL)
    p.add_argument(
        "--wait-states",
        nargs="?",
        type=_waits,
        const=True,
        default=False,
        metavar="N",
        help="with flash that takes N (default: the target's) cycles longer",
    )
    p.add_argument("--functions", action="store_true", help="print also what each function took")
    return parser


def _model_arguments(p: argparse.ArgumentParser, target: bool = True) -> None:
    p.add_argument("model", metavar="MODEL", help="an archive saved by mcugen.qat.save, or module:function")
    p.add_argument("--target", required=target, metavar="T", help="see `mcugen targets`")
    p.add_argument("--optimize", choices=driver.OPTIMIZE, default="balanced", help=GOAL)
    for what in ("flash", "ram"):
        about = f"choose kernels for at most this many bytes of {what} (4K, 1.5M); exit 1 where that cannot be"
        p.add_argument(f"--max-{what}", type=_size, metavar="N", help=about)
    p.add_argument(
        "--result",
        choices=tuple(results.RESULTS),
        default="values",
        help="what the model gives: its values (16 bits), those as bytes or in 32 bits, or the class",
    )
    about = "the input is raw pixels, H, W, C bytes, which training normalised as (pixel / 255 - mean) / std"
    p.add_argument("--mean", type=_numbers, metavar="M,..", help=f"{about}: one number, or one for each channel")
    p.add_argument("--std", type=_numbers, metavar="S,..", help="see --mean")
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


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(v) for v in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number, nor several like 0.485,0.456,0.406") from None


def _milliseconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e9:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of milliseconds")
    return value


def _waits(text: str) -> int:
    if not text.isdecimal() or int(text) > 100:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of wait states from 0 to 100")
    return int(text)


def _dump(document: Any) -> None:
    print(json.dumps(document, indent=2))


def _error(e: McugenError) -> dict[str, Any]:
    return {"error": {"code": e.code, "where": e.where, "message": e.message, "hint": e.hint}}


def _targets(args: argparse.Namespace) -> int:
    found = [targets.get(n) for n in targets.names()]
    if args.json:
        own = ("name", "about", "flash", "ram", "clock", "wait_states", "machine", "platformio", "framework", "source")
        _dump(
            [
                {
                    **{k: getattr(t, k) for k in own},
                    "core": t.core.name,
                    "flags": list(t.flags),
                    "isa": list(t.core.isa),
                }
                for t in found
            ]
        )
    else:
        rows = [("target", "core", "emulator", "about", "flash B", "RAM B", "MHz", "waits")]
        for t in found:
            mhz = f"{t.clock / 1e6:g}" if t.clock else ""
            waits = "" if t.wait_states is None else str(t.wait_states)
            rows.append((t.name, t.core.name, t.machine, t.about, f"{t.flash:,}", f"{t.ram:,}", mhz, waits))
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


def _compile(
    args: argparse.Namespace, target: str, source: Any = None, estimate: bool = False
) -> tuple[driver.Artifact, dict[str, Any]]:
    """The artifact and its report, with what the cross compiler says where there is one and `estimate` does not do."""
    source = source or driver.load(args.model, None, args.name)
    options = _options(args)

    def compiled(flash: int | None, ram: int | None) -> driver.Artifact:
        return driver.compile(source, target=target, max_flash=flash, max_ram=ram, **options)

    try:
        if not estimate:
            artifact, found = measure.fitted(compiled, args.max_flash, args.max_ram)
            return artifact, report.measured(artifact.report, found, artifact.target)
    except ToolError as e:
        if e.code != "E501":
            raise
    artifact = compiled(args.max_flash, args.max_ram)
    return artifact, report.measured(artifact.report, None, artifact.target)


def _options(args: argparse.Namespace) -> dict[str, Any]:
    """What `driver.compile` takes beside model, target and name."""
    if (args.mean is None) != (args.std is None):
        raise OutputError("E703", "--mean and --std want each other", where="image")
    image = None if args.mean is None else Image(args.mean, args.std)
    return {"optimize": args.optimize, "result": args.result, "image": image}


def _analyze(args: argparse.Namespace) -> int:
    if args.all_targets and args.explain:
        raise OutputError("E703", "--explain wants one --target", where="analyze")
    if args.all_targets == bool(args.target):
        raise OutputError("E703", "give --target T or --all-targets", where="analyze")
    if args.all_targets:
        return _analyze_all(args)
    if args.max_ms is not None and not targets.get(args.target).clock:
        raise OutputError("E703", f"{args.target} has no clock, so --max-ms means nothing", where="analyze")
    artifact, document = _compile(args, args.target, estimate=args.estimate)
    over = report.over(document, args.max_flash, args.max_ram, args.max_cycles, args.max_ms)
    explained = explain.explain(artifact) if args.explain else None
    if args.json:
        _dump({**document, "over": over, **({"explained": explained.document()} if explained else {})})
    else:
        print(report.text(document))
        if explained:
            print(f"\n{explain.text(explained)}")
        for o in over:
            print(f"over   {o['what']}: {o['used']:,} of {o['limit']:,}, {o['over']:,} too many")
    return NO if over else OK


def _analyze_all(args: argparse.Namespace) -> int:
    source = driver.load(args.model, None, args.name)
    rows = []
    for name in targets.names():
        row: dict[str, Any] = {"target": name}
        try:
            artifact, document = _compile(args, name, source, args.estimate)
        except TargetError as e:
            rows.append({**row, "fits": False, "over": [], "error": str(e)})
            continue
        over = report.over(document, args.max_flash, args.max_ram, args.max_cycles, args.max_ms)
        if args.max_ms is not None and not artifact.target.clock:
            over.append({"what": "ms", "used": None, "limit": args.max_ms, "over": None})
        keys = ("flash_bytes", "flash_measured", "ram_total_bytes", "stack_bytes", "cycles_estimated", "ms_estimated")
        row |= {"core": document["core"], "flash": document["target_flash"], "ram": document["target_ram"]}
        rows.append({**row, **{k: document["totals"][k] for k in keys}, "fits": not over, "over": over})
    if args.json:
        _dump({"model": source.graph.name, "optimize": args.optimize, "targets": rows})
    else:
        print(report.fits(rows))
    return OK if any(r["fits"] for r in rows) else NO


def _generate(args: argparse.Namespace) -> int:
    if not args.emit and not args.output and not args.zip:
        raise OutputError("E703", "give -o DIR, --zip FILE, or --emit=ir|plan|c", where="generate")
    if args.project and not args.output:
        raise OutputError("E703", "--project wants -o DIR", where="generate")
    if not args.project and (args.board or args.offline or args.go):
        raise OutputError("E703", "--board, --offline and --run want --project platformio", where="generate")
    artifact, document = _compile(args, args.target, estimate=bool(args.emit))
    if args.emit:
        text = driver.stage(artifact, args.emit, args.full)
        if args.json:
            _dump({"stage": args.emit, "text": text})
        else:
            print(text, end="")
        return OK
    if over := report.over(document, args.max_flash, args.max_ram, None, None):
        beyond = ", ".join(f"{o['what']} by {o['over']:,} bytes" for o in over)
        whose = "the target's" if args.max_flash is args.max_ram is None else "its limits:"
        e = TargetError("E404", f"the model exceeds {whose} {beyond}; nothing was written", where=artifact.name)
        if args.json:
            _dump({**_error(e), "report": document})
        else:
            print(f"{report.text(document)}\n\nmcugen: {e}", file=sys.stderr)
        return NO
    files = artifact.files
    kept: tuple[str, ...] = ()
    if args.zip:
        driver.write_zip(Path(args.zip), artifact.name, files)
    if args.project:
        files = project.files(artifact, args.board)
        kept = project.save(Path(args.output), artifact.name, files)
    elif args.output:
        artifact.save(args.output)
    done = project.offline(None) if args.offline else ""
    right, said = project.run(Path(args.output), project.environment(artifact)) if args.go else (True, "")
    if args.json:
        written = {"directory": args.output, "zip": args.zip, "files": [f for f in files if f not in kept]}
        _dump({**written, "kept": list(kept), "right": right, "report": document})
        return OK if right else NO
    print(report.text(document))
    if args.output:
        print(f"\nwrote {len(files) - len(kept)} files to {args.output}")
    if args.zip:
        print(f"\nwrote {args.zip}")
    if kept:
        print(f"kept, though they differ: {', '.join(kept)}")
    if done:
        print(done)
    print(said, end="")
    return OK if right else NO


def _pio_offline(args: argparse.Namespace) -> int:
    done = project.offline(args.core)
    if args.json:
        _dump({"done": done})
    else:
        print(done)
    return OK


def _validate(args: argparse.Namespace) -> int:
    directory = Path(args.directory)
    artifact, changed = validate.open_directory(directory)
    x = _inputs(args, artifact)
    places = validate.places(artifact.target) if args.on == "all" else (args.on,)
    verdicts, skipped = [], []
    for place in places:
        try:
            verdicts.append(validate.validate(directory, artifact, place, x))
        except McugenError as e:
            if args.on != "all" or not validate.skippable(e):
                raise
            skipped.append((place, e))
            continue
        if not args.json:
            print(validate.text(verdicts[-1]))
    if not verdicts:
        raise skipped[0][1]
    for place, why in [] if args.json else skipped:
        print(f"{place:<12} skipped: {str(why).splitlines()[0]}")
    if args.json:
        _dump(
            {
                "model": artifact.name,
                "changed_files": list(changed),
                "passed": all(v.passed for v in verdicts),
                "machines": [{**vars(v), "differences": [vars(d) for d in v.differences]} for v in verdicts],
                "skipped": [{"place": place, **_error(e)["error"]} for place, e in skipped],
            }
        )
    elif changed:
        print(f"note: not as this mcugen generates them: {', '.join(changed)}")
        if f"{artifact.name}.c" in changed and not all(v.passed for v in verdicts):
            print("note: layers are named by the steps and the memory map that this mcugen gives the model")
    return OK if all(v.passed for v in verdicts) else NO


def _profile(args: argparse.Namespace) -> int:
    if not args.target and not Path(args.model).is_dir():
        raise OutputError("E703", "give --target T", where="profile")
    found = profile.profile(
        args.model,
        args.target,
        wait_states=args.wait_states,
        optimize=args.optimize,
        tell=lambda said: print(f"mcugen: {said}", file=sys.stderr),
    )
    if args.json:
        _dump(found.document())
    else:
        print(profile.text(found, args.functions))
    return OK


def _inputs(args: argparse.Namespace, artifact: driver.Artifact) -> tuple[Array, ...]:
    if not 1 <= args.count <= MAX_COUNT:
        raise OutputError("E703", f"--count wants a number from 1 to {MAX_COUNT:,}", where="validate")
    if not args.data:
        return driver.vectors(artifact.archive, args.count)
    inputs = artifact.archive.graph.inputs
    names = [v.name for v in inputs]
    try:
        with open(args.data, "rb") as f:
            loaded: Any = np.load(f, allow_pickle=False)
            held = list(getattr(loaded, "files", ()))
            wanted = names if len(names) > 1 and set(held) == set(names) else held[:1]
            found: list[Any] = [loaded[k] for k in wanted] if held else [loaded]
    except Exception as e:  # numpy raises more kinds than it documents, and a file can be anything
        raise OutputError("E701", f"cannot read: {type(e).__name__}: {e}", where=args.data) from None
    if len(found) != len(names):
        hint = f"the model has several inputs: give an .npz of {', '.join(names)}"
        raise OutputError("E704", f"holds {', '.join(held) or 'one array'}", where=args.data, hint=hint)
    made = []
    for v, x in zip(inputs, found, strict=True):
        t = v.type
        if not isinstance(x, np.ndarray):
            raise OutputError("E704", "is no array", where=args.data)
        if x.dtype != t.dtype.numpy or x.ndim < 1 or len(x) == 0 or x[0].size != t.size or int(x.max()) > t.dtype.hi:
            raise OutputError("E704", f"{x.dtype}{list(x.shape)} does not fit [N] x {t}", where=args.data)
        made.append(np.asarray(x.reshape(-1, *t.shape)))
    return tuple(made)


if __name__ == "__main__":  # python -m mcugen.cli
    sys.exit(main())
