"""python -m app_repro"""

from app_repro.cli.cli import main

main()
