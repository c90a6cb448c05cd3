"""A training loop for those who have none of their own: restartable, for one process or several."""

from __future__ import annotations

import atexit
import contextlib
import math
import os
import random
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from dataclasses import asdict, dataclass, field, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel

from ..errors import ModelError, OutputError
from ..frontends.torch import latent_of
from .activations import ActQuantizer
from .checkpoint import read_checkpoint, restore, save_checkpoint
from .history import check_history, write_history
from .summary import logits_of, predictions
from .weights import density, quantized_layers, step

Data = tuple[Tensor, Tensor]
Augment = Callable[[Tensor, torch.Generator], Tensor]
Loss = Callable[[Tensor, Tensor, Tensor], Tensor]

OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adamw": torch.optim.AdamW,
    "sgd": lambda groups, lr: torch.optim.SGD(groups, lr=lr, momentum=0.9, nesterov=True),
}
READ_EVERY = 50  # steps between looks at the loss on an accelerator, which has to be waited for


@dataclass(frozen=True)
class Epoch:
    """What one epoch gave: mean training loss, accuracies 0..1 and ternary density (nan where there are none).

    lr is the rate of the epoch's last step; seconds counts training and evaluation, and is no part of comparisons.
    """

    loss: float
    accuracy: float
    test_accuracy: float
    density: float
    lr: float = float("nan")
    seconds: float = field(default=0.0, compare=False)


