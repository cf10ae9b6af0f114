import pytest
from synthetic import LAYERS, grid, make

from app_repro.report.figures import series_masks


def specs(**changes):
    return grid("short", **({"dataset": "cifar10", "arch": "resnet18", "seed": 1} | changes))


def test_density_sets_both_protocols_side_by_side_and_leaves_dense_out() -> None:
    effective = [0.9**k for k in range(1, 9)]
    records = [make(spec) for spec in specs(method=["dense", "app"])]
    records += [make(spec, effective=effective) for spec in specs(method="app", protocol="released", seed=[1, 2])]
    found = series_masks.density(records)
    assert list(dict.fromkeys(row["label"] for row in found.rows)) == ["APP, paper", "APP, released"]
    last = found.rows[-1]
    assert last["density_effective"] == pytest.approx(0.9**8) and last["density_nominal"] == pytest.approx(0.8**4.5)
    assert last["n"] == 2 and "Only the" not in found.caption
    assert f"APP, released ends at {0.9**8:.4f}, nominal {0.8**4.5:.4f}" in found.alt


def test_one_protocol_alone_says_how_to_get_the_other() -> None:
    for one, other in (("paper", "released"), ("released", "paper")):
        found = series_masks.density([make(spec) for spec in specs(method="app", protocol=one)])
        assert f"Only the {one} protocol has runs: `dvc exp run -S protocol={other}`" in found.caption


def test_layers_are_means_over_seeds_by_depth_and_criterion() -> None:
    snip = [
        make(spec, kept=kept) for spec, kept in zip(specs(method="app", seed=[1, 2]), ([100, 0], [300, 0]), strict=True)
    ]
    magnitude = [make(spec, kept=[500, 1500]) for spec in specs(method="app", criterion="magnitude")]
    found = series_masks.layers(magnitude + snip)
    first = {(row["criterion"], row["layer"]): row["density"] for row in found.rows if row["megabatch"] == 1}
    assert first == {
        ("snip", "conv1"): 0.2,
        ("snip", "layer1.0.conv1"): 0.0,
        ("magnitude", "conv1"): 0.5,
        ("magnitude", "layer1.0.conv1"): 0.5,
    }
    assert [row["depth"] for row in found.rows[: len(LAYERS)]] == [1, 2]
    assert "No runs with" not in found.caption


def test_layers_of_progressive_pruning_go_before_those_of_one_shot() -> None:
    records = [make(spec) for spec in specs()]
    assert {row["method"] for row in series_masks.layers(records).rows} == {"app"}
    alone = series_masks.layers([record for record in records if record["spec"]["method"] != "app"])
    assert {row["method"] for row in alone.rows} == {"osp"}
    assert "No runs with magnitude: `dvc exp run $(app-repro preset pruners)`" in alone.caption


@pytest.mark.parametrize("figure", [series_masks.density, series_masks.layers])
def test_runs_that_never_prune_make_no_figure_of_masks(figure) -> None:
    found = figure([make(spec) for spec in specs(method="dense")])
    assert found.rows == [] and found.caption.startswith(
        f"No {found.name} figure: there is no finished run that prunes"
    )
