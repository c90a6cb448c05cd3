# SCons script of the local platform: it builds for a board of ../boards, all of which mcugen wrote.
# ruff: noqa: D100  (SCons and PlatformIO put names into scripts)
import os
import shutil

from SCons.Script import AlwaysBuild, Default, DefaultEnvironment

env = DefaultEnvironment()
board = env.BoardConfig()
here = env.PioPlatform().get_dir()
port = os.path.join(here, "port")
machine = board.get("build.qemu_machine", "")

env.Append(CPPPATH=[port], CCFLAGS=["-ffunction-sections", "-fdata-sections"], CFLAGS=["-std=c99"])
if machine:
    gcc = shutil.which("arm-none-eabi-gcc", path=env["ENV"]["PATH"])
    if not gcc:
        raise SystemExit(
            "arm-none-eabi-gcc is not on PATH (Debian: apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi)"
        )
    prefix = gcc[: -len("gcc")]
    core = board.get("build.machine_flags").split()
    env.Replace(
        AR=prefix + "gcc-ar",
        AS=prefix + "gcc",
        CC=prefix + "gcc",
        CXX=prefix + "g++",
        OBJCOPY=prefix + "objcopy",
        RANLIB=prefix + "gcc-ranlib",
        SIZETOOL=prefix + "size",
        ARFLAGS=["rc"],
        PROGNAME="firmware",
        PROGSUFFIX=".elf",
        SIZEPROGREGEXP=r"^(?:\.text|\.rodata|\.data|\.ARM\.exidx|\.ARM\.extab)\s+(\d+).*",
        SIZEDATAREGEXP=r"^(?:\.data|\.bss)\s+(\d+).*",
        SIZECHECKCMD="$SIZETOOL -A -d $SOURCES",
        SIZEPRINTCMD="$SIZETOOL -B -d $SOURCES",
    )
    env.Append(
        CCFLAGS=core,
        ASFLAGS=core,
        ASPPFLAGS=["-x", "assembler-with-cpp"],
        CXXFLAGS=["-fno-rtti", "-fno-exceptions"],
        LINKFLAGS=[*core, "-nostartfiles", "--specs=nano.specs", "-Wl,--gc-sections", "-Wl,--no-warn-rwx-segments"],
        LIBPATH=[port],
        LDSCRIPT_PATH=os.path.join(port, machine, "link.ld"),
    )
    env.BuildSources(os.path.join("$BUILD_DIR", "port"), os.path.join(port, "semihost"))
else:
    env.Replace(PROGNAME="program", SIZEPRINTCMD="size $SOURCES")
    env.BuildSources(os.path.join("$BUILD_DIR", "port"), os.path.join(port, "host"))

program = env.BuildProgram()
run = "$SOURCE $PROGRAM_ARGS"  # two words: SCons would look up a single one as a variable
if machine:
    run = (
        f"timeout 300 qemu-system-arm -M {machine} -display none -monitor none -serial none"
        " -semihosting-config enable=on,target=native -kernel $SOURCE"
    )
action = env.VerboseAction(run, "Running $SOURCE")
AlwaysBuild(env.Alias("upload", program, action))
env.AddPlatformTarget("run", program, action, "Run", "Run the program, on QEMU unless it is the host's")
size = env.AddPlatformTarget("size", program, env.VerboseAction("$SIZEPRINTCMD", "Calculating size $SOURCE"), "Size")
Default([program, size] if machine else [program])
