"""Flash, RAM and cycles, layer by layer and in all: as data for JSON, and as text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from . import __version__
from .ir import DType, Graph, Value, encode
from .pack import entropy_bits
from .plan import Plan
from .program import Program, Step
from .targets import Target

# of flash_bytes_estimated against the linked image, goldens and digits, M0 and M4, GCC 12 (tests/test_measure.py)
ESTIMATE_RANGE = (-30, 0)  # percent
ESTIMATE_ERROR = "the linked image is larger, the estimate {} to {} % too low".format(
    *(-p for p in ESTIMATE_RANGE[::-1])
)


def build(source: Graph, program: Program, plan: Plan, target: Target, optimize: str) -> dict[str, Any]:
    """The report of one compilation; `source` is the graph before the passes. Estimates say so in their keys."""
    totals = {
        "macs": sum(_macs(s) for s in program.steps),
        "additions": sum(_additions(s) for s in program.steps),
        "parameters": sum(w.type.size for s in program.steps if (w := _weights(s)) is not None),
        "weight_bytes": sum(_weight_bytes(s) for s in program.steps),
        "table_bytes": program.table_bytes,
        "kernel_bytes_estimated": program.code_bytes,
        "flash_bytes_estimated": flash(program),
        "ram_bytes": plan.arena + ports(source),
        "arena_bytes": plan.arena,
        "arena_bound_bytes": plan.bound,
        "logical_bound_bytes": plan.logical_bound,
        "cycles_estimated": round(program.cycles),
    }
    return {
        "mcugen": __version__,
        "model": source.name,
        "target": target.name,
        "core": target.core.name,
        "optimize": optimize,
        "inputs": [_port(v) for v in source.inputs],
        "outputs": [_port(v) for v in source.outputs],
        "totals": totals,
        "target_flash": target.flash,
        "target_ram": target.ram,
        "constant_channels_removed": removed(source, program.graph),
        "steps": [_step(i, s, program, plan) for i, s in enumerate(program.steps)],
    }


def flash(program: Program) -> int:
    """Bytes of tables and parameter structs, and the rough size of the kernels, each once."""
    return program.code_bytes + sum(s.bound.bytes for s in program.steps)


def ports(graph: Graph) -> int:
    """Bytes of the inputs and outputs: the caller's, but in RAM as well."""
    return sum(v.type.bytes for v in (*graph.inputs, *graph.outputs))


def removed(before: Graph, after: Graph) -> dict[str, list[int]]:
    """Values that lost constant channels: name -> [channels before, channels after]."""
    old = {n.output.name: n.output.type.shape[0] for n in before.nodes}
    found = {}
    for n in after.nodes:
        had, has = old.get(n.output.name), n.output.type.shape[0]
        if had is not None and has < had:
            found[n.output.name] = [had, has]
    return found


def _port(v: Value) -> dict[str, Any]:
    return {"name": v.name, "type": encode(v.type)}


def _weights(step: Step) -> Value | None:
    if step.node is None:
        return None
    kinds = (DType.T, DType.I8, DType.I4)
    return next((v for v in step.node.inputs if v.data is not None and v.type.dtype in kinds), None)


def _macs(step: Step) -> int:
    return step.node.op.macs(*(v.type for v in step.node.inputs)) if step.node else 0