def fit(
    model: nn.Module,
    train: Data | Sequence[Data] | Any,
    test: Data | None = None,
    epochs: int = 10,
    lr: float = 2e-3,
    batch_size: int = 128,
    weight_decay: float = 1e-4,
    label_smoothing: float = 0.0,
    seed: int = 0,
    progress: bool = True,
    log: bool = True,
    *,
    optimizer: str = "adamw",
    warmup: float = 0.0,
    clip: float | None = None,
    ema: float | None = None,
    augment: Augment | None = None,
    loss: Loss | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    resume: bool = True,
    record: Sequence[str | os.PathLike[str]] = (),
    device: str | torch.device | None = None,
    autocast: bool = False,
) -> list[Epoch]:
    """Train a module, prepared or float, with a cosine schedule; one Epoch per epoch.

    train: tensors (x, y), shuffled anew each epoch, or batches with a length (a list, a DataLoader). Same seed,
    data and thread count: same result. progress: a bar on standard error and, with log, a line per epoch on standard
    output; where standard error is no terminal, the lines replace the bar.

    optimizer: "adamw", or "sgd" with Nesterov momentum 0.9. warmup: epochs, or a part of one, in which the rate rises
    linearly. clip: the largest gradient norm. ema: decay per step of an average of the weights, 0.999 for example;
    evaluation uses it and the model has it at the end. augment: x, generator -> x, on training batches.
    loss: logits, y, x -> scalar, instead of cross entropy with label_smoothing; x is the augmented batch.

    checkpoint: a file that is written after each epoch; where it exists and `resume` is true, training goes on from
    it and ends, on the CPU, with the weights that it would have had without the interruption. Batches that are not
    tensors (x, y) must depend on nothing but the global random states for that. SIGINT and SIGTERM wait for the step
    that runs, write the checkpoint, and act then; at any other end the file has the last whole epoch.
    record: files rewritten after each epoch, see write_history. device: where to train; None is where the model is.
    autocast: bfloat16 in the forward pass; evaluation stays float32.

    Under torchrun each process trains on its part of (x, y), with `batch_size` each; see docs/TRAINING_LOOP.md.
    ModelError E107: unusable data or arguments. E105: the loss is not finite. E108: the checkpoint does not fit.
    """
    pairs = isinstance(train, tuple) and len(train) == 2 and all(isinstance(t, Tensor) for t in train)
    if not pairs and not isinstance(train, Sized):
        raise ModelError("E107", "the training data has no length", where="fit", hint="pass (x, y) or a DataLoader")
    if pairs and len(train[0]) != len(train[1]):
        raise ModelError("E107", f"{len(train[0])} inputs, {len(train[1])} labels", where="fit")
    _check(optimizer, lr, batch_size, warmup, clip, ema)
    for path in record:
        check_history(path)
    for path in (*record, *([checkpoint] if checkpoint is not None else [])):
        if not Path(path).parent.is_dir():
            raise OutputError("E702", "the directory does not exist", where=str(path))
    rank, world = _processes(device)
    if world > 1 and not pairs:
        _check_sharded(train)
    per_epoch = math.ceil(math.ceil(len(train[0]) / world) / batch_size) if pairs else len(train)
    if per_epoch == 0 or epochs < 1:
        raise ModelError("E107", f"{per_epoch} batches, {epochs} epochs", where="fit", hint="nothing to train on")

    place = _place(model, device)
    model.to(place)
    torch.manual_seed(seed + rank)
    shuffle = torch.Generator().manual_seed(seed)  # the same in all processes
    chance = torch.Generator().manual_seed(seed + rank)
    optimize = OPTIMIZERS[optimizer](parameter_groups(model, weight_decay, lr), lr=lr)
    warm = round(warmup * per_epoch)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimize, max(1, epochs * per_epoch - warm))
    average = _Ema(model, ema) if ema is not None else None
    settings = {
        "epochs": epochs, "lr": lr, "batch_size": batch_size, "weight_decay": weight_decay,
        "label_smoothing": label_smoothing, "seed": seed, "optimizer": optimizer, "warmup": warmup, "clip": clip,
        "ema": ema, "augment": _name(augment), "loss": _name(loss), "autocast": autocast, "batches": per_epoch,
        "processes": world,
    }  # fmt: skip
    history: list[Epoch] = []
    totals = torch.zeros(2, dtype=torch.float64, device=place)  # sums over the epoch: loss, right answers
    first, begin, skip, seen = 0, _rng(place), 0, 0

    def save(epoch: int, batch: int) -> None:
        now = _everywhere({"begin": begin, "rng": _rng(place), "chance": chance.get_state()})
        if rank == 0 and checkpoint is not None:
            save_checkpoint(
                checkpoint, model, optimize, epoch,
                settings=settings, schedule=schedule.state_dict(), shuffle=shuffle_begin, processes=now, batch=batch,
                totals=totals, seen=seen, history=[asdict(e) for e in history],
                ema=average.mean if average is not None else None,
            )  # fmt: skip

    # asked of all, so that each has done what came before: process 0 may just have written the file
    if checkpoint is not None and resume and any(_everywhere(Path(checkpoint).exists())):
        content = read_checkpoint(checkpoint)
        _same_settings(content, settings, str(checkpoint))
        state = restore(content, model, optimize, str(checkpoint))
        own = state["processes"][rank]
        schedule.load_state_dict(state["schedule"])
        shuffle.set_state(state["shuffle"])
        chance.set_state(own["chance"])
        history = [Epoch(**e) for e in state["history"]]
        first, skip, seen = state["epoch"], state["batch"], state["seen"]
        totals.copy_(state["totals"])
        if average is not None:
            _copy(state["ema"], average.mean)
        _set_rng(own["begin"], place)
        after = own["rng"]

    network: Any = model
    if world > 1:
        network = DistributedDataParallel(model, device_ids=[place.index] if place.type == "cuda" else None)
    every = 1 if place.type == "cpu" else READ_EVERY
    criterion: Loss = loss or (lambda logits, y, x: F.cross_entropy(logits, y, label_smoothing=label_smoothing))
    stop = _Signals(checkpoint is not None and world == 1)
    with _bar(epochs * per_epoch, first * per_epoch + skip, progress and rank == 0, log) as bar, stop:
        if log and first + skip > 0:
            bar.write(f"going on from {checkpoint}: {first} of {epochs} epochs are done")
        for epoch in range(first, epochs):
            started = time.perf_counter()
            model.train()
            dense = history[-1].density if history else density(model)
            begin, shuffle_begin = _rng(place), shuffle.get_state()
            sampler = getattr(train, "sampler", None)
            if hasattr(sampler, "set_epoch"):
                sampler.set_epoch(epoch)  # type: ignore[union-attr]
            batches: Any = iter(_shuffled(train, batch_size, shuffle, rank, world) if pairs else train)
            if skip:
                for _ in range(skip):
                    next(batches)
                _set_rng(after, place)
            else:
                totals.zero_()
                seen = 0
            for i, (x, y) in enumerate(batches, skip):
                now = epoch * per_epoch + i
                if now <= warm:
                    for group in optimize.param_groups:
                        group["lr"] = group["initial_lr"] * min(1.0, (now + 1) / max(1, warm))
                step(model, (epoch + i / per_epoch) / epochs)
                if augment is not None:
                    x = augment(x, chance)
                x, y = x.to(place, non_blocking=True), y.to(place, non_blocking=True)
                with torch.autocast(place.type, torch.bfloat16, enabled=autocast):
                    logits = logits_of(model, x, network)
                logits = logits.float() if autocast else logits
                cost = criterion(logits, y, x)
                optimize.zero_grad()
                cost.backward()
                if clip is not None:
                    nn.utils.clip_grad_norm_(model.parameters(), clip)
                rate = optimize.param_groups[0]["lr"]
                optimize.step()
                if now >= warm:
                    schedule.step()
                if average is not None:
                    average.update(now)
                seen += len(x)
                with torch.no_grad():
                    totals[0] += cost.double() * len(x)
                    totals[1] += (logits.argmax(1) == y).sum() if _labels(logits, y) else float("nan")
                if (i + 1) % every == 0 or i + 1 == per_epoch or stop.got:
                    mean, share = (t / seen for t in totals.tolist())
                    if not math.isfinite(mean):
                        raise ModelError("E105", f"the loss is {mean}", where=f"epoch {epoch}", hint="lower lr")
                    bar.set_postfix_str(_line(epoch, epochs, Epoch(mean, share, math.nan, dense)), refresh=False)
                bar.update()
                if stop.got and i + 1 < per_epoch:
                    save(epoch, i + 1)
                    stop.deliver()
            skip = 0
            sums = torch.cat([totals, totals.new_tensor([seen])])
            if world > 1:
                dist.all_reduce(sums)
                _same([*model.buffers(), *(average.mean.values() if average is not None else ())])
            with average.in_place() if average is not None else contextlib.nullcontext():
                score = evaluate(model, *test) if test is not None and _labels(logits, y) else math.nan
                dense = density(model)
            total, right, count = sums.tolist()
            seconds = time.perf_counter() - started
            history.append(Epoch(total / count, right / count, score, dense, rate, seconds))
            begin, shuffle_begin, seen = _rng(place), shuffle.get_state(), 0
            totals.zero_()
            save(epoch + 1, 0)
            for path in record if rank == 0 else ():
                write_history(history, path)
            bar.set_postfix_str(_line(epoch, epochs, history[-1]), refresh=False)
            if log:
                bar.write(f"{_line(epoch, epochs, history[-1])}, {seconds:.1f} s")
            if stop.got:
                stop.deliver()
    if average is not None:
        _copy(average.mean, average.live)
    return history


