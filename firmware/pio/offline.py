"""Lets PlatformIO build with no registry: gives it PyPI's SCons as the package tool-scons that it asks for.

    python offline.py [CORE_DIR]      with the Python that runs `pio`, which needs `pip install scons` as well

CORE_DIR: PlatformIO's directory (default: $PLATFORMIO_CORE_DIR, else ~/.platformio). Packages from the registry that
are there already stay as they are. Nothing is fetched.
"""

import json
import os
import sys
from importlib import metadata
from pathlib import Path

NAME, MARK = "tool-scons", ".mcugen"
SCRIPT = "import sys\n\nimport SCons.Script\n\nsys.exit(SCons.Script.main())\n"


def seed(core: Path) -> str:
    """Puts the package there; says what was done. ImportError, PackageNotFoundError, OSError."""
    from platformio.dependencies import get_core_dependencies

    version = get_core_dependencies()[NAME].lstrip("~^=")  # of the package, as this PlatformIO wants it
    scons = metadata.version("scons")
    place = core / "packages" / NAME
    if (place / "package.json").exists() and not (place / MARK).exists():
        return f"{place} is there already"
    owner = {"owner": "platformio", "id": None, "name": NAME, "requirements": None, "uri": None}
    place.mkdir(parents=True, exist_ok=True)
    (place / MARK).touch()
    (place / ".piokeep").touch()
    (place / "scons.py").write_text(SCRIPT)
    (place / ".piopm").write_text(json.dumps({"type": "tool", "name": NAME, "version": version, "spec": owner}))
    about = {"name": NAME, "version": version, "description": f"SCons {scons} from PyPI", "system": "*"}
    (place / "package.json").write_text(json.dumps(about))
    return f"{place}: SCons {scons} from PyPI as {NAME} {version}"


def main() -> int:
    """Exit status 0 if `pio run` can do without its registry now."""
    given = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("PLATFORMIO_CORE_DIR")
    try:
        print(seed(Path(given).absolute() if given else Path.home() / ".platformio"))
    except (ImportError, OSError) as e:  # PackageNotFoundError is an ImportError
        print(f"{type(e).__name__}: {e}; wanted: pip install platformio scons", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
