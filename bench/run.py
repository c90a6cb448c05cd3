"""The benchmarks: single layers (kernels.py, linear.py) and whole networks (networks.py) in the cycle simulator.

    python bench/run.py [--cores cortex-m4 cortex-m33] [--only kws ic] [--densities 0.2] [--compare OLD.json] ...

Prints tables and writes build/bench.json: a list of records with network (of NETWORKS, an example, or a layer's name),
core, density, variant (a layer's kernel), optimize, cycles, macs, predicted_cycles, flash_bytes (a layer's tables),
arena_bytes (its images), arena_bound_bytes, logical_bound_bytes, and more. On the Cortex-M55 cycles are null, and
instructions, which are known there, stand for them in the tables. Exit status 1 if a result was wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import kernels
import linear
import networks
import others
from networks import Job

from mcugen import driver, report, targets
from mcugen.errors import MismatchError

OUT = Path(__file__).resolve().parent.parent / "build" / "bench.json"
README = OUT.parent.parent / "README.md"
CORES = ("cortex-m4", "cortex-m0plus", "cortex-m33", "cortex-m55")
GOALS_AT = 0.2  # the density at which every goal of --optimize is run
CLOSE = 5.0  # percent that the cost model may be off
Record = dict[str, Any]
KEY = ("network", "core", "density", "variant", "optimize")
COMPARED = ("flash_bytes", "arena_bytes")  # and cycles
TITLES = {  # in README
    "kws": "keywords, DS-CNN",
    "ic": "images, ResNet-8",
    "vww": "persons, MobileNet 0.25",
    "ad": "anomalies, autoencoder",
}
SPECIAL = {"kws": "int8 first and depthwise", "ic": "int8 first", "vww": "int8 first and depthwise", "ad": "int8 first"}


# ---- records ----


def jobs(
    cores: Sequence[str], names: Sequence[str], densities: Sequence[float], variants: Sequence[str]
) -> Iterator[Job]:
    """Every network at every density, at one density for every goal, and the trained examples."""
    zoo = networks.zoo() if networks.TRAINED in variants else {}
    for core in cores:
        for name in names:
            if name in networks.NETWORKS:
                for variant in (v for v in variants if v != networks.TRAINED):
                    for density in densities:
                        goals = driver.OPTIMIZE if density == GOALS_AT else driver.OPTIMIZE[:1]
                        yield from (Job(name, core, density, variant, goal) for goal in goals)
            elif name in zoo:
                yield Job(name, core, zoo[name], networks.TRAINED)


def timed(job: Job) -> tuple[Record, float]:
    """The record, and how long it took."""
    began = time.monotonic()
    return networks.record(job), time.monotonic() - began


def layers(core: str, names: Sequence[str], densities: Sequence[float]) -> list[Record]:
    """Records of single layers, fully connected ones by the fastest kernel."""
    found, convolutions = targets.get(core).core, [n for n in names if n in kernels.LAYERS]
    if "mve" in found.isa:  # counted whole, by QEMU
        return []
    records = [r.record for r in kernels.rows(found, convolutions, densities)] if convolutions else []
    connected = [n for n in names if n in linear.LAYERS]
    return records + ([r.record for r in linear.rows(found, connected, densities, every=False)] if connected else [])


# ---- tables ----


def network_tables(records: Iterable[Record]) -> Iterator[str]:
    """A table for each network on each core, with what others take below it."""
    groups: dict[tuple[str, str], list[Record]] = {}
    for r in records:
        groups.setdefault((r["network"], r["core"]), []).append(r)
    for (name, core), rows in groups.items():
        clock = targets.get(rows[0]["target"]).clock
        waits = rows[0]["wait_states"]
        at = f", {clock / 1e6:g} MHz, {waits} wait states" if clock and waits is not None else ""
        yield f"{name} on {core} ({rows[0]['target']}{at}), {rows[0]['macs']:,} MAC, {unit(rows[0])}"
        yield _network_table(name, core, clock, rows)
        yield ""


def unit(r: Record) -> str:
    """What a network's record, or a layer's of it, counts."""
    return "instructions" if r["cycles"] is None else "cycles"


def spent(r: Record) -> int:
    """How many of them it takes."""
    return int(r[unit(r)])


def _network_table(name: str, core: str, clock: int, rows: Sequence[Record]) -> str:
    head = ("variant", "density", "for", unit(rows[0]), "/MAC", "ms", "to reach", "ms+waits", "predicted")
    lines = [(*head, "flash B", "RAM B", "arena B", "bound", "logical", "ratio", "vs TFLM")]
    other = [(o, f) for o in others.OTHERS if o.core == core and (f := o.of(name))]
    tflm = next((f[0] for o, f in other if not o.measured), None)
    for r in rows:
        goal = others.TO_REACH.get(core, {}).get(name)
        asked = r["density"] == GOALS_AT and r["variant"] == networks.VARIANTS[0] and goal
        logical = r["logical_bound_bytes"]
        lines.append(
            (
                r["variant"],
                f"{r['density']:g}",
                r["optimize"],
                f"{spent(r):,}",
                f"{spent(r) / r['macs']:.3f}",
                _number(r["ms"]),
                f"{goal:g}" if asked else "",
                _number(r["ms_with_wait_states"]),
                f"{_percent(r['predicted_cycles'], spent(r)):+.1f} %",
                f"{r['flash_bytes']:,}",
                f"{r['ram_bytes']:,}",
                f"{r['arena_bytes']:,}",
                f"{r['arena_bound_bytes']:,}",
                f"{logical:,}",
                f"{r['arena_bytes'] / logical:.2f}" if logical else "",
                f"x {tflm / spent(r):.2f}" if tflm else "",
            )
        )
    macs = rows[0]["macs"]
    for o, (cycles, flash, arena) in other:
        size = tuple("" if b is None else f"{b:,}" for b in (flash, arena))
        clocked = clock and unit(rows[0]) == "cycles"
        ms, there = (f"{1000 * cycles / clock:.2f}" if clocked else "", "")[:: -1 if o.measured else 1]
        fields = (o.name, "int8", "", f"{cycles:,.0f}", f"{cycles / macs:.3f}", ms, "", there, "", *size)
        lines.append((*fields, "", "", "", "", f"x {tflm / cycles:.2f}" if tflm and o.measured else ""))
    return report.table(lines, left=3)


def readme_table(records: Iterable[Record]) -> str:
    """README's table, in Markdown: `balanced` at GOALS_AT beside TFLM. KeyError if a record is missing."""
    found = {tuple(r[k] for k in KEY): r for r in records}
    rows = [("network", "variant", "M4 at 120 MHz", "TFLM", "M0+ at 64 MHz", "TFLM", "flash on M4", "TFLM")]
    for name, title in TITLES.items():
        for variant, what in zip(networks.VARIANTS, (SPECIAL[name], "all-ternary"), strict=True):
            first = variant == networks.VARIANTS[0]
            fields = [title if first else "", what]
            for core in CORES[:2]:
                r = found[name, core, GOALS_AT, variant, driver.OPTIMIZE[0]]
                cycles, flash, _ = next(o.of(name) or (0, None, None) for o in others.OTHERS if o.core == core)
                ms = 1000 * cycles / targets.get(r["target"]).clock
                fields += [f"{_three(r['ms'])} ms", f"{_three(ms)} ms" if first else ""]
                if core == CORES[0]:
                    size = (f"{r['flash_bytes']:,} B", f"{flash:,} B" if first else "")
            rows.append((*fields, *size))
    lines = ["|" + "".join(f" {f} |" if f else " |" for f in row) for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])


