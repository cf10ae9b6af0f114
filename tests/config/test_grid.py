"""params.yaml: the committed file, the grid it makes, and every way in which it can be wrong."""

from pathlib import Path

import pytest

from app_repro.config import grid, presets, reading
from app_repro.core.errors import ParamsError

COMMITTED = Path(__file__).parents[2] / "params.yaml"
OUTSIDE = {"device": "auto", "workers": None}
RAW = presets.preset("demo") | OUTSIDE | {"method": "app", "seed": 1}


def cells(**changes: object) -> tuple:
    return grid.parse(RAW | changes).specs


def refusal(changes: dict) -> str:
    with pytest.raises(ParamsError) as caught:
        grid.parse(RAW | changes)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_committed_file_is_the_papers_short_grid_of_54_runs() -> None:
    assert reading.read(COMMITTED) == presets.SHORT | OUTSIDE | {"tracking": "off"}
    loaded = grid.load(COMMITTED)
    assert len(loaded.specs) == 54 and loaded.axes == ("dataset", "arch", "method", "seed")
    assert (loaded.device, loaded.workers, loaded.tracking) == ("auto", None, "off")


@pytest.mark.parametrize("key", ["weight_decay", "momentum"])
def test_minus_zero_is_zero(key) -> None:
    assert str(getattr(cells(**{key: -0.0})[0], key)) == "0.0"
    assert cells(**{key: -0.0}) == cells(**{key: 0})


def test_a_list_is_an_axis_and_the_last_axis_changes_first() -> None:
    parsed = grid.parse(RAW | {"tau": [3, 4.5], "seed": [1, 2]})
    assert [(cell.seed, cell.tau) for cell in parsed.specs] == [(1, 3.0), (1, 4.5), (2, 3.0), (2, 4.5)]
    assert parsed.axes == ("seed", "tau")


def test_runs_that_are_equal_are_made_once() -> None:
    assert len(cells(method=["dense", "app"], tau=[3, 4.5])) == 3
    assert len(cells(tau=[3, 3.0])) == 1


def test_milestones_are_one_value_and_a_list_of_lists_is_an_axis() -> None:
    assert [cell.milestones for cell in cells(milestones=[5, 8])] == [(5, 8)]
    assert [cell.milestones for cell in cells(milestones=[])] == [()]
    assert [cell.milestones for cell in cells(milestones=[[5, 8], [], [9]])] == [(5, 8), (), (9,)]


def test_variants_are_further_grids_over_the_same_settings() -> None:
    variants = [{"method": "dense"}, {"method": "osp", "tau": [4.5, 17.5]}]
    parsed = grid.parse(RAW | {"seed": [1, 2], "variants": variants})
    found = [(cell.method, cell.tau, cell.seed) for cell in parsed.specs]
    assert found == [("dense", None, 1), ("dense", None, 2)] + [
        ("osp", tau, seed) for seed in (1, 2) for tau in (4.5, 17.5)
    ]
    assert parsed.axes == ("method", "seed", "tau")


def test_no_variants_are_the_grid_itself() -> None:
    assert cells(variants=[]) == cells(variants=None) == cells(variants=[{}]) == cells()


def test_a_switch_of_its_own_overrides_the_bundle() -> None:
    (spec,) = cells(protocol="released", order="permuted")
    assert (spec.order, spec.candidates) == ("permuted", "all")
    assert [spec.order for spec in cells(protocol="released", order=["permuted", None])] == ["permuted", "file"]


def test_where_to_compute_is_no_part_of_a_run() -> None:
    elsewhere = grid.parse(RAW | {"device": "cuda:3", "workers": 7})
    assert (elsewhere.device, elsewhere.workers) == ("cuda:3", 7) and elsewhere.specs == cells()


