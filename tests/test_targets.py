"""Every target's figures are sane, its flags compile, and its verdict turns exactly at its own flash and RAM."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from mcugen import driver, targets, toolchain
from mcugen.driver import Artifact
from mcugen.errors import TargetError
from mcugen.sim import qemu
from mcugen.targets import Target

ARCHIVE = Path(__file__).parent.parent / "examples" / "digits" / "digits.mcugen"
ALL = [targets.get(name) for name in targets.names()]
BOARDS = [t for t in ALL if t.name != t.core.name]
KB, MB = 1 << 10, 1 << 20

each = pytest.mark.parametrize("target", ALL, ids=lambda t: t.name)
needs_gcc = pytest.mark.skipif(not shutil.which("arm-none-eabi-gcc"), reason="no arm-none-eabi-gcc")


def test_there_are_boards_of_every_core_and_family() -> None:
    assert len(BOARDS) >= 30
    cores = {t.core.name for t in ALL}
    assert cores == {f"cortex-{c}" for c in ("m0", "m0plus", "m3", "m4", "m7", "m33", "m55")}
    assert {t.core.name for t in BOARDS} == cores
    assert all(core in targets.names() for core in cores)
    words = " ".join(t.about for t in BOARDS)
    families = ("F0", "G0", "F1", "F4", "L4", "F7", "H7", "U5")
    others = ("nRF52", "nRF53", "RP2040", "RP2350", "SAMD21", "LPC", "RA4", "RA6", "Apollo", "Alif", "Himax")
    for family in (*(f"STM32{f}" for f in families), *others, "Cortex-M23", "Cortex-M85"):
        assert family in words, family


@pytest.mark.parametrize(
    "name, clock, wait_states",
    [("nucleo-l4r5zi", 120e6, 5), ("nucleo-u575zi-q", 160e6, 4), ("nucleo-g0b1re", 64e6, 2)],
)
def test_the_benchmark_boards_have_their_wait_states(name: str, clock: float, wait_states: int) -> None:
    target = targets.get(name)
    assert (target.clock, target.wait_states) == (clock, wait_states)
    assert "wait states: ST HAL" in target.source


def test_boards_are_found_by_each_of_their_names() -> None:
    for target in BOARDS:
        if target.platformio:
            for board in (target.name, target.platformio, target.platformio.split("/")[1]):
                assert targets.on_platformio(board) == target
    for unknown in ("", "nucleo", "ststm32", "ststm32/", "teensy/nucleo_f446re", "apollo4-plus", "cortex-m4"):
        assert targets.on_platformio(unknown) is None


def test_nothing_stands_twice() -> None:
    assert len(set(targets.names())) == len(ALL)
    assert len({t.about for t in ALL}) == len(ALL)
    ids = [t.platformio for t in ALL if t.platformio]
    assert len(set(ids)) == len(ids)


@each
def test_figures_are_sane(target: Target) -> None:
    assert target.name == target.name.lower() and " " not in target.name
    assert 32 * KB <= target.flash <= 16 * MB and target.flash % 4 == 0
    assert 4 * KB <= target.ram <= 4 * MB and target.ram % 4 == 0
    assert 16e6 <= target.clock <= 600e6 and target.clock % 1_000_000 == 0
    assert target.wait_states is None or 0 <= target.wait_states <= 15
    assert len(target.source) > 10 and "http" not in target.source
    assert f"-mcpu={target.core.name}" in target.flags[0]
    assert set(target.core.isa) <= {"m0", "m3", "dsp", "mve"}
    if target.platformio:
        platform, board = target.platformio.split("/")
        assert f"platform-{platform}, boards/{board}.json, " in target.source.replace(" (a third-party platform)", "")
    assert not (target.framework and not target.platformio)


@each
def test_the_machine_has_the_core(target: Target) -> None:
    machine = qemu.MACHINES[target.machine]
    assert machine.core == target.core.name.replace("m0plus", "m0")
    if target.name == target.core.name and target.name != "cortex-m0plus":
        assert (target.flags[0], set(target.flags)) == (machine.flags[0], set(machine.flags))


@needs_gcc
@pytest.mark.parametrize("flags", sorted({t.flags for t in ALL}), ids=" ".join)
def test_gcc_takes_the_flags(flags: tuple[str, ...], tmp_path: Path) -> None:
    """And agrees on the instruction sets: what isa promises is what the compiler announces."""
    (isa,) = {t.core.isa for t in ALL if t.flags == flags}
    wanted = [
        f"#if {'!' if 'dsp' in isa else ''}defined(__ARM_FEATURE_DSP)\n#error dsp\n#endif",
        f"#if {'!' if 'mve' in isa else ''}defined(__ARM_FEATURE_MVE)\n#error mve\n#endif",
        f"#if {'!' if 'm0' in isa else ''}defined(__ARM_ARCH_6M__)\n#error m0\n#endif",
        f"#if __ARM_ARCH_ISA_THUMB {'!=' if {'m3', 'dsp'} & set(isa) else '=='} 2\n#error m3\n#endif",
    ]
    source = tmp_path / "main.c"
    source.write_text("\n".join([*wanted, "int main(void)\n{\n    return 0;\n}\n"]))
    (made,) = toolchain.compile(toolchain.arm_gcc(), [source], tmp_path, flags=flags)
    options = [*flags, "-nostartfiles", "--specs=nano.specs", "-Wl,-emain"]
    toolchain.link(toolchain.arm_gcc(), [made], tmp_path / "out.elf", flags=options)  # there is a library for them


@pytest.fixture(scope="module")
def digits() -> Artifact:
    return driver.compile(ARCHIVE, target="cortex-m4")


@each
def test_the_verdict_turns_at_the_targets_own_numbers(target: Target, digits: Artifact) -> None:
    def fits(flash: int, ram: int) -> bool:
        totals = {**digits.report["totals"], "flash_bytes_estimated": flash, "ram_bytes": ram}
        return replace(digits, target=target, report={**digits.report, "totals": totals}).fits

    assert fits(target.flash, target.ram)
    assert not fits(target.flash + 1, target.ram)
    assert not fits(target.flash, target.ram + 1)


@each
def test_a_network_compiled_for_the_target_uses_its_numbers(target: Target) -> None:
    artifact = driver.compile(ARCHIVE, target=target.name)
    report = artifact.report
    assert (report["target_flash"], report["target_ram"]) == (target.flash, target.ram)
    assert artifact.fits is (
        report["totals"]["flash_bytes_estimated"] <= target.flash and report["totals"]["ram_bytes"] <= target.ram
    )
    exact = replace(
        target, flash=report["totals"]["flash_bytes_estimated"], ram=report["totals"]["ram_bytes"]
    )  # a chip that is just big enough, and two that lack one byte
    assert replace(artifact, target=exact).fits
    assert not replace(artifact, target=replace(exact, flash=exact.flash - 1)).fits
    assert not replace(artifact, target=replace(exact, ram=exact.ram - 1)).fits


def test_an_unknown_target_is_refused() -> None:
    with pytest.raises(TargetError, match=r"E401(.|\n)*nucleo-f\d") as e:
        targets.get("nucleo-f446")
    assert "nucleo-f446re" in e.value.hint
    with pytest.raises(TargetError, match=r"E401(.|\n)*cortex-m55"):
        targets.get("zzz")
