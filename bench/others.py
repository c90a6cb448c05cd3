"""What others take for the same networks, and what mcugen is to reach: constants, each with its source."""

from __future__ import annotations

from dataclasses import dataclass

NETWORKS = ("kws", "ic", "vww", "ad")
Four = tuple[int, ...]  # one for each of them


@dataclass(frozen=True)
class Figures:
    """One inference of each of NETWORKS elsewhere, with int8 weights; bytes where they are known.

    For the Cortex-M55 instructions stand for cycles, as QEMU counts them.
    """

    name: str
    core: str
    cycles: Four
    source: str
    flash: Four = ()  # code, constants and model
    arena: Four = ()  # with input and output, as mcugen's ram_bytes
    measured: bool = False  # on a board

    def of(self, network: str) -> tuple[int, int | None, int | None] | None:
        """Cycles, flash and arena of a network; None where it is none of these."""
        if network not in NETWORKS:
            return None
        i = NETWORKS.index(network)
        return self.cycles[i], self.flash[i] if self.flash else None, self.arena[i] if self.arena else None


_TFLM = "TensorFlow Lite Micro 90b983c2b with CMSIS-NN 4ab83cc3, GCC 12.2, MLPerf Tiny's int8 models, {}; simulated"
_BOARD = "mlcommons/tiny_results_{}: inference time x the clock that the submission names"


def _simulated(core: str, flags: str, cycles: Four, flash: Four, arena: Four) -> Figures:
    return Figures("TFLM + CMSIS-NN", core, cycles, _TFLM.format(flags), flash, arena)


def _board(name: str, core: str, round_: str, *million_cycles: float) -> Figures:
    cycles = tuple(round(1e6 * c) for c in million_cycles)
    return Figures(name, core, cycles, _BOARD.format(round_), measured=True)


# Whole inferences, softmax included. Simulated: without wait states, by the same kind of table as mcugen's.
OTHERS = (
    _simulated(
        "cortex-m4",
        "its own flags",
        (9314265, 36876497, 29616407, 726840),
        (108198, 150528, 387556, 306004),
        (22820, 54996, 100708, 2580),
    ),
    _simulated(
        "cortex-m3",
        "-O3",
        (16758967, 71384358, 50641744, 1694766),
        (107666, 151876, 387024, 305608),
        (22820, 54980, 100708, 2580),
    ),
    _simulated(
        "cortex-m0plus",
        "-O3",
        (39988013, 137284424, 119838913, 2364142),
        (118582, 163000, 397940, 314136),
        (22820, 54980, 100708, 2580),
    ),
    _simulated(
        "cortex-m55",
        "-O3",
        (1787265, 4812347, 6433149, 149869),
        (106974, 150032, 386328, 302572),
        (27348, 55028, 100772, 9268),
    ),
    _board("microTVM + CMSIS-NN on L4R5", "cortex-m4", "v1.0", 11.98, 46.75, 36.14, 1.03),
    _board("TFLM reference on L4R5", "cortex-m4", "v0.5", 21.83, 84.51, 72.07, 1.21),
    _board("Plumerai on L4R5", "cortex-m4", "v0.7", 8.83, 22.16, 26.45, 0.71),
    _board("ST X-CUBE-AI 9.0 on L4R5", "cortex-m4", "v1.2", 5.18, 19.82, 10.67, 0.63),
    _board("Bosch HALE int8 on G0B1", "cortex-m0plus", "v1.2", 30.38, 97.41, 90.52, 2.62),
)

# Milliseconds at density 0.2 with int8 first and depthwise layers, without wait states, at 120 and 64 MHz.
TO_REACH = {
    "cortex-m4": {"kws": 16.0, "ic": 36.0, "vww": 42.0, "ad": 3.0},
    "cortex-m0plus": {"kws": 75.0, "ic": 140.0, "vww": 190.0, "ad": 8.0},
}
