"""The room execution."""