@torch.no_grad()
def evaluate(model: nn.Module, x: Tensor, y: Tensor, batch_size: int = 500) -> float:
    """Top-1 accuracy 0..1 in evaluation mode; ties go to the lowest index. The model's mode comes back."""
    found, _ = predictions(model, x, y, batch_size, "evaluate")
    return int((found == y.cpu()).sum()) / len(x)


def parameter_groups(model: nn.Module, weight_decay: float, lr: float | None = None) -> list[dict[str, Any]]:
    """Weight decay on matrices and filters only: not on biases, batch norms and quantiser steps.

    lr: the learning rate that the optimiser gets; with it, what weight quantisers train at rates of their own has them.
    """
    steps = {id(m.gain) for m in model.modules() if isinstance(m, ActQuantizer)}
    own = {id(p): rate for _, layer, q in quantized_layers(model) for p, rate in q.rates(*latent_of(layer))}
    found = [p for p in model.parameters() if p.requires_grad]
    plain = [p for p in found if id(p) not in own]
    decayed = [p for p in plain if p.dim() > 1 and id(p) not in steps]
    rest = [p for p in plain if p.dim() <= 1 or id(p) in steps]
    groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": rest, "weight_decay": 0.0}]
    for rate in dict.fromkeys(own.values()):
        group = {"params": [p for p in found if own.get(id(p)) == rate], "weight_decay": 0.0}
        groups.append(group if lr is None else {**group, "lr": lr * rate})
    return groups