def _additions(step: Step) -> int:
    """Multiply-accumulates of nonzero ternary weights."""
    w = _weights(step)
    if w is None or w.type.dtype is not DType.T:
        return 0
    return int(np.count_nonzero(w.const)) * (_macs(step) // w.type.size)


def _weight_bytes(step: Step) -> int:
    return sum(f.value.nbytes for f in step.bound.members if f.name == "weights" and isinstance(f.value, np.ndarray))


def _entropy(w: Value | None) -> float | None:
    """Bits per ternary weight that no encoding is below, unless it knows of a pattern (pack.entropy_bits)."""
    if w is None or w.type.dtype is not DType.T:
        return None
    return round(entropy_bits(w.const) / w.type.size, 3)


def _step(i: int, step: Step, program: Program, plan: Plan) -> dict[str, Any]:
    w, out = _weights(step), step.output
    n = _weight_bytes(step)
    return {
        "step": i,
        "name": step.name,
        "kernel": step.kernel.name,
        "output": str(step.value.type),
        "layouts": [str(b.layout) for b in (*step.inputs, out)],
        "place": out.place,
        "offset": plan.offsets.get(out, 0),
        "bytes": out.bytes,
        "scratch_bytes": step.bound.scratch,
        "macs": _macs(step),
        "additions": _additions(step),
        "weights": str(w.type) if w is not None else "",
        "density": round(float(np.count_nonzero(w.const)) / w.type.size, 4) if w is not None else None,
        "bits_per_weight": round(8 * n / w.type.size, 3) if w is not None else None,
        "entropy_bits_per_weight": _entropy(w),
        "weight_bytes": n,
        "table_bytes": step.bound.table_bytes,
        "cycles_estimated": round(step.cycles),
        "accumulator": list(step.node.acc) if step.node is not None and step.node.acc else None,
    }


def measured(report: dict[str, Any], found: Any, target: Target) -> dict[str, Any]:
    """The report with what the cross compiler found (measure.Measured, or None) and the time at the target's clock.

    ram_total_bytes has the stack of a call in it. Without a compiler flash is the estimate, and the stack unknown.
    """
    t = dict(report["totals"])
    t["flash_measured"] = found is not None
    t["flash_bytes"] = found.total if found else t["flash_bytes_estimated"]
    t["stack_bytes"] = found.stack if found else None
    t["ram_total_bytes"] = t["ram_bytes"] + (t["stack_bytes"] or 0)
    t["ms_estimated"] = round(1000 * t["cycles_estimated"] / target.clock, 3) if target.clock else None
    linked = None if found is None else {k: v for k, v in vars(found).items() if k not in ("stack", "total")}
    return {**report, "totals": t, "linked": linked}


def over(
    report: dict[str, Any], flash: int | None, ram: int | None, cycles: int | None, ms: float | None
) -> list[dict[str, Any]]:
    """What is over the target's memories or over the limits given, and by how much."""
    t = report["totals"]
    limits = {
        "flash": (t["flash_bytes"], flash, report["target_flash"]),
        "ram": (t["ram_total_bytes"], ram, report["target_ram"]),
        "cycles": (t["cycles_estimated"], cycles, None),
        "ms": (t["ms_estimated"], ms, None),
    }
    found = []
    for what, (used, asked, has) in limits.items():
        limit = min(v for v in (asked, has, float("inf")) if v is not None)
        if used is not None and used > limit:
            found.append({"what": what, "used": used, "limit": limit, "over": round(used - limit, 3)})
    return found


def fits(rows: Sequence[dict[str, Any]]) -> str:
    """Which targets a model fits, as people read it."""
    head = ("target", "core", "fits", "flash B", "of", "RAM B", "of", "stack B", "ms est.", "over")
    lines = [head]
    estimated = False
    for r in rows:
        if "error" in r:
            lines.append((r["target"], "", "no", "", "", "", "", "", "", r["error"].splitlines()[0]))
            continue
        estimated |= not r["flash_measured"]
        mark = "" if r["flash_measured"] else "~"
        beyond = ", ".join(
            f"{o['what']} by {o['over']:,}" if o["over"] is not None else f"{o['what']} unknown" for o in r["over"]
        )
        lines.append(
            (
                r["target"],
                r["core"],
                "no" if r["over"] else "yes",
                f"{mark}{r['flash_bytes']:,}",
                f"{r['flash']:,}",
                f"{r['ram_total_bytes']:,}",
                f"{r['ram']:,}",
                "" if r["stack_bytes"] is None else f"{r['stack_bytes']:,}",
                "" if r["ms_estimated"] is None else f"{r['ms_estimated']:,.1f}",
                beyond,
            )
        )
    note = f"\n~ estimated without a cross compiler: {ESTIMATE_ERROR}" if estimated else ""
    return table(lines, left=3) + note


def table(rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """Columns that line up: the first row is the head, `left` columns are flush left, the others right."""
    widths = [max(len(r[i]) for r in rows) for i in range(len(rows[0]))]
    lines = [
        "  ".join(c.ljust(w) if i < left else c.rjust(w) for i, (c, w) in enumerate(zip(r, widths, strict=True)))
        for r in rows
    ]
    lines.insert(1, "  ".join("-" * w for w in widths))
    return "\n".join(line.rstrip() for line in lines)


def text(report: dict[str, Any]) -> str:
    """The budget as people read it."""
    columns = "layer kernel output layout MAC density bits/w entropy"
    rows = [(*columns.split(), "tables B", "buffer B", "cycles est.")]
    for s in report["steps"]:
        rows.append(
            (
                s["name"],
                s["kernel"],
                s["output"],
                s["layouts"][-1],
                f"{s['macs']:,}" if s["macs"] else "",
                "" if s["density"] is None else f"{s['density']:.2f}",
                "" if s["bits_per_weight"] is None else f"{s['bits_per_weight']:.2f}",
                "" if s["entropy_bits_per_weight"] is None else f"{s['entropy_bits_per_weight']:.2f}",
                f"{s['table_bytes']:,}" if s["table_bytes"] else "",
                f"{s['bytes']:,}",
                f"{s['cycles_estimated']:,}",
            )
        )
    t = report["totals"]
    lines = [
        f"{report['model']} for {report['target']} ({report['core']}), optimized for {report['optimize']}"
        + "".join(f", {what} at most {limit:,} bytes" for what, limit in report.get("limits", {}).items()),
        "",
        table(rows, left=4),
        "",
        *_memories(report),
        f"arena  {t['arena_bytes']:>9,} bytes; lower bounds: {t['arena_bound_bytes']:,} for these layouts,"
        + f" {t['logical_bound_bytes']:,} for the bare tensors",
        f"work   {t['macs']:>9,} MAC, of which {t['additions']:,} are additions of nonzero ternary weights;"
        + f" about {t['cycles_estimated']:,} cycles"
        + (f", {t['ms_estimated']:,.1f} ms at {report['target']}'s clock" if t.get("ms_estimated") else ""),
    ]
    for name, (had, has) in report["constant_channels_removed"].items():
        lines.append(f"note   {name}: {had - has} of {had} channels were constant and are gone")
    return "\n".join(lines)


def _memories(report: dict[str, Any]) -> Iterable[str]:
    t, linked = report["totals"], report.get("linked")
    stack = t.get("stack_bytes")
    if linked:
        yield (
            _budget("flash", t["flash_bytes"], report["target_flash"])
            + f"  linked by GCC {linked['compiler']}: weights {linked['weights']:,}, tables {linked['tables']:,},"
            + f" kernels {linked['kernels']:,}, compiler's library {linked['library']:,}"
        )
    else:
        yield (
            _budget("flash", t["flash_bytes_estimated"], report["target_flash"])
            + f"  estimated: tables {t['table_bytes']:,} (weights {t['weight_bytes']:,}),"
            + f" kernels about {t['kernel_bytes_estimated']:,}"
        )
        if "flash_measured" in t:
            yield f"       {ESTIMATE_ERROR} (no compiler was asked)"
    yield (
        _budget("RAM", t.get("ram_total_bytes", t["ram_bytes"]), report["target_ram"])
        + f"  arena {t['arena_bytes']:,}, input and output {t['ram_bytes'] - t['arena_bytes']:,}"
        + (f", stack {stack:,}" if stack is not None else "")
    )
    if stack is not None:
        yield f"stack  {stack:>9,} bytes for one call, by frames and call graph; interrupts and callers add theirs"


def _budget(what: str, used: int, of: int) -> str:
    verdict = "fits" if used <= of else f"{used - of:,} too many"
    return f"{what:<6} {used:>9,} of {of:,} bytes: {verdict};"
