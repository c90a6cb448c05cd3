"""Training checkpoints: parameters, quantiser state, optimiser and epoch in one file that holds no code."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import ModelError, OutputError

FORMAT = "mcugen checkpoint"
VERSION = 1


def save_checkpoint(
    path: str | os.PathLike[str],
    model: nn.Module,
    optimizer: torch.optim.Optimizer | None = None,
    epoch: int = 0,
    **extra: Any,
) -> None:
    """Write to a temporary file beside `path`, then rename: a crash leaves the old file or the new one.

    extra: plain values and tensors, given back by load_checkpoint. ModelError E108 if they could not be loaded
    again, OutputError E702 if the file cannot be written.
    """
    path = Path(path)
    content = {
        "format": FORMAT,
        "version": VERSION,
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict() if optimizer is not None else None,
        "epoch": int(epoch),
        "extra": extra,
    }
    buffer = io.BytesIO()
    try:
        torch.save(content, buffer)
        buffer.seek(0)
        torch.load(buffer, weights_only=True)
    except Exception as e:
        what = f"extra values cannot be saved: {str(e).splitlines()[0]}"
        raise ModelError("E108", what, where=str(path), hint="pass numbers, strings, lists, dicts and tensors") from e
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)
        try:
            with os.fdopen(handle, "wb") as f:
                f.write(buffer.getvalue())
                f.flush()
                os.fsync(f.fileno())
            os.chmod(temporary, 0o644)
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
    except OSError as e:
        raise OutputError("E702", f"cannot write: {e.strerror}", where=str(path)) from None


def load_checkpoint(
    path: str | os.PathLike[str], model: nn.Module, optimizer: torch.optim.Optimizer | None = None
) -> dict[str, Any]:
    """Load into a model prepared in the same way; returns {"epoch": ..., **extra}.

    Reads data only, no code. Nothing is changed unless everything fits. OutputError E701 if the file cannot be
    read, ModelError E108 if it is damaged, something else, or of another model.
    """
    return restore(read_checkpoint(path), model, optimizer, str(path))


def read_checkpoint(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The content of a checkpoint file, its form checked; errors as load_checkpoint."""
    where = str(path)
    try:
        data = Path(path).read_bytes()
    except OSError as e:
        raise OutputError("E701", f"cannot read: {e.strerror}", where=where) from None
    try:
        content = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as e:
        raise ModelError("E108", "damaged, cut short, or not a checkpoint", where=where) from e
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        hint = "only files of qat.save_checkpoint can be resumed from"
        raise ModelError("E108", "not a checkpoint of mcugen", where=where, hint=hint)
    if content.get("version") != VERSION:
        found = content.get("version")
        raise ModelError("E108", f"checkpoint version {found}, this mcugen reads {VERSION}", where=where)
    state, extra = content.get("model"), content.get("extra")
    if not isinstance(state, dict) or not isinstance(extra, dict) or type(content.get("epoch")) is not int:
        raise ModelError("E108", "damaged", where=where)
    return content


def restore(
    content: dict[str, Any], model: nn.Module, optimizer: torch.optim.Optimizer | None, where: str
) -> dict[str, Any]:
    """Put what read_checkpoint gave into the model and the optimiser; returns and errors as load_checkpoint."""
    _same_model(content["model"], model, where)
    if optimizer is not None:
        if content.get("optimizer") is None:
            raise ModelError("E108", "the checkpoint has no optimiser state", where=where)
        try:
            optimizer.load_state_dict(content["optimizer"])
        except Exception as e:
            raise ModelError("E108", f"the optimiser does not fit: {str(e).splitlines()[0]}", where=where) from e
    model.load_state_dict(content["model"])
    return {"epoch": content["epoch"], **content["extra"]}


def _same_model(state: dict[Any, Any], model: nn.Module, where: str) -> None:
    own = model.state_dict()
    hint = "prepare the model exactly as it was when the checkpoint was saved"
    for what, keys in (("lacks", own.keys() - state.keys()), ("has unknown", state.keys() - own.keys())):
        if keys:
            more = f"{min(map(str, keys))} and {len(keys) - 1} more"
            raise ModelError("E108", f"the file {what} {more}", where=where, hint=hint)
    for key, tensor in own.items():
        if not isinstance(state[key], Tensor) or state[key].shape != tensor.shape:
            found = tuple(getattr(state[key], "shape", ()))
            raise ModelError("E108", f"{key} is {found}, the model has {tuple(tensor.shape)}", where=where, hint=hint)