def _three(value: float) -> str:
    """Three digits that count, but tenths below 10."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def write_readme(records: Iterable[Record], path: Path = README) -> None:
    """Puts the table where README's is."""
    text = path.read_text()
    found = re.search(r"^\| network \| variant \|.*?(?=\n\n)", text, re.M | re.S)
    assert found, path
    path.write_text(text[: found.start()] + readme_table(records) + text[found.end() :])


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,.2f}"


def _percent(now: float, before: float) -> float:
    return 100 * (now / before - 1) if before else 0.0


def prediction_table(records: Iterable[Record], every: bool = False) -> str:
    """Predicted against simulated cycles, by kernel and core; or of every layer of every network."""
    layers = [(r, x) for r in records for x in r.get("layers", ()) if x["kernel"] and spent(x)]
    if every:
        lines = [(*KEY, "layer", "kernel", "taken", "/MAC", "predicted", "error")]
        for r, x in layers:
            off = f"{_percent(x['predicted_cycles'], spent(x)):+.1f} %"
            each = f"{spent(x) / x['macs']:.3f}" if x["macs"] else ""
            numbers = (f"{spent(x):,}", each, f"{x['predicted_cycles']:,}", off)
            lines.append((*(str(r[k]) for k in KEY), x["name"], x["kernel"], *numbers))
        return report.table(lines, left=7)
    groups: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for r, x in layers:
        groups.setdefault((r["core"], x["kernel"]), []).append((x["predicted_cycles"], spent(x)))
    lines = [("core", "kernel", "layers", "taken", "predicted", "error", "lowest", "highest", f"within {CLOSE:g} %")]
    for (core, kernel), pairs in sorted(groups.items(), key=lambda g: (g[0][0], -sum(c for _, c in g[1]))):
        predicted, took = (sum(p[i] for p in pairs) for i in (0, 1))
        off = [_percent(*p) for p in pairs]
        numbers = [f"{v:+.1f} %" for v in (_percent(predicted, took), min(off), max(off))]
        close = sum(abs(v) <= CLOSE for v in off)
        lines.append((core, kernel, f"{len(pairs)}", f"{took:,}", f"{predicted:,}", *numbers, f"{close}"))
    return report.table(lines, left=2)


