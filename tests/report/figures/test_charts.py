import json
import re

import pytest
import vl_convert
from pictured import histories, run, situations
from synthetic import grid

from app_repro.report.figures import charts, series_runs, specs, specs_masks, specs_runs, specs_stream
from app_repro.report.figures.figures import FIGURES
from app_repro.report.figures.marks import Look

SITUATIONS = situations()
SCALED = ("domainMin", "domainMax")


def made(situation: str) -> list[charts.Chart]:
    records = SITUATIONS[situation]
    return charts.all_charts(records, histories(records))


def keys(value):
    """Every (key, value) pair anywhere in a specification."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield key, item
            yield from keys(item)
    elif isinstance(value, list):
        for item in value:
            yield from keys(item)


@pytest.mark.parametrize("situation", SITUATIONS)
def test_every_chart_has_a_specification_or_says_what_is_missing(situation: str) -> None:
    found = made(situation)
    assert {chart.name.removesuffix("-paper").removesuffix("-released") for chart in found} == set(FIGURES)
    assert len({chart.name for chart in found}) == len(found)
    for chart in found:
        assert chart.title and chart.caption.endswith(".")
        assert bool(chart.spec) == bool(chart.alt)
        if chart.spec is None:
            assert chart.caption.startswith("No ")
        else:
            assert len(json.dumps(chart.spec)) <= specs.MOST_BYTES


@pytest.mark.parametrize("situation", ["one", "diverged", "long", "pruners", "odd names"])
def test_vega_draws_them_without_a_warning(situation: str, capfd) -> None:
    for chart in made(situation):
        if chart.spec:
            svg = vl_convert.vegalite_to_svg(chart.spec | {"width": 340}, vl_version="6.4")
            assert svg.startswith("<svg") and "NaN" not in svg, chart.name
            assert svg.count("<path") > 5, chart.name
    assert "WARN" not in "".join(capfd.readouterr())


@pytest.mark.parametrize("situation", ["long", "pruners"])
def test_specifications_suit_a_phone_a_theme_and_a_strict_page(situation: str) -> None:
    for chart in made(situation):
        if chart.spec:
            assert chart.spec["width"] == "container" and chart.spec["$schema"] == specs.SCHEMA
            pairs = [
                pair
                for key, value in chart.spec.items()
                if key not in ("width", "$schema")
                for pair in keys({key: value})
            ]
            assert "width" not in dict(pairs) and "url" not in dict(pairs) and "background" not in dict(pairs)
            assert not any(isinstance(value, str) and "://" in value for _, value in pairs)
            # letters and axes take their colours from the page's theme
            assert not [key for key, _ in pairs if key in ("labelColor", "titleColor", "gridColor", "domainColor")]


def test_a_protocol_has_charts_of_its_own_unless_both_are_compared() -> None:
    found = {chart.name: chart.protocols for chart in made("pruners")}
    assert found["density"] == found["pareto"] == found["accuracy"] == ("paper", "released")
    assert found["framework"] == ()
    assert found["layers-paper"] == ("paper",) and found["layers-released"] == ("released",)
    alone = {chart.name: chart.protocols for chart in made("one")}
    assert alone["accuracy"] == ("paper",) and "accuracy-paper" not in alone


def test_a_protocol_without_data_for_a_figure_says_so() -> None:
    found = {chart.name: chart for chart in made("long")}
    assert found["gap-long-paper"].spec and found["gap-long-released"].spec is None
    assert "preset long" in found["gap-long-released"].caption


def test_values_are_the_rows_of_the_printed_figure() -> None:
    [chart] = (chart for chart in made("one") if chart.name == "density")
    [packed] = chart.spec["data"]["values"]
    assert packed["megabatch"] == list(range(1, 9)) and packed["label"] == "APP, paper"
    assert packed["density_nominal"][0] == 0.8 and packed["density_nominal"][-1] == 0.3664


def layers_of(spec):
    return [part for layer in spec["layer"] for part in layer.get("layer", [layer])]


@pytest.mark.parametrize("name", ["density", "anytime-released", "framework"])
def test_lines_of_one_colour_differ_in_their_pattern_in_chart_and_legend(name: str) -> None:
    [spec] = (chart.spec for chart in made("audit") if chart.name == name)
    *_, lines = (part["encoding"] for part in layers_of(spec) if "strokeDash" in part["encoding"])
    colour, dash = lines["color"], lines["strokeDash"]
    assert colour["scale"]["domain"] == dash["scale"]["domain"] and colour["legend"] == dash["legend"] is not None
    looks = list(zip(colour["scale"]["range"], map(tuple, dash["scale"]["range"]), strict=True))
    assert len(set(looks)) == len(looks)
    if name == "density":
        assert len(set(colour["scale"]["range"])) < len(looks)


def test_the_nominal_density_is_grey_and_in_no_legend() -> None:
    [spec] = (chart.spec for chart in made("audit") if chart.name == "density")
    [nominal] = [part for part in layers_of(spec) if part["encoding"]["y"]["field"] == "density_nominal"]
    assert nominal["mark"]["color"] == "#808080" and not {"color", "strokeDash"} & nominal["encoding"].keys()


def test_protocols_of_a_data_set_stand_under_each_other_in_full_names() -> None:
    [spec] = (chart.spec for chart in made("audit") if chart.name == "accuracy")
    values = spec["data"]["values"]
    assert {row["setting"] for row in values} == {0}
    names = dict.fromkeys(row["name"] for row in values)
    assert len(values) == 3 * len(names) and {"baseline, paper", "APP, released, candidates=kept"} <= names.keys()
    axis = spec["layer"][0]["encoding"]["y"]["axis"]
    assert axis["labelLimit"] > 6.5 * max(map(len, names))
    assert "cifar10, T = 8, resnet20s" in spec["title"]["text"]["expr"]


@pytest.mark.parametrize("name", ["accuracy", "density", "pareto"])
def test_what_compares_protocols_can_be_narrowed_to_one(name: str) -> None:
    [chart] = (chart for chart in made("audit") if chart.name == name)
    named = {row["protocol"].partition(",")[0] for row in chart.spec["data"]["values"]}
    assert named == set(chart.protocols) == {"paper", "released"}


def test_the_front_is_found_among_the_runs_shown() -> None:
    """Vega's own answer, asked for as marks: the circles around the runs of the front."""
    records = SITUATIONS["audit"]
    rows = series_runs.pareto(records).rows
    rows = [row | {"test_accuracy": 7 * place % 11 + 20 * row["density_effective"]} for place, row in enumerate(rows)]
    for some in (rows, [row for row in rows if row["protocol"] == "paper"]):
        best = series_runs.front([(row["density_effective"], row["test_accuracy"]) for row in some])
        svg = vl_convert.vegalite_to_svg(specs_runs.pareto(some) | {"width": 340}, vl_version="6.4")
        circles = svg.partition("layer_1_marks")[2].partition("</g>")[0].count("<path")
        assert 1 < circles == len(best) < len(some)


