"""The table of section 6, with what each switch did: from records alone, by hand."""

import json
from typing import Any

import pytest
import synthetic
from workbench import settings as tiny

from app_repro.claims.studies import ablations
from app_repro.config import grid, presets
from app_repro.config.protocols import PROTOCOLS, SWITCHES
from app_repro.records.code import code_digest
from app_repro.records.runs import read


def specs(**changes: Any):
    outside = {"device": "cpu", "workers": None}
    return grid.parse(presets.preset("audit") | outside | changes).specs


def released(turned: dict[str, Any], **changes: Any):
    """The first spec of APP under the released protocol with these switches turned."""
    return next(spec for spec in specs(**changes) if spec.protocol == ("released", turned))


@pytest.fixture
def records(tmp_path):
    """The audit's runs: APP under paper has 70 % and density .3664; under released 60 % and .0181; see the test."""
    made = []
    for spec in specs():
        name, turned = spec.protocol
        accuracy, effective = (0.7, 0.3664) if name == "paper" else (0.6, 0.0181)
        if turned == {"candidates": "kept"}:
            accuracy, effective = 0.6 + 0.01 * spec.seed, 0.3664
        made.append(synthetic.make(spec, accuracy=accuracy, effective=effective, gap=0.2))
    return synthetic.write(tmp_path / "runs", *made)


def rows(folder, switch: str, bundle: str) -> list[dict[str, Any]]:
    found = ablations.rows(read([folder]).runs)
    return [row for row in found if (row["switch"], row["bundle"]) == (switch, bundle)]


def test_a_switch_turned_back_is_paired_by_seed_with_its_bundle(records) -> None:
    """Accuracies .61 .62 .63 against .6: +.02 on average, sd .01; density .0181 -> .3664."""
    [row] = rows(records, "candidates", "released")
    assert (row["paper"], row["released"], row["turned"], row["n"]) == ("kept", "all", {"candidates": "kept"}, 3)
    accuracy = row["effects"]["test_accuracy"]
    assert (accuracy["before"], accuracy["after"]) == pytest.approx((0.6, 0.62))
    assert (accuracy["change"], accuracy["sd"]) == pytest.approx((0.02, 0.01))
    assert row["effects"]["density_effective"]["change"] == pytest.approx(0.3483)
    assert row["effects"]["cer"]["change"] == pytest.approx(8 * -200)


def test_a_switch_turned_in_the_other_bundle_only_is_not_run_in_this_one(records) -> None:
    [row] = rows(records, "candidates", "paper")
    assert row["n"] == 0 and row["effects"] == {} and row["setting"] is None
    text = ablations.to_table([row])
    assert "not run" in text and "| candidates | kept" in text


def test_both_bundles_are_compared_as_a_whole(records) -> None:
    [row] = rows(records, "all of them", "paper")
    assert row["effects"]["test_accuracy"]["change"] == pytest.approx(-0.1)
    assert row["turned"].keys() == set(SWITCHES) - {"lr_restart"}


def test_every_switch_has_a_row_a_bundle_and_a_meaning() -> None:
    found = ablations.rows([])
    assert [(row["switch"], row["bundle"]) for row in found] == [
        (switch, bundle) for switch in (*SWITCHES, "all of them") for bundle in PROTOCOLS
    ]
    assert list(ablations.MEANING) == [*SWITCHES, "all of them"]
    assert all(row["turned"] == {"lr_restart": False} for row in found if row["switch"] == "lr_restart")


@pytest.mark.parametrize("change", [{"epochs": 7}, {"criterion": "magnitude"}, {"sb": 4}, {"seed": 9}])
def test_runs_that_differ_in_anything_else_are_no_pair(tmp_path, change) -> None:
    turned = released({"order": "permuted"}, **change)
    folder = synthetic.write(tmp_path, synthetic.make(released({})), synthetic.make(turned))
    assert rows(folder, "order", "released")[0]["n"] == 0


def test_runs_of_other_code_are_no_pair_unless_it_is_accepted_and_said_to_be_there(tmp_path) -> None:
    mine = synthetic.make(released({}))
    other = synthetic.make(released({"candidates": "kept"})) | {"code_digest": "1" * 16}
    apart = synthetic.write(tmp_path / "apart", mine, other)
    assert rows(apart, "candidates", "released")[0]["n"] == 0
    [note] = ablations.ablations(read([apart]))["notes"]
    codes = ", ".join(sorted([mine["code_digest"][:8], "11111111"]))
    assert note.startswith("candidates under released: 1 pair not compared, run by learning code that differs")
    assert f"({codes})" in note and note.endswith("app-repro run --accept-code")
    accepted = synthetic.write(tmp_path / "accepted", mine, other | {"accepted_code": [mine["code_digest"]]})
    [row] = rows(accepted, "candidates", "released")
    assert row["n"] == 1 and row["setting"].endswith(f"code_digest={mine['code_digest'][:8]}")
    assert ablations.ablations(read([accepted]))["notes"] == []


