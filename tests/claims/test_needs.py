"""Which runs claims need, and which claims a grid can decide."""

import pytest
import synthetic

from app_repro.claims import needs
from app_repro.claims.claims_file import ClaimsError
from app_repro.records import record

CLAIMS = list(synthetic.committed().values())


def test_a_claim_s_grid_is_found_by_its_id() -> None:
    claim = synthetic.claim("c100-r50-acc-vs-dense")
    assert needs.grid(CLAIMS, claim.id).specs == claim.grid.specs
    with pytest.raises(ClaimsError, match="did you mean 'c100-r50-acc-vs-dense'"):
        needs.grid(CLAIMS, "c100-r50-acc-vs-dens")


def test_the_runs_of_a_claim_under_a_protocol() -> None:
    specs = needs.specs(synthetic.claim("c100-r50-acc-vs-dense"), "released")
    assert len(specs) == 6 and {spec.protocol[0] for spec in specs} == {"released"}


def test_the_runs_of_claims_by_protocol() -> None:
    chosen = [synthetic.claim("c100-r50-acc-vs-dense"), synthetic.claim("own-released-density")]
    found = [(claim_id, protocol, len(specs)) for claim_id, protocol, specs in needs.by_protocol(chosen)]
    assert found == [
        ("c100-r50-acc-vs-dense", "paper", 6),
        ("c100-r50-acc-vs-dense", "released", 6),
        ("own-released-density", "released", 3),
    ]


def test_a_claim_is_decidable_once_every_run_it_needs_is_planned_or_done() -> None:
    claim = synthetic.claim("c100-r50-acc-vs-dense")
    of_protocol = needs.specs(claim, "paper")

    def row(planned, records=()):
        rows = needs.decidable(CLAIMS, planned, records)
        return next((row for row in rows if (row["id"], row["protocol"]) == (claim.id, "paper")), None)

    assert row(of_protocol) == {"id": claim.id, "protocol": "paper", "runs": 6, "finished": 0}
    assert row(of_protocol[:-1]) is None
    last = synthetic.make(of_protocol[-1].model_copy(update={"data_digest": "0" * 64}))
    done = last | {"code_digest": record.code_digest()}
    assert row(of_protocol[:-1], [done])["finished"] == 1
    assert row(of_protocol[:-1], [done | {"code_digest": "another"}]) is None
    accepted = done | {"code_digest": "another", "accepted_code": [record.code_digest()]}
    assert row(of_protocol[:-1], [accepted])["finished"] == 1
    assert row([], [done]) is None


def test_a_control_arm_on_a_mask_that_its_source_has_no_more_is_to_be_run_again() -> None:
    claim = synthetic.claim("rethinking-ticket-no-gain")
    every = [spec.model_copy(update={"data_digest": "0" * 64}) for spec in needs.specs(claim, "paper")]
    records = [synthetic.make(spec) | {"code_digest": record.code_digest(spec)} for spec in every]
    arm = next(content for content in records if "control" in content)
    for mask, finished in ((arm["control"]["mask_sha256"], len(every)), ("1" * 64, len(every) - 1)):
        arm["control"]["mask_sha256"] = mask
        rows = needs.decidable(CLAIMS, needs.specs(claim, "paper"), records)
        assert next(row for row in rows if row["id"] == claim.id)["finished"] == finished
