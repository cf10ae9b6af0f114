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


@pytest.mark.parametrize(
    ("claim_id", "runs", "cell"),
    [
        ("c100-r50-acc-vs-dense", 12, {"sb": 8, "epochs": 6, "milestones": (3, 5), "train_limit": 8000}),
        ("rin-fewshot-gap", 12, {"sb": 10, "few_shot": None, "image_size": None, "train_limit": 8000}),
        (
            "gap-nonmonotone-100",
            6,
            {"sb": 100, "epochs": 2, "milestones": (1,), "train_limit": 10_000, "test_limit": 2000},
        ),
        ("magnitude-early-layers", 12, {"method": "app", "epochs": 6}),
        ("own-nm-mdgf-beats-srste", 6, {"nm_m": 16, "nm_n": 1, "epochs": 6}),
        ("app-beats-both-short", 18, {"tau": 4.5}),
    ],
)
def test_a_stand_in_is_the_claim_in_the_small_cell(claim_id: str, runs: int, cell: dict[str, object]) -> None:
    claim, (small, told) = synthetic.claim(claim_id), needs.small_grid(CLAIMS, claim_id)
    assert len(small.specs) == runs and "no verdict" in told
    found = [spec for spec in small.specs if spec.method == "app"]
    wanted = cell | {"dataset": "cifar10", "arch": "resnet20s"}
    assert all({key: getattr(spec, key) for key in wanted} == wanted for spec in found)
    assert {spec.protocol[0] for spec in small.specs} == {spec.protocol[0] for spec in claim.grid.specs}


@pytest.mark.parametrize("claim_id", ["size-third", "rethinking-ticket-no-gain", "own-audit-osp-sparse-closer-cer"])
def test_a_claim_that_is_as_small_is_its_own_stand_in(claim_id: str) -> None:
    small, told = needs.small_grid(CLAIMS, claim_id)
    assert small.specs == needs.grid(CLAIMS, claim_id).specs and "itself" in told


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