def test_a_run_trained_again_by_other_code_is_compared_by_the_record_whose_code_its_partner_shares(tmp_path) -> None:
    """By the old code .60 -> .65, by today's .70 -> .80; the latter's second run comes later."""
    base, turned = released({}), released({"candidates": "kept"})
    old, new = {"code_digest": "1" * 16}, {"code_digest": code_digest()}
    before = [synthetic.make(base, accuracy=0.6), synthetic.make(turned, accuracy=0.65)]
    synthetic.write(tmp_path / "before", *(content | old for content in before))
    synthetic.write(tmp_path / "after", synthetic.make(base, accuracy=0.7) | new)
    result = ablations.ablations(read([tmp_path]))
    [row] = [row for row in result["differences"] if row["n"]]
    assert row["effects"]["test_accuracy"]["change"] == pytest.approx(0.05) and result["notes"] == []
    assert row["setting"] and row["setting"].endswith("code_digest=11111111")
    synthetic.write(tmp_path / "after", synthetic.make(turned, accuracy=0.8) | new)
    result = ablations.ablations(read([tmp_path]))
    [row] = [row for row in result["differences"] if row["n"]]
    assert row["n"] == 1 and row["effects"]["test_accuracy"]["change"] == pytest.approx(0.1)


def test_a_run_that_diverged_is_not_replaced_by_a_record_that_did_not(tmp_path) -> None:
    base, turned = released({}), released({"candidates": "kept"})
    synthetic.write(tmp_path / "before", synthetic.make(base), synthetic.make(turned))
    assert [row["n"] for row in rows(tmp_path, "candidates", "released")] == [1]
    synthetic.write(tmp_path / "after", synthetic.make(base, diverged=True))
    result = ablations.ablations(read([tmp_path]))
    assert not any(row["n"] for row in result["differences"]) and any("diverged" in note for note in result["notes"])


def test_rows_say_in_what_their_settings_differ(tmp_path) -> None:
    made = [synthetic.make(spec) for rate in (0.1, 0.05) for spec in specs(lr=rate) if spec.method == "app"]
    found = rows(synthetic.write(tmp_path, *made), "candidates", "released")
    assert [(row["n"], row["setting"].split(", ")[-1]) for row in found] == [(3, "lr=0.05"), (3, "lr=0.1")]


def test_runs_whose_n_is_given_are_named_by_their_pattern(tmp_path) -> None:
    """Runs at 1:16 without a flow, whose tau is null, and the same with the learning rate not restarted."""
    found = [spec for spec in synthetic.grid("laptop-8") if (spec.method, spec.flow) == ("app", "none")]
    turned = [spec.model_copy(update={"lr_restart": False}) for spec in found]
    folder = synthetic.write(tmp_path, *map(synthetic.make, [*found, *turned]))
    [row] = rows(folder, "lr_restart", "paper")
    assert row["n"] == len(found) == 3
    assert row["setting"] == "digits resnet8s snip, T = 8, 1:16, 10 epochs"


def test_a_copy_whose_file_order_may_be_lost_is_named(tmp_path) -> None:
    made = [synthetic.make(spec, official=False) for spec in specs() if spec.protocol[0] == "released"]
    [note] = ablations.ablations(read([synthetic.write(tmp_path, *made)]))["notes"]
    assert note.startswith("order: cifar10 here is not the publisher's archive")


def test_a_data_set_made_in_file_order_may_have_another_digest_only_where_the_order_is_turned(tmp_path) -> None:
    for switch in ("order", "candidates"):
        turned = released({switch: PROTOCOLS["paper"][switch]})
        made = synthetic.make(turned.model_copy(update={"data_digest": "f" * 64}))
        folder = synthetic.write(tmp_path / switch, synthetic.make(released({})), made)
        assert rows(folder, switch, "released")[0]["n"] == (1 if switch == "order" else 0)


def test_a_metric_that_some_record_lacks_is_a_dash(tmp_path) -> None:
    made = [synthetic.make(released(turned)) for turned in ({}, {"candidates": "kept"})]
    del made[0]["summary"]["gap_test"], made[0]["megabatches"][-1]["gap_test"]
    [row] = rows(synthetic.write(tmp_path, *made), "candidates", "released")
    assert row["n"] == 1 and row["effects"].keys() == ablations.EFFECTS.keys() - {"gap_test"}
    assert "| - " in ablations.to_table([row]).splitlines()[2]


def test_it_is_written_as_json_and_markdown(records, tmp_path) -> None:
    found = ablations.ablations(read([records, tmp_path / "absent"]))
    text = ablations.to_text(found)
    ablations.save(found, tmp_path / "out")
    assert json.loads((tmp_path / "out/differences.json").read_text()) == json.loads(json.dumps(found))
    assert (tmp_path / "out/differences.md").read_text() == text + "\n"
    assert "60.00 → 62.00 (+2.00 ± 1.00)" in text and "0.0181 → 0.3664 (+0.3483 ± 0.0000)" in text


def test_a_damaged_record_is_named_and_not_counted(records) -> None:
    kept = next(path for path in records.glob("*/record.json") if '"departures": {"candidates"' in path.read_text())
    kept.write_text(kept.read_text().replace("0.2", "0.3", 1))
    found = ablations.ablations(read([records]))
    text = ablations.to_text(found)
    assert f"{kept}: damaged" in text and f"{kept}: damaged" in found["notes"][-1]
    assert [row["n"] for row in found["differences"] if row["switch"] == "candidates"] == [0, 2]


def test_dense_and_osp_are_not_taken_for_app(tmp_path) -> None:
    cells = grid.parse(tiny(method=["dense", "osp"], protocol=["paper", "released"])).specs
    folder = synthetic.write(tmp_path, *(synthetic.make(spec) for spec in cells))
    assert all(row["n"] == 0 for row in ablations.rows(read([folder]).runs))
