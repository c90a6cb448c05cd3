# Extra script: the core's flags for compiler, assembler and linker. build_flags alone miss the linker, which then
# picks libraries of another floating-point ABI ("uses VFP register arguments").
# ruff: noqa: F821, D100  (PlatformIO puts Import into scripts)
Import("env")

core = env.GetProjectOption("custom_core_flags").split()
env.Append(CCFLAGS=core, ASFLAGS=core, LINKFLAGS=core)