def hottest(records: Iterable[Record], most: int = 6) -> str:
    """Where the cycles go: the kernels of each network on each core at one density, by their share."""
    lines = [("network", "core", "variant", "taken", "share by kernel")]
    for r in records:
        if r["density"] != GOALS_AT or r["optimize"] != driver.OPTIMIZE[0]:
            continue
        by_kernel: Counter[str] = Counter()
        for x in r["layers"]:
            by_kernel[x["kernel"] or x["name"]] += spent(x)
        shares = ", ".join(f"{k} {100 * c / spent(r):.0f} %" for k, c in by_kernel.most_common(most))
        lines.append((r["network"], r["core"], r["variant"], f"{spent(r):,}", shares))
    return report.table(lines, left=3)


def moved(old: Sequence[Record], new: Sequence[Record]) -> str:
    """What changed between two runs, the largest change first; records that only one has are counted."""
    before, after = ({tuple(r[k] for k in KEY): r for r in run} for run in (old, new))
    changes = []
    for key in before.keys() & after.keys():
        for what in (unit(after[key]), *COMPARED):
            was, now = before[key].get(what), after[key].get(what)
            if was is not None and now is not None and was != now:
                changes.append((_percent(now, was), key, what, was, now))
    changes.sort(key=lambda c: (-abs(c[0]), c[1:3]))
    lines = [(*KEY, "what", "before", "after", "moved")]
    for percent, key, what, was, now in changes:
        lines.append((*map(str, key), what, f"{was:,}", f"{now:,}", f"{percent:+.1f} %"))
    same = len(before.keys() & after.keys()) - len({c[1] for c in changes})
    only = f"{len(before.keys() - after.keys())} gone, {len(after.keys() - before.keys())} new"
    return f"{report.table(lines, left=6)}\n{same} records are the same, {only}"


# ---- the command ----


def main(argv: Sequence[str] | None = None) -> int:
    """Runs what is asked for; exit status 1 if a result was wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    names = [*networks.NETWORKS, *networks.zoo(), *kernels.LAYERS, *linear.LAYERS]
    parser.add_argument("--cores", nargs="+", default=CORES, help=f"default: {' '.join(CORES)}")
    parser.add_argument(
        "--only", nargs="+", default=names, choices=names, metavar="NAME", help=f"of {', '.join(names)}"
    )
    parser.add_argument("--densities", nargs="+", type=float, default=networks.DENSITIES, metavar="D")
    variants = (*networks.VARIANTS, networks.U4, networks.TRAINED)
    parser.add_argument("--variants", nargs="+", choices=variants, default=variants, metavar="V", help=str(variants))
    parser.add_argument("--every-layer", action="store_true", help="print each layer's predicted and simulated cycles")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="processes")
    parser.add_argument("--compare", type=Path, metavar="OLD.json", help="an earlier run: print what moved")
    parser.add_argument("--read", type=Path, metavar="NEW.json", help="run nothing: print this run")
    parser.add_argument("--readme", action="store_true", help="write the table of README.md")
    parser.add_argument("-o", "--output", type=Path, default=OUT, metavar="FILE")
    args = parser.parse_args(argv)
    old = json.loads(args.compare.read_text()) if args.compare else None  # before the output replaces it
    try:
        records = json.loads(args.read.read_text()) if args.read else run(args)
    except MismatchError as e:
        print(f"bench: {e}", file=sys.stderr)
        return 1
    if not args.read:
        args.output.parent.mkdir(parents=True, exist_ok=True)
        args.output.write_text(json.dumps(records, indent=1) + "\n")
    whole = [r for r in records if "layers" in r]
    print("\n".join(network_tables(whole)))
    if whole:
        print(f"where cycles (on the Cortex-M55 instructions) go at density {GOALS_AT:g}\n{hottest(whole)}\n")
        print(f"predicted against simulated, by layer\n{prediction_table(whole, args.every_layer)}\n")
    for core in dict.fromkeys(r["core"] for r in records if "layers" not in r):
        some = [r for r in records if "layers" not in r and r["core"] == core]
        print("\n".join([f"single layers on {core}", *kernels.table(some), ""]))
    if args.readme:
        write_readme(records)
    if old is not None:
        print(f"\nsince {args.compare}\n{moved(old, records)}")
    if not args.read:
        print(f"\nall {len(records)} outputs are the reference's in every byte; wrote {os.path.relpath(args.output)}")
    return 0


def run(args: argparse.Namespace) -> list[Record]:
    """All records that the arguments ask for."""
    records: list[Record] = []
    some = [n for n in args.only if n in kernels.LAYERS or n in linear.LAYERS]
    for core in args.cores if some else ():
        records += layers(core, some, args.densities)
    todo = list(jobs(args.cores, args.only, args.densities, args.variants))
    with ProcessPoolExecutor(args.jobs) as pool:
        for job, (found, seconds) in zip(todo, pool.map(timed, todo), strict=True):
            told = f"{job.network} {job.core} {job.density:g} {job.variant} {job.optimize}: {seconds:.1f} s"
            print(told, file=sys.stderr, flush=True)
            records.append(found)
    return records


if __name__ == "__main__":
    sys.exit(main())
