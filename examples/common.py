"""What the examples share: the network's input bytes, and the way from an archive to firmware that is proven."""

from __future__ import annotations

import argparse
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from mcugen import archive, driver, interp, report, validate
from mcugen.errors import TargetError

ROOT = Path(__file__).resolve().parent.parent

Arrays = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]  # x_train, y_train, x_test, y_test


def quantized(source: archive.Archive, x: np.ndarray) -> np.ndarray:
    """Real inputs as the network's bytes: floor(x / scale + 1/2) + zero point."""
    t = source.graph.inputs[0].type
    assert t.quant is not None
    q = np.floor(x.astype(np.float64) / t.quant.scale + 0.5) + t.quant.zero_point
    return np.clip(q, t.dtype.lo, t.dtype.hi).astype(t.dtype.numpy)


def main(
    doc: str | None,
    here: Path,
    data: Callable[[], Arrays],
    train: Callable[[Path], tuple[float, float]],
    targets: Mapping[str, str],
    vectors: Mapping[str, int] | None = None,
) -> int:
    """An example's command line. Exit status 0 if every byte was equal everywhere.

    here: the example's directory; its name is the model's. data: x is real. train: writes an archive, returns the
    accuracies of the float and of the ternary network. targets: and the goal for each. vectors: at most so many test
    images at each of validate.places, default all. A machine without the memory is left out, and that is said.
    """
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--no-train", action="store_true", help="use the committed archive")
    parser.add_argument("--update", action="store_true", help="replace the committed archive by the new one")
    args = parser.parse_args()

    committed = here.resolve() / f"{here.resolve().name}.mcugen"
    build = ROOT / "build" / committed.stem
    build.mkdir(parents=True, exist_ok=True)
    path = committed if args.no_train else build / committed.name
    rows = [("accuracy on the test images", "")]
    if not args.no_train:
        start = time.monotonic()
        float_accuracy, ternary_accuracy = train(path)
        print(f"trained in {time.monotonic() - start:.0f} s\n")
        rows += [("float32", f"{float_accuracy:.2%}"), ("ternary, fake-quantised", f"{ternary_accuracy:.2%}")]

    source = archive.load(path)
    _, _, x_test, y_test = data()
    x = quantized(source, x_test)
    logits = interp.run(source.graph, x)[0]
    rows.append(("ternary, integer reference", f"{np.mean(logits.argmax(1) == y_test):.2%}"))
    print(report.table(rows), flush=True)

    passed = True
    for target, goal in targets.items():
        artifact = driver.compile(source, target=target, optimize=goal)
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
    if args.update and path != committed:
        shutil.copyfile(path, committed)
    print(f"\nfirmware in {build.relative_to(ROOT)}/: {', '.join(targets)}")
    return 0 if passed else 1
