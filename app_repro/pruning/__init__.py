"""The room pruning."""
