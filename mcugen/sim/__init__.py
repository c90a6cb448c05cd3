"""Runs generated code: on this machine, and in QEMU."""
