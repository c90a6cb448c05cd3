"""The zoo: what every trained network here reaches, from its archive.

    python examples/zoo.py [NAME ...]    a table, and build/zoo.json

The integer network runs on the whole test set, in the reference and as C on this machine; the C is generated for size.
What the float and the fake-quantised network said is in predictions.npz beside the archive, from its training.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))
import common

from mcugen import archive, driver, interp, report, validate
from mcugen.errors import McugenError
from mcugen.ir import DType

HERE = Path(__file__).resolve().parent
TARGET = "cortex-m4"  # for the sizes of weights; its C runs on this machine


def networks() -> list[str]:
    """The examples that are trained: those with an archive and with what their training said."""
    return sorted(p.parent.name for p in HERE.glob(f"*/{common.PREDICTIONS}"))


def measure(name: str) -> dict[str, Any]:
    """One line of the table, as JSON has it: accuracies and agreement in percent, sizes in bytes."""
    path = HERE / name / f"{name}.mcugen"
    module = common.example(name)
    source, said = archive.load(path), common.predictions(path)
    assert said is not None
    _, _, x_test, y = module.data()
    x = common.quantized(source, x_test)
    classes = interp.run(source.graph, x)[0].reshape(len(x), -1).argmax(1)
    artifact = driver.compile(source, target=TARGET, optimize="size")
    with tempfile.TemporaryDirectory() as directory:
        artifact.save(Path(directory) / name)
        verdict = validate.validate(Path(directory) / name, artifact, "host", x)
    totals = artifact.report["totals"]
    ternary = [v.const for v in source.graph.constants if v.type.dtype is DType.T]
    nonzero, count = (sum(int(f(w)) for w in ternary) for f in (np.count_nonzero, np.size))
    accuracies = (100 * float(np.mean(c == y)) for c in (*said, classes))
    return {
        "task": name,
        **dict(zip(("float_acc", "fq_acc", "int_acc"), (round(a, 3) for a in accuracies), strict=True)),
        "density": round(nonzero / count, 4) if count else None,
        "bits_per_weight": round(8 * totals["weight_bytes"] / totals["parameters"], 3),
        "weight_bytes": totals["weight_bytes"],
        "weights": totals["parameters"],
        "agreement": round(100 * float(np.mean(classes == said.ternary)), 3),
        "tested": len(x),
        "mismatches": verdict.failed + len(verdict.messages),
    }


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as people read them."""
    lines: list[tuple[str, ...]] = [
        ("task", "float", "ternary", "integers", "agree", "density", "bits/w", "weights B", "tested", "mismatches")
    ]
    for r in rows:
        shares = (f"{r[k]:.2f}%" for k in ("float_acc", "fq_acc", "int_acc", "agreement"))
        density = "" if r["density"] is None else f"{r['density']:.3f}"
        sizes = (f"{r['bits_per_weight']:.2f}", f"{r['weight_bytes']:,}", f"{r['tested']:,}", f"{r['mismatches']:,}")
        lines.append((r["task"], *shares, density, *sizes))
    return report.table(lines, 1)


def main() -> int:
    """Exit status 0 if no byte differed anywhere."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", metavar="NAME", nargs="*", choices=[*networks(), []], help="only these")
    args = parser.parse_args()
    rows = []
    for name in args.names or networks():
        print(f"{name} ...", file=sys.stderr, flush=True)
        try:
            rows.append(measure(name))
        except McugenError as e:
            print(f"{name}: {e}", file=sys.stderr)
            return 2
    out = common.ROOT / "build" / "zoo.json"
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps(rows, indent=2) + "\n")
    print(table(rows))
    return 1 if any(r["mismatches"] for r in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
