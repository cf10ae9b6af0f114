"""Seeds by role: no draw depends on the draws before it, so a resumed run needs no generator state."""

import hashlib


def seed_for(run_seed: int, *role: str | int) -> int:
    """A 63-bit seed that follows from the run's seed and a role, such as ("shuffle", megabatch, epoch)."""
    text = "/".join(map(str, (run_seed, *role)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
