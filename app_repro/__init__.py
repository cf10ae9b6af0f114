"""Anytime Progressive Pruning, re-run: streams of megabatches, progressive masks, verdicts on the paper's claims."""
