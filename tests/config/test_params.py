"""params.yaml: the committed file, the grid it makes, and every way in which it can be wrong."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from app_repro.config import grid, presets
from app_repro.core.errors import ParamsError

COMMITTED = Path(__file__).parents[2] / "params.yaml"
OUTSIDE = {"device": "auto", "workers": None}
RAW = presets.preset("demo") | OUTSIDE | {"method": "app", "seed": 1}


def cells(**changes: object) -> tuple:
    return grid.parse(RAW | changes).cells


def refusal(changes: dict) -> str:
    with pytest.raises(ParamsError) as caught:
        grid.parse(RAW | changes)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def refusal_of_file(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    with pytest.raises(ParamsError) as caught:
        grid.load(path)
    assert "\n" not in str(caught.value) and str(caught.value).startswith(f"{path}: ")
    return str(caught.value).removeprefix(f"{path}: ")


def edited(key: str, value: str) -> bytes:
    """The committed file with another value, as text."""
    text, count = re.subn(rf"(?m)^{key}:.*$", lambda _: f"{key}: {value}", COMMITTED.read_text())
    assert count == 1
    return text.encode()


def test_the_committed_file_is_the_papers_short_grid_of_54_runs() -> None:
    # YAML 1.1 reads a bare off as false
    assert yaml.safe_load(COMMITTED.read_text()) == presets.SHORT | OUTSIDE | {"tracking": False}
    loaded = grid.load(COMMITTED)
    assert len(loaded.cells) == 54 and loaded.axes == ("dataset", "arch", "method", "seed")
    assert (loaded.device, loaded.workers, loaded.tracking) == ("auto", None, "off")


def test_a_byte_order_mark_is_no_harm(tmp_path) -> None:
    (tmp_path / "params.yaml").write_bytes(b"\xef\xbb\xbf" + COMMITTED.read_bytes())
    assert grid.load(tmp_path / "params.yaml") == grid.load(COMMITTED)


@pytest.mark.parametrize(("text", "value"), [("1e-5", 1e-5), ("+1E-05", 1e-5), ("1.e0", 1.0), ("1.0e-05", 1e-5)])
def test_a_number_is_read_as_dvc_reads_and_writes_it(tmp_path, text, value) -> None:
    (tmp_path / "params.yaml").write_bytes(edited("lr", text))
    assert {cell.lr for cell in grid.load(tmp_path / "params.yaml").cells} == {value}
    assert grid.given([f"lr={text}"]) == {"lr": value}


@pytest.mark.parametrize("key", ["weight_decay", "momentum"])
def test_minus_zero_is_zero(key) -> None:
    assert str(getattr(cells(**{key: -0.0})[0], key)) == "0.0"
    assert cells(**{key: -0.0}) == cells(**{key: 0})


def test_a_device_without_end_is_read_no_further_than_a_params_file_goes() -> None:
    with pytest.raises(ParamsError, match=r"^/dev/zero: larger than 100000 bytes"):
        grid.load(Path("/dev/zero"))


def test_a_list_is_an_axis_and_the_last_axis_changes_first() -> None:
    parsed = grid.parse(RAW | {"tau": [3, 4.5], "seed": [1, 2]})
    assert [(cell.seed, cell.tau) for cell in parsed.cells] == [(1, 3.0), (1, 4.5), (2, 3.0), (2, 4.5)]
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
    found = [(cell.method, cell.tau, cell.seed) for cell in parsed.cells]
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
    assert (elsewhere.device, elsewhere.workers) == ("cuda:3", 7) and elsewhere.cells == cells()


@pytest.mark.parametrize(
    ("given", "mode"), [({}, "off"), ({"tracking": False}, "off"), ({"tracking": "online"}, "online")]
)
def test_tracking_is_no_part_of_a_run_and_off_unless_asked_for(given, mode) -> None:
    tracked = grid.parse(RAW | given)
    assert tracked.tracking == mode and tracked.cells == cells() and "tracking" not in tracked.axes


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"tracking": True}, "tracking: True"),
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


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"", "no settings in it"),
        (b"# nothing\n", "no settings in it"),
        (b"- dataset\n- arch\n", "no settings in it"),
        (b"cifar10", "no settings in it"),
        (b"\xff\xfe\x00", "not readable as YAML"),
        (b"a: \x00", "not readable as YAML"),
        (b"dataset: [cifar10\narch: x", "not readable as YAML"),
        (b"dataset: 'cifar10", "not readable as YAML"),
        (b"a: 1\n---\nb: 2\n", "not readable as YAML"),
        (b"#" * 10_000_000, "larger than 100000 bytes"),
        (b"a: " + b"[" * 5000, "nested more than 10 levels deep"),
        (b"a: " + b"[" * 1000 + b"]" * 1000, "nested more than 10 levels deep"),
        (COMMITTED.read_bytes() + b"sb: 8\n", "key 'sb' is given twice"),
        (COMMITTED.read_bytes() + b"extra: 8\n", "unknown key 'extra'"),
        (edited("variants", "[{tau: 1.0, tau: 2.0}]"), "key 'tau' is given twice"),
        (edited("arch", "!!python/object/apply:os.system ['touch harm']"), "python/object/apply:os.system"),
        (edited("seed", "&x [1, 2]\nsplit: *x"), "aliases are not allowed"),
        (edited("tau", ".nan"), "tau: nan"),
        (edited("lr", "'1e-5'"), "lr: '1e-5'"),
        (b"<<: {sb: 8}\n" + COMMITTED.read_bytes(), "the merge key '<<' is not allowed (line 1)"),
        (edited("variants", "[{<<: {tau: 1.0}}]"), "the merge key '<<' is not allowed"),
        (edited("seed", "2020-01-01"), "seed: datetime.date"),
        (edited("seed", "2020-13-45"), "not readable as YAML"),
        (edited("seed", "9" * 5000), "not readable as YAML"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_line_that_says_why(tmp_path, monkeypatch, content, named) -> None:
    monkeypatch.chdir(tmp_path)
    text = refusal_of_file(tmp_path / "params.yaml", content)
    assert named in text and len(text) < 1000
    assert [path.name for path in tmp_path.iterdir()] == ["params.yaml"]


def test_aliases_that_would_expand_without_bound_are_refused_before_they_do(tmp_path) -> None:
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    assert refusal_of_file(tmp_path / "p", "\n".join(levels).encode()).startswith("aliases are not allowed")


def test_settings_of_the_command_line_are_read_as_in_the_file() -> None:
    found = grid.given(["method=[osp, app]", "tau=3", "order=null", "dataset=folder:/a=b"])
    assert found == {"method": ["osp", "app"], "tau": 3, "order": None, "dataset": "folder:/a=b"}


@pytest.mark.parametrize(
    ("item", "named"),
    [
        ("epochs", "--set 'epochs': not key=value"),
        ("seed=[1", "--set seed: "),
        ("seed=2020-13-45", "--set seed: "),
        ("variants=[{tau: 1, tau: 2}]", "--set variants: key 'tau' is given twice"),
    ],
)
def test_a_setting_of_the_command_line_that_is_none_is_one_line(item: str, named: str) -> None:
    with pytest.raises(ParamsError, match=f"^{named}[^\n]*$"):
        grid.given([item])


def test_a_setting_given_twice_on_the_command_line_is_refused() -> None:
    with pytest.raises(ParamsError, match=r"^--set seed: given twice; a list is an axis, as in --set 'seed=\[1, 2\]'$"):
        grid.given(["seed=1", "lr=2", "seed=1"])


def test_a_missing_file_and_a_folder_are_one_line_each(tmp_path) -> None:
    with pytest.raises(ParamsError, match=r"none: no such file; [^\n]*$"):
        grid.load(tmp_path / "none")
    with pytest.raises(ParamsError, match=r": not readable as YAML: [^\n]*directory[^\n]*$"):
        grid.load(tmp_path)


def test_settings_and_records_are_read_without_torch() -> None:
    code = (
        "import sys; from pathlib import Path; from app_repro.config import grid, presets\n"
        "from app_repro.data import megabatches; from app_repro.records import record\n"
        "grid.load(Path(sys.argv[1])); record.code_digest()\n"
        "print([name for name in ('torch', 'torchvision', 'pandas', 'matplotlib') if name in sys.modules])"
    )
    command = [sys.executable, "-c", code, str(COMMITTED)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == "[]"


@pytest.mark.parametrize("text", ["? [a, b]\n: 1", "{[a]: 1}: 2", "x: !!bool x", "x: !!timestamp 5", 'x: !!int ""'])
def test_yaml_that_breaks_its_own_reader_is_one_line_too(tmp_path, text) -> None:
    (tmp_path / "params.yaml").write_text(text)
    with pytest.raises(ParamsError, match=r"params\.yaml: ") as caught:
        grid.load(tmp_path / "params.yaml")
    assert len(str(caught.value).splitlines()) == 1


def test_a_schedule_that_would_let_weights_grow_back_is_refused() -> None:
    outside = {"device": "cpu", "workers": None}
    with pytest.raises(ParamsError, match=r"tau: 0\.5 lets 'app' ask for more"):
        grid.parse(presets.preset("demo") | outside | {"tau": 0.5})
    assert grid.parse(presets.preset("demo") | outside | {"tau": 0.5, "method": "osp"}).cells


def test_a_grid_without_end_is_refused_at_once() -> None:
    outside = {"device": "cpu", "workers": None}
    with pytest.raises(ParamsError, match="more than 100,000 runs"):
        grid.parse(presets.preset("demo") | outside | {"seed": list(range(400)), "split_seed": list(range(400))})


def test_where_a_run_is_computed_cannot_vary() -> None:
    with pytest.raises(ParamsError, match=r"variants: 'device' cannot vary$"):
        grid.parse(presets.preset("demo") | {"device": "cpu", "workers": None, "variants": [{"device": "cpu"}]})
