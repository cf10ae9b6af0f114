"""python -m app_repro"""

from app_repro.cli.pipeline import main

main()
