"""Every exception of mcugen.

    McugenError                 what the command line prints and turns into exit code 2
    ├── ModelError      E1xx    a front end cannot take the model
    ├── GraphError      E2xx    a graph breaks a rule of the IR
    ├── ArchiveError    E3xx    a saved model is not what it says
    ├── TargetError     E4xx    unknown target, or nothing that runs a node on it
    ├── ToolError       E5xx    a compiler or emulator is missing or failed
    ├── MismatchError   E6xx    C and the integer reference differ
    └── OutputError     E7xx    files cannot be written or read

A message says where, what, and what to do. The codes are stable: scripts may match them.
"""

from __future__ import annotations

from functools import partial

CODES: dict[str, str] = {
    "E101": "operation or module that the front end does not take",
    "E102": "a value that needs an activation quantiser has none",
    "E103": "tensor shapes that the front end cannot lower",
    "E104": "weights without a ternary or int8 quantiser",
    "E105": "non-finite or unusable numbers in the model",
    "E106": "the model cannot be traced",
    "E107": "an argument of the training library is not usable",
    "E108": "a training checkpoint is not usable",
    "E201": "shapes or types do not fit the operator",
    "E202": "a value is used before it is defined, or defined twice",
    "E203": "constant data does not fit its type",
    "E204": "requantisation constants break the rule of FORMAT.md",
    "E205": "an accumulator can overflow",
    "E206": "text form cannot be parsed",
    "E207": "a multiplier or offset that the rounding rule cannot express",
    "E301": "not a mcugen archive",
    "E302": "archive of another format version",
    "E303": "archive content is damaged, hostile or too large",
    "E401": "unknown target or core",
    "E402": "no kernel runs this node on this target, or the board lacks instructions that the kernels use",
    "E403": "a quantity is too large for the generated code",
    "E404": "the memory plan does not fit the target",
    "E501": "a compiler or emulator was not found",
    "E502": "a compiler failed",
    "E503": "an emulator failed or did not answer",
    "E504": "the stack of the generated code has no bound",
    "E601": "the generated code and the reference differ",
    "E602": "a generated directory does not belong to the model given",
    "E701": "a file or directory cannot be read",
    "E702": "a file or directory cannot be written",
    "E703": "bad command line",
    "E704": "input data does not fit the model",
    "E705": "a data set was not found, cannot be downloaded, or is not what it should be",
}


class McugenError(Exception):
    """Base of all errors that mcugen raises on purpose.

    code: a key of CODES. where: the layer, file or option at fault. hint: what to do about it.
    """

    def __init__(self, code: str, message: str, *, where: str = "", hint: str = "") -> None:
        assert code in CODES, code
        self.code, self.message, self.where, self.hint = code, message, where, hint
        super().__init__(message)

    def __reduce__(self) -> tuple[object, ...]:  # from one process to another: Exception passes on its arguments only
        return partial(type(self), where=self.where, hint=self.hint), (self.code, self.message)

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        advice = f"\n  {self.hint}" if self.hint else ""
        return f"[{self.code}] {place}{self.message}{advice}"


class ModelError(McugenError):
    """A front end cannot take the model."""


class GraphError(McugenError):
    """A graph breaks a rule of the IR."""


class ArchiveError(McugenError):
    """A saved model is not what it says."""


class TargetError(McugenError):
    """Unknown target, or nothing that runs a node on it."""


class ToolError(McugenError):
    """A compiler or emulator is missing or failed."""


class MismatchError(McugenError):
    """C and the integer reference differ."""


class OutputError(McugenError):
    """Files cannot be written or read."""