def _check(optimizer: str, lr: float, batch_size: int, warmup: float, clip: float | None, ema: float | None) -> None:
    for ok, what, hint in (
        (optimizer in OPTIMIZERS, f"optimizer={optimizer!r}", f"one of: {', '.join(OPTIMIZERS)}"),
        (0 < lr < math.inf, f"lr={lr}", "a positive number"),
        (batch_size >= 1, f"batch_size={batch_size}", "at least 1"),
        (0 <= warmup < math.inf, f"warmup={warmup}", "a number of epochs"),
        (clip is None or clip > 0, f"clip={clip}", "a positive gradient norm, or None"),
        (ema is None or 0 < ema < 1, f"ema={ema}", "a decay per step below 1, such as 0.999"),
    ):
        if not ok:
            raise ModelError("E107", what, where="fit", hint=hint)


def _place(model: nn.Module, device: str | torch.device | None) -> torch.device:
    """The device to train on; under torchrun, "cuda" is the process's own."""
    if device is None:
        return next((p.device for p in model.parameters()), torch.device("cpu"))
    try:
        place = torch.device(device)
        if str(place) == "cuda":
            place = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
        torch.empty(0, device=place)
    except Exception as e:  # RuntimeError, AssertionError or AcceleratorError, by version and device
        what = f"device={str(device)!r}: {str(e).splitlines()[0]}"
        raise ModelError("E107", what, where="fit", hint="device='cpu' is always there") from None
    return place


def _labels(logits: Tensor, y: Tensor) -> bool:
    """True if y has a class number for each row of logits, so that accuracy means something."""
    return not y.is_floating_point() and y.shape == logits.shape[:1] + logits.shape[2:]


def _name(function: object) -> str | None:
    """What a checkpoint remembers of a function."""
    if function is None or is_dataclass(function):
        return None if function is None else re.sub(r" at 0x[0-9a-f]+", "", repr(function))
    return str(getattr(function, "__qualname__", type(function).__qualname__))


def _shuffled(data: Any, batch_size: int, generator: torch.Generator, rank: int, world: int) -> Iterator[Data]:
    order = torch.randperm(len(data[0]), generator=generator)
    if world > 1:  # parts of equal length: the first samples again at the end
        order = order.repeat(2)[: math.ceil(len(order) / world) * world] if len(order) >= world else order.repeat(world)
        order = order[rank::world]
    for part in order.split(batch_size):
        yield data[0][part], data[1][part]


def _line(epoch: int, epochs: int, e: Epoch) -> str:
    acc = "" if math.isnan(e.accuracy) else f", acc {e.accuracy:.4f}"
    test = "" if math.isnan(e.test_accuracy) else f", test {e.test_accuracy:.4f}"
    ternary = "" if math.isnan(e.density) else f", density {e.density:.3f}"
    return f"epoch {epoch + 1}/{epochs}: loss {e.loss:.4f}{acc}{test}{ternary}"


# Going on after an interruption


def _rng(place: torch.device) -> dict[str, Any]:
    """The states of the global random generators, as plain values and tensors."""
    kind, keys, *rest = np.random.get_state()  # the legacy generator is the global one
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state(place) if place.type == "cuda" else None,
        "python": random.getstate(),
        "numpy": [kind, np.asarray(keys).tolist(), *rest],
    }


def _set_rng(state: dict[str, Any], place: torch.device) -> None:
    torch.set_rng_state(state["torch"])
    if state["cuda"] is not None and place.type == "cuda":
        torch.cuda.set_rng_state(state["cuda"], place)
    random.setstate(state["python"])
    np.random.set_state(tuple(state["numpy"]))


def _same_settings(content: dict[str, Any], settings: dict[str, Any], where: str) -> None:
    """ModelError E108 if a checkpoint is not of this training."""
    found = content["extra"].get("settings")
    if not isinstance(found, dict):
        hint = "fit goes on only from its own; qat.load_checkpoint reads this one"
        raise ModelError("E108", "not a checkpoint of qat.fit", where=where, hint=hint)
    names = [k for k in {**settings, **found} if settings.get(k) != found.get(k)]
    if names:
        what = ", ".join(f"{k} was {found.get(k)!r} and is {settings.get(k)!r}" for k in names)
        hint = "go on with the same arguments, or start again with resume=False"
        raise ModelError("E108", f"made by another training: {what}", where=where, hint=hint)


