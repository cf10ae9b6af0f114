"""python -m app_repro"""

from app_repro.cli import main

main()
