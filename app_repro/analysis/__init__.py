"""Examines masks and finished networks without training them.

- masks_only.py: the masks of each protocol as they are without training, as rows and as a table.
"""
