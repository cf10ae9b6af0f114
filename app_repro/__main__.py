"""python -m app_repro"""

import sys

try:
    from app_repro.cli.pipeline import main
except ImportError as error:
    if (error.name or "").startswith("app_repro"):
        raise
    version = ".".join(map(str, sys.version_info[:2]))
    why = f"{sys.executable} (Python {version}) lacks a package: {error}"
    print(f"app-repro: {why}; activate the project's environment, or make it: make setup", file=sys.stderr)
    sys.exit(2)

main()
