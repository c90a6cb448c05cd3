"""What the examples share: the network's input bytes, and the way from an archive to firmware that is proven."""

from __future__ import annotations

import argparse
import importlib.util
import re
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from mcugen import archive, driver, interp, measure, report, validate
from mcugen.errors import TargetError
from mcugen.ir import DType

ROOT = Path(__file__).resolve().parent.parent

# The tables of an example's README.
_SIZES = (f"{what}, bytes" for what in ("weights", "all tables", "arena", "linked"))
COSTS = "target", "goal", *_SIZES, "MAC", "cycles, estimated"
PROOFS = "target", "host", "host with sanitisers", "emulated"

PREDICTIONS = "predictions.npz"  # beside an archive: what the networks of the training said, a Trained

Arrays = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]  # x_train, y_train, x_test, y_test


class Trained(NamedTuple):
    """The classes that the float network and the fake-quantised one give for the test inputs, (N,) of uint8."""

    real: np.ndarray
    ternary: np.ndarray


def example(name: str) -> ModuleType:
    """The train.py of another example, as a module."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(name) / "train.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def classes(model: Any, x: Any) -> np.ndarray:
    """The classes that a torch model gives for x, in evaluation mode."""
    import torch

    with torch.no_grad():
        model.eval()
        return torch.cat([model(part).argmax(1) for part in x.split(500)]).numpy().astype(np.uint8)


def check_layers(net: Any, path: Path, x: Any) -> None:
    """Hold an archive to the fake-quantised network that it is of: each layer on the reference's own inputs, x a batch.

    RuntimeError unless all integers are within 1, and the same but for at most 0.1 % of those in 8 bits: the reference
    multiplies by numbers of 15 significant bits, and torch rounds its sums to float32.
    """
    from mcugen import qat

    source = archive.load(path)
    env = interp.trace(source.graph, quantized(source, x.numpy()))
    got = {v.name: a.astype(np.int64) for v, a in env.items()}
    narrow = {v.name for v in env if v.type.dtype is not DType.I16}
    wrong = total = 0
    for name, want in qat.fake_codes(net, x, got).items():
        apart = np.abs(got[name] - want.reshape(got[name].shape))
        if apart.max() > 1:
            raise RuntimeError(f"{path.name}: {name} differs by {apart.max()}")
        if name in narrow:
            wrong += int(np.count_nonzero(apart))
            total += apart.size
    print(f"layer by layer, {len(x)} images: {wrong:,} of {total:,} integers differ, by 1", flush=True)
    if wrong > total / 1000:
        raise RuntimeError(f"{path.name}: more than 0.1 % of the integers differ")


def predictions(archive_path: Path) -> Trained | None:
    """What the training of an archive left beside it."""
    path = archive_path.with_name(PREDICTIONS)
    if not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as held:
        return Trained(held["real"], held["ternary"])


def quantized(source: archive.Archive, x: np.ndarray) -> np.ndarray:
    """Real inputs (N, ...) as the network's bytes, of its shape: floor(x / scale + 1/2) + zero point.

    A 1-D network, (N, channels, time) in torch, takes (N, channels, time, 1).
    """
    t = source.graph.inputs[0].type
    assert t.quant is not None
    q = np.floor(x.astype(np.float64) / t.quant.scale + 0.5) + t.quant.zero_point
    return np.clip(q, t.dtype.lo, t.dtype.hi).astype(t.dtype.numpy).reshape(len(x), *t.shape)


def cost_row(target: str, goal: str, artifact: driver.Artifact) -> tuple[str, ...]:
    """A row of COSTS; ToolError without a cross compiler."""
    t = artifact.report["totals"]
    counts = (t["weight_bytes"], t["table_bytes"], t["arena_bytes"], measure.measure(artifact).total, t["macs"])
    return (target, goal, *(f"{n:,}" for n in counts), f"{t['cycles_estimated'] / 1e6:.1f} million")


def _proof_row(target: str, verdicts: Sequence[validate.Verdict]) -> tuple[str, ...]:
    """A row of PROOFS; machines that ran as many vectors with as deep a stack share a statement."""
    equal = {v.place: f"{v.vectors - v.failed:,} of {v.vectors:,}" for v in verdicts}
    machines: dict[str, list[str]] = {}
    for v in verdicts:
        if v.place not in ("host", "sanitize"):
            name = "Unicorn as Armv6-M" if v.place == "unicorn" else f"QEMU {v.place}"
            machines.setdefault(f"{equal[v.place]}, stack {v.stack_bytes:,} B", []).append(name)
    emulated = "; ".join(f"{' and '.join(names)}: {what}" for what, names in machines.items())
    return target, equal["host"], equal["sanitize"], emulated


def _replace_table(path: Path, rows: Sequence[tuple[str, ...]]) -> None:
    """The table of a Markdown file that begins with the first of the rows becomes all of them."""
    first, *rest = (f"| {' | '.join(row)} |\n" for row in rows)
    rule = "|" + "---|" * len(rows[0]) + "\n"
    text = path.read_text()
    old = re.search(re.escape(first + rule) + r"(\|.*\n)*", text)
    if old is None:
        raise RuntimeError(f"{path.name} has no table {first.strip()}")
    path.write_text(text[: old.start()] + "".join((first, rule, *rest)) + text[old.end() :])


def main(
    doc: str | None,
    here: Path,
    data: Callable[[], Arrays],
    train: Callable[[Path], Trained],
    targets: Mapping[str, str],
    vectors: Mapping[str, int] | None = None,
) -> int:
    """An example's command line. Exit status 0 if every byte was equal everywhere.

    here: the example's directory; its name is the model's. data: x is real. train: writes an archive. targets: and the
    goal for each. vectors: at most so many test inputs at each of validate.places, default all. A machine without the
    memory is left out, and that is said.
    """
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--no-train", action="store_true", help="use the committed archive")
    parser.add_argument("--update", action="store_true", help="replace the committed archive by the new one")
    parser.add_argument("--readme", action="store_true", help="write what it costs and what is proven to README.md")
    args = parser.parse_args()

    committed = here.resolve() / f"{here.resolve().name}.mcugen"
    build = ROOT / "build" / committed.stem
    build.mkdir(parents=True, exist_ok=True)
    path = committed if args.no_train else build / committed.name
    rows = [("accuracy on the test images", "")]
    if not args.no_train:
        start = time.monotonic()
        trained = train(path)
        np.savez_compressed(path.with_name(PREDICTIONS), real=trained.real, ternary=trained.ternary)
        print(f"trained in {time.monotonic() - start:.0f} s\n")

    source = archive.load(path)
    _, _, x_test, y_test = data()
    if said := predictions(path):
        for what, found in (("float32", said.real), ("ternary, fake-quantised", said.ternary)):
            rows.append((what, f"{np.mean(found == y_test):.2%}"))
    x = quantized(source, x_test)
    logits = interp.run(source.graph, x)[0]
    rows.append(("ternary, integer reference", f"{np.mean(logits.argmax(1) == y_test):.2%}"))
    print(report.table(rows), flush=True)

    passed = True
    costs: list[tuple[str, ...]] = []
    proofs: list[tuple[str, ...]] = []
    for target, goal in targets.items():
        artifact = driver.compile(source, target=target, optimize=goal)
        verdicts = []
        directory = build / target
        artifact.save(directory)
        print(f"\n{report.text(artifact.report)}\n", flush=True)
        for place in validate.places(artifact.target):
            try:
                verdict = validate.validate(directory, artifact, place, x[: (vectors or {}).get(place)])
            except TargetError as e:
                if e.code != "E404":  # the emulated machine lacks the memory
                    raise
                print(f"{artifact.target.machine or target:<12} ----  {e.message}", flush=True)
                continue
            print(validate.text(verdict), flush=True)
            passed &= verdict.passed
            verdicts.append(verdict)
        if args.readme:
            costs.append(cost_row(target, goal, artifact))
            proofs.append(_proof_row(target, verdicts))
    if args.readme:
        for table in ([COSTS, *costs], [PROOFS, *proofs]):
            _replace_table(here / "README.md", table)
    if args.update and path != committed:
        shutil.copyfile(path, committed)
        shutil.copyfile(path.with_name(PREDICTIONS), committed.with_name(PREDICTIONS))
    print(f"\nfirmware in {build.relative_to(ROOT)}/: {', '.join(targets)}")
    return 0 if passed else 1