def test_a_network_is_named_in_each_line_only_beside_others() -> None:
    [spec] = (chart.spec for chart in made("short") if chart.name == "accuracy")
    assert {"resnet18 APP", "resnet50 APP"} <= {row["name"] for row in spec["data"]["values"]}
    [spec] = (chart.spec for chart in made("one") if chart.name == "accuracy")
    assert {row["name"] for row in spec["data"]["values"]} == {"APP"}


def test_accuracy_over_the_stream_has_one_scale_a_data_set_in_the_charts_of_all_protocols() -> None:
    records = [*SITUATIONS["audit"], *(run(spec, accuracy=0.9) for spec in grid("short", arch="resnet18", seed=1))]
    found = {chart.name: chart.spec for chart in charts.all_charts(records)}
    ends = {}
    for protocol in ("paper", "released"):
        spec = found[f"anytime-{protocol}"]
        labels = spec["params"][0]["bind"]["labels"]
        for part in layers_of(spec):
            scale = part["encoding"]["y"]["scale"]
            for place, name in enumerate(labels):
                low, high = (json.loads(scale[end]["expr"].removesuffix("[setting]"))[place] for end in SCALED)
                assert low < high
                ends.setdefault(name.partition(",")[0], set()).add((low, high))
    assert ends.keys() == {"cifar10", "cifar100"} and {len(pairs) for pairs in ends.values()} == {1}


