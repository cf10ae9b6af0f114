"""Seeds by role: pinned, told apart, independent of what was asked before."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from app_repro.core.seeds import seed_for


def test_a_seed_is_the_top_63_bits_of_the_digest_of_its_role() -> None:
    first = int(hashlib.sha256(b"0/shuffle/1/0").hexdigest()[:16], 16)
    assert seed_for(0, "shuffle", 1, 0) == first // 2


def test_three_seeds_are_pinned() -> None:
    found = [seed_for(0), seed_for(0, "shuffle", 1, 0), seed_for(3, "weights")]
    assert found == [3456079177858693020, 5900532795155577659, 3467984403056568628]


def test_roles_positions_and_run_seeds_are_told_apart() -> None:
    roles = [
        (seed, role, k, epoch) for seed in (0, 1) for role in ("shuffle", "score") for k in (1, 11) for epoch in (1, 11)
    ]
    assert len({seed_for(*role) for role in roles}) == len(roles) == 16


@given(st.integers(0, 2**63 - 1), st.sampled_from(["shuffle", "score", ""]), st.integers(0, 200))
def test_every_seed_fits_in_63_bits_and_does_not_depend_on_calls_before(seed: int, role: str, k: int) -> None:
    first = seed_for(seed, role, k)
    seed_for(seed + 1, role, k)
    assert 0 <= first < 2**63 and seed_for(seed, role, k) == first