@pytest.mark.parametrize(("given", "mode"), [({}, "off"), ({"tracking": "online"}, "online")])
def test_tracking_is_no_part_of_a_run_and_off_unless_asked_for(given, mode) -> None:
    tracked = grid.parse(RAW | given)
    assert tracked.tracking == mode and tracked.specs == cells() and "tracking" not in tracked.axes


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"tracking": False}, "tracking: False"),
        ({"tracking": "onlin"}, "tracking: 'onlin'"),
        ({"tracking": ["off", "online"]}, "tracking: ['off', 'online']"),
        ({"variants": [{"tracking": "off"}]}, "variants: 'tracking' cannot vary"),
        ({"metod": "app"}, "unknown key 'metod'; did you mean 'method'?"),
        ({"data_digest": ""}, "unknown key 'data_digest'"),
        ({7: 1}, "unknown key '7'"),
        ({"x" * 5000: 1}, "unknown key 'xxx"),
        ({"a\nb": 1}, r"unknown key 'a\nb'"),
        ({"method": "ap"}, "method: 'ap' is not allowed: known: dense, osp, app; did you mean 'app'?"),
        ({"arch": "resnet19"}, "arch: 'resnet19' is not allowed: known: resnet18"),
        ({"criterion": "magnitud"}, "did you mean 'magnitude'?"),
        ({"dataset": "cifar"}, "dataset: 'cifar' is not allowed: known: digits, cifar10"),
        ({"dataset": "folder:"}, "dataset: 'folder:'"),
        ({"dataset": "a\nb"}, r"dataset: 'a\nb'"),
        ({"seed": -1}, "seed: -1"),
        ({"seed": 2**63}, "seed: "),
        ({"seed": True}, "seed: True"),
        ({"seed": "1"}, "seed: '1'"),
        ({"seed": 1.0}, "seed: 1.0"),
        ({"seed": None}, "seed: None"),
        ({"seed": []}, "seed: an empty list leaves no run"),
        ({"seed": [1, 1]}, "seed: [1, 1] names a value twice"),
        ({"seed": [[1]]}, "seed: [1]"),
        ({"seed": {"a": 1}}, "seed: {'a': 1}"),
        ({"sb": 0}, "sb: 0"),
        ({"tau": 0}, "tau: 0"),
        ({"tau": float("nan")}, "tau: nan"),
        ({"tau": None}, "tau: null is not allowed for method 'app'"),
        ({"lr": float("inf")}, "lr: inf"),
        ({"lr": "0.1"}, "lr: '0.1'"),
        ({"momentum": 1}, "momentum: 1"),
        ({"val_fraction": 1.0}, "val_fraction: 1.0"),
        ({"val_fraction": 0}, "val_fraction: 0"),
        ({"batch_size": 1}, "batch_size: 1"),
        ({"milestones": [8, 5]}, "milestones: [8, 5] is not allowed: epochs must rise"),
        ({"milestones": [5, 5]}, "milestones: [5, 5]"),
        ({"milestones": 5}, "milestones: 5"),
        ({"milestones": [[5], [5]]}, "milestones: [[5], [5]] names a value twice"),
        ({"lr_restart": "yes"}, "lr_restart: 'yes'"),
        ({"order": "random"}, "order: 'random'"),
        ({"protocol": "papers"}, "protocol: 'papers'"),
        ({"protocol": None}, "protocol: None"),
        ({"device": "gpu"}, "device: 'gpu'"),
        ({"device": ["cpu", "cuda"]}, "device: ['cpu', 'cuda']"),
        ({"workers": 0}, "workers: 0"),
        ({"replay": "buffer"}, "buffer_size: null is not allowed with replay: buffer"),
        ({"dataset": "restricted_imagenet"}, "image_size: null is not allowed for restricted_imagenet"),
        ({"variants": [{"methd": "app"}]}, "variants: 'methd' is an unknown key; did you mean 'method'?"),
        ({"variants": [{"device": "cpu"}]}, "variants: "),
        ({"variants": [3]}, "variants: [3]"),
        ({"variants": {"method": "app"}}, "variants: {'method': 'app'}"),
        ({"variants": [{"tau": -1}]}, "tau: -1"),
        ({"precision": ["fp32"] * 3000}, "precision: ['fp32', 'fp32', "),
    ],
)
def test_a_setting_that_cannot_be_used_is_one_line_that_names_it(changes: dict, named: str) -> None:
    text = refusal(changes)
    assert named in text and len(text) < 1000


@pytest.mark.parametrize("key", [key for key in grid.known_keys() if key not in grid.optional_keys()])
def test_every_key_must_be_there_and_its_type_is_checked(key: str) -> None:
    with pytest.raises(ParamsError, match=f"^params: missing key '{key}'; [^\n]*$"):
        grid.parse({name: value for name, value in RAW.items() if name != key})
    assert refusal({key: object}).startswith(f"params: {key}: <class 'object'> is not allowed: ")


def test_a_schedule_that_would_let_weights_grow_back_is_refused() -> None:
    outside = {"device": "cpu", "workers": None}
    with pytest.raises(ParamsError, match=r"tau: 0\.5 lets 'app' ask for more"):
        grid.parse(presets.preset("demo") | outside | {"tau": 0.5})
    assert grid.parse(presets.preset("demo") | outside | {"tau": 0.5, "method": "osp"}).specs


def test_a_grid_without_end_is_refused_at_once() -> None:
    outside = {"device": "cpu", "workers": None}
    with pytest.raises(ParamsError, match="more than 100,000 runs"):
        grid.parse(presets.preset("demo") | outside | {"seed": list(range(400)), "split_seed": list(range(400))})


def test_where_a_run_is_computed_cannot_vary() -> None:
    with pytest.raises(ParamsError, match=r"variants: 'device' cannot vary$"):
        grid.parse(presets.preset("demo") | {"device": "cpu", "workers": None, "variants": [{"device": "cpu"}]})