@pytest.mark.parametrize(("length", "expected"), [(2, "1 2"), (5, "1 2 3 4 5"), (40, "5 10 15 20 25 30 35 40")])
def test_no_megabatch_is_named_twice(length: int, expected: str) -> None:
    records = [run(spec) for spec in grid("short", arch="resnet18", method="app", seed=1, sb=length)]
    for chart in charts.all_charts(records):
        if chart.name in ("framework", "anytime", "density"):
            svg = vl_convert.vegalite_to_svg(chart.spec | {"width": 800}, vl_version="6.4")
            x_axis = svg.partition("X-axis")[2].partition("role-axis-label")[2].partition("</g>")[0]
            names = [int(text) for text in re.findall(">([0-9]+)</text>", x_axis)]
            assert " ".join(map(str, dict.fromkeys(names))) == expected and len(set(names)) == len(names), chart.name


def test_menus_are_there_where_there_is_a_choice() -> None:
    by_name = {chart.name: chart.spec for chart in made("pruners")}
    menus = {param["name"]: param["bind"] for param in by_name["accuracy"]["params"]}
    assert menus["metric"]["labels"] == ["test accuracy, %", "CER, errors", "gap, points"]
    layers = by_name["layers-paper"]["params"][0]["bind"]
    assert layers["labels"][:2] == ["cifar10, resnet18, paper, T = 8: snip", "cifar10, resnet50, paper, T = 8: snip"]
    assert {chart.name: chart.spec for chart in made("one")}["layers"]["params"] == []


def test_four_hundred_long_runs_stay_small_and_say_what_is_thinned() -> None:
    networks = ["resnet18", "resnet34", "resnet50", "vgg16_bn", "resnet20s"]
    layers = {f"layer{i}.weight": {"weights": 1000, "flops": 1000} for i in range(20)}
    axes = {
        "dataset": ["cifar10", "cifar100"],
        "arch": networks,
        "protocol": ["paper", "released"],
        "seed": [1, 2, 3, 4, 5, 6, 7],
    }
    records = [run(spec, layers=layers) for spec in grid("long", **axes)][:400]
    found = charts.all_charts(records)
    sizes = {chart.name: len(json.dumps(chart.spec)) for chart in found}
    assert max(sizes.values()) <= specs.MOST_BYTES and sum(sizes.values()) < 1_000_000
    by_name = {chart.name: chart for chart in found}
    assert "shows every" in by_name["layers-paper"].caption and "layers.csv has all" in by_name["layers-paper"].caption
    assert "shows every" not in by_name["pareto"].caption


def test_a_specification_is_thinned_no_further_than_need_be() -> None:
    tried = []

    def make(stride: int) -> dict:
        tried.append(stride)
        return {"values": "x" * (5 * specs.MOST_BYTES // stride)}

    assert specs.fitting(make, [(stride,) for stride in specs.STRIDES])["usermeta"] == {"every": 10}
    assert tried == [1, 5, 10]


def test_thinning_keeps_the_first_and_the_last() -> None:
    assert specs.thinned(range(1, 101), 20) == {1, 21, 41, 61, 81, 100}
    assert specs.thinned([3], 5) == {3}


def test_packed_rows_hold_arrays_by_name() -> None:
    rows = [{"label": name, "n": 1, "k": k, "y": k / 3} for name in "ab" for k in (1, 2)]
    assert specs.sampled([rows], "k", ["y"], 1) == [
        {"setting": 0, "label": name, "n": 1, "k": [1, 2], "y": [0.3333, 0.6667]} for name in "ab"
    ]


def test_names_stand_in_as_many_columns_as_a_phone_has_room_for() -> None:
    look = Look("#000000", (), ())
    columns = [specs.colours({name: look})["legend"]["columns"] for name in ("APP", "APP, tau 17.5, snip", "x" * 30)]
    assert columns == [3, 2, 1]


def test_each_figure_has_the_room_that_its_name_says() -> None:
    rooms = {"framework": specs_stream, "layers": specs_masks, "curves": specs_runs}
    assert all(FIGURES[name].chart is getattr(room, name) for name, room in rooms.items())


def test_one_seed_has_no_spread_to_hover_over() -> None:
    [chart] = (chart for chart in made("one") if chart.name == "accuracy")
    assert {row["shown"] for row in chart.spec["data"]["values"]} >= {"61.00"}
