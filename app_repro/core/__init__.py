"""What every other room uses: errors, atomic files, seeds, default paths, the checkout. In reading order:

errors.py     the errors, each with its exit code
files.py      atomic writes, digests, JSON that carries its own checksum
locks.py      locks between processes
seeds.py      one seed per role of a random draw
paths.py      default paths of the project's files
collector.py  Python's cyclic collector, off where records are read
checkout.py   which checkout the code that runs belongs to
"""
