"""Runs of the paper's authors, as rows for the claims file. In reading order:

exports.py   the authors' runs as plain values, from wandb or a file that a dashboard exported
reported.py  these runs as rows for the claims file, and which of them count
"""