class _Signals:
    """Holds SIGINT and SIGTERM back until deliver(); a second one acts at once."""

    def __init__(self, active: bool) -> None:
        self.got = 0
        self.active = active and threading.current_thread() is threading.main_thread()
        self.old: dict[int, Any] = {}

    def __enter__(self) -> _Signals:
        if self.active:
            self.old = {s: signal.signal(s, self._hold) for s in (signal.SIGINT, signal.SIGTERM)}
        return self

    def _hold(self, number: int, frame: object) -> None:
        self.got = number
        self._give_back()

    def _give_back(self) -> None:
        for s, handler in self.old.items():
            signal.signal(s, handler)
        self.old = {}

    def deliver(self) -> None:
        """Do what the signal would have done."""
        number, self.got = self.got, 0
        signal.raise_signal(number)

    def __exit__(self, *exc: object) -> None:
        self._give_back()
        if self.got:  # between the last step and here
            self.deliver()


class _Ema:
    """A running average of the parameters and of the batch norms' statistics; all other buffers are the model's own.

    The decay rises to its value over the first steps, min(decay, (1 + n) / (10 + n)), so that the start is forgotten.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        norms = [f"{n}." * bool(n) for n, m in model.named_modules() if isinstance(m, _BatchNorm)]
        statistics = {n + s for n in norms for s in ("running_mean", "running_var")}
        self.live: dict[str, Tensor] = dict(model.named_parameters())
        self.live |= {n: b for n, b in model.named_buffers() if n in statistics}
        self.mean = {n: t.detach().clone() for n, t in self.live.items()}

    @torch.no_grad()
    def update(self, n: int) -> None:
        decay = min(self.decay, (1 + n) / (10 + n))
        torch._foreach_lerp_([*self.mean.values()], [*self.live.values()], 1 - decay)

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """The model with the averages."""
        kept = {n: t.detach().clone() for n, t in self.live.items()}
        _copy(self.mean, self.live)
        try:
            yield
        finally:
            _copy(kept, self.live)


@torch.no_grad()
def _copy(source: dict[str, Tensor], to: dict[str, Tensor]) -> None:
    for n, t in to.items():
        t.copy_(source[n])


# Several processes


def _processes(device: str | torch.device | None) -> tuple[int, int]:
    """(rank, number of processes); joins torchrun's group if that has not been done."""
    if not dist.is_available():
        return 0, 1
    if not dist.is_initialized():
        if int(os.environ.get("WORLD_SIZE", "1")) == 1 or "MASTER_ADDR" not in os.environ:
            return 0, 1
        cuda = device is not None and torch.device(device).type == "cuda"
        if cuda:
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", 0)))
        dist.init_process_group("nccl" if cuda else "gloo")
        atexit.register(dist.destroy_process_group)
    return dist.get_rank(), dist.get_world_size()


def _check_sharded(train: Any) -> None:
    sampler = getattr(train, "sampler", None)
    if isinstance(train, torch.utils.data.DataLoader) and not hasattr(sampler, "set_epoch"):
        hint = "give the DataLoader a torch.utils.data.DistributedSampler, or pass tensors (x, y)"
        raise ModelError("E107", "every process would train on the same batches", where="fit", hint=hint)


def _everywhere(value: Any) -> list[Any]:
    """The values of all processes, by rank."""
    if not (dist.is_available() and dist.is_initialized()):
        return [value]
    found: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(found, value)
    return found


@torch.no_grad()
def _same(tensors: Iterable[Tensor]) -> None:
    """Process 0's values for all: DistributedDataParallel gives out buffers before each step, not after the last."""
    for t in tensors:
        dist.broadcast(t.view(torch.uint8) if t.dtype is torch.bool else t, 0)  # gloo does not take bool


class _Quiet:
    """A progress bar that shows nothing."""

    def __enter__(self) -> _Quiet:
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def update(self) -> None:
        pass

    def set_postfix_str(self, s: str, refresh: bool) -> None:
        pass

    def write(self, s: str) -> None:
        pass


def _bar(total: int, done: int, progress: bool, log: bool) -> Any:
    if not progress:
        return _Quiet()
    from tqdm import tqdm  # only here: the library works without it

    terminal = sys.stderr.isatty()
    return tqdm(
        total=total,
        initial=done,
        disable=log and not terminal,
        mininterval=0.1 if terminal else 30,  # seconds; in a file every state of the bar stays
        bar_format="{percentage:3.0f}% {bar:20} {elapsed}, ETA {remaining}{postfix}",
    )
