"""Seeds by role: what is drawn does not depend on what was drawn before, so a resumed run needs no generator state."""

import hashlib


def seed_for(run_seed: int, *role: str | int) -> int:
    """63-bit seed, the same for the same role: seed_for(0, "shuffle", megabatch, epoch). Seed 0 is a seed."""
    text = "/".join(map(str, (run_seed, *role)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
