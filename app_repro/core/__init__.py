"""What everything stands on: errors, files that are whole or not there, seeds, paths. In reading order:

errors.py  what can go wrong, each with its exit code
files.py   atomic writes, digests, JSON that carries its own checksum
seeds.py   a seed for each role
paths.py   where the project's files lie
"""
