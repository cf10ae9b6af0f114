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


def refusal(changes: dict) -> ParamsError:
    with pytest.raises(ParamsError) as caught:
        grid.parse(RAW | changes)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 1000
    return caught.value


def test_the_committed_file_is_the_papers_short_grid_of_54_runs() -> None:
    assert reading.read(COMMITTED) == presets.SHORT | OUTSIDE | {
        "tracking": "off",
        "analyses": None,
        "keep_weights": "last",
    }
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


def test_analyses_and_kept_weights_are_no_part_of_a_run_and_there_are_none_unless_asked_for() -> None:
    kept = grid.parse(RAW | {"keep_weights": "all"})
    assert (grid.parse(RAW).keep_weights, kept.keep_weights) == ("last", "all") and kept.specs == cells()
    assert grid.parse(RAW).analyses == grid.parse(RAW | {"analyses": None}).analyses == ()
    asked = grid.parse(RAW | {"analyses": ["robustness"]})
    assert asked.analyses == ("robustness",) and asked.specs == cells() and asked.axes == ()


@pytest.mark.parametrize(("given", "mode"), [({}, "off"), ({"tracking": "online"}, "online")])
def test_tracking_is_no_part_of_a_run_and_off_unless_asked_for(given, mode) -> None:
    tracked = grid.parse(RAW | given)
    assert tracked.tracking == mode and tracked.specs == cells() and "tracking" not in tracked.axes


WRONG: dict[str, list[object]] = {
    "keep_weights": [None, "none", True],
    "analyses": ["robustness", ["robustnes"], [1]],
    "tracking": [True, False, "onlin", ["off", "online"]],
    "method": ["ap"],
    "arch": ["resnet19"],
    "criterion": ["magnitud"],
    "dataset": ["cifar", "folder:", "folder:\ud800", "a\nb"],
    "seed": [-1, 2**63, True, "1", 1.0, None, [], [1, 1], [[1]], {"a": 1}],
    "sb": [0],
    "tau": [0, float("nan"), None, 0.5],
    "lr": [float("inf"), "0.1"],
    "momentum": [1],
    "val_fraction": [0, 1.0],
    "batch_size": [1],
    "milestones": [[8, 5], [5, 5], 5, [[5], [5]]],
    "lr_restart": ["yes"],
    "order": ["random"],
    "protocol": ["papers", None],
    "device": ["gpu", ["cpu", "cuda"]],
    "workers": [0],
    "precision": [["fp32"] * 3000],
    "variants": [[3], {"method": "app"}, [{"methd": "app"}], [{"device": "cpu"}], [{"tracking": "off"}]],
}


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in WRONG.items() for value in values])
def test_a_value_that_cannot_be_used_is_one_line_that_names_its_key(key: str, value: object) -> None:
    assert refusal({key: value}).key == key


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"replay": "buffer"}, "buffer_size"),
        ({"dataset": "restricted_imagenet"}, "image_size"),
        ({"variants": [{"tau": -1}]}, "tau"),
    ],
)
def test_what_does_not_fit_together_is_named_too(changes: dict, key: str) -> None:
    assert refusal(changes).key == key


@pytest.mark.parametrize("key", ["metod", "data_digest", 7, "x" * 5000, "a\nb"])
def test_an_unknown_key_is_named(key: object) -> None:
    error = refusal({key: 1})
    assert error.kind == "unknown" and error.key == str(key)[:80]


@pytest.mark.parametrize("value", ["x", True, 1.5, -1, float("inf"), 10**20, [[7]], {"a": 1}, None])
def test_why_a_value_is_refused_is_told_in_the_words_of_settings(value: object) -> None:
    """Not in those of pydantic, Python or regular expressions: Input should be a valid tuple, match '^(a|b)$'."""
    foreign = ("Input", "String", "should", "valid ", "tuple", "pattern", "integer", "boolean", "None", "True", "^")
    for key in grid.known_keys():
        try:
            grid.parse(RAW | {key: value})
        except ParamsError as error:
            assert not [word for word in foreign if word in str(error)]


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        *(("sb", value, "it is text; a whole number is wanted") for value in ("2:4", "1:30", "x")),
        ("sb", 8.0, "write 8"),
        ("lr", ".5e3", "it is text; a number is wanted; write 500"),
        ("milestones", [1, "x"], "'x' is text; a whole number is wanted"),
        ("device", "CPU", "known: auto, cpu, cuda, cuda:N; did you mean 'cpu'?"),
        ("replay", "Full", "known: full, none, last, buffer; did you mean 'full'?"),
    ],
)
def test_a_value_is_told_for_what_it_is_and_what_is_wanted(key: str, value: object, told: str) -> None:
    assert str(refusal({key: value})).endswith(told)


def test_what_is_refused_is_told_with_what_is_allowed_and_the_nearest_name() -> None:
    told = str(refusal({"method": "ap"}))
    assert told == "params: method: 'ap' is not allowed: known: dense, osp, app, late; did you mean 'app'?"
    assert str(refusal({"metod": "app"})).startswith("params: unknown key 'metod'; did you mean 'method'?")


@pytest.mark.parametrize("key", [key for key in grid.known_keys() if key not in grid.optional_keys()])
def test_every_key_must_be_there_and_its_type_is_checked(key: str) -> None:
    with pytest.raises(ParamsError) as caught:
        grid.parse({name: value for name, value in RAW.items() if name != key})
    assert (caught.value.key, caught.value.kind) == (key, "missing")
    assert refusal({key: object}).key == key


def test_a_schedule_that_would_let_weights_grow_back_is_refused_for_app_alone() -> None:
    assert "ask for more" in str(refusal({"tau": 0.5})) and cells(tau=0.5, method="osp")


def test_a_grid_without_end_is_refused_at_once() -> None:
    assert "more than 100,000 runs" in str(refusal({"seed": list(range(400)), "split_seed": list(range(400))}))
