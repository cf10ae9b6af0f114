import pages

from app_repro.report.page import missing


def test_whole_records_lack_nothing_but_the_method_not_run() -> None:
    assert missing.sentences(pages.records(methods=["dense", "osp", "app"])) == []


def test_a_protocol_and_a_method_without_runs_are_named() -> None:
    said = missing.sentences(pages.records(protocols=["paper"]))
    assert said == [
        "The released protocol has no run: nothing here is about it.",
        "No run of osp in cifar100, resnet50, paper, T = 8.",
    ]


def test_settings_of_pruning_do_not_part_a_dense_run_from_its_stream() -> None:
    records = pages.records(methods=["dense", "osp", "app"])
    assert not any("dense" in sentence for sentence in missing.sentences(records))


def test_switches_of_pruning_do_not_part_a_dense_run_from_its_stream_either() -> None:
    whole = pages.records(protocols=["released"], methods=["dense", "osp", "app"])
    departed = {"protocol": {"name": "released", "departures": {"candidates": "kept"}}}
    sorted_anew = {"protocol": {"name": "released", "departures": {"order": "permuted"}}}
    app = next(record for record in whole if record["spec"]["method"] == "app")
    lacking = [
        [line for line in missing.sentences([*whole, app | it]) if "No run of" in line]
        for it in (departed, sorted_anew)
    ]
    assert lacking[0] == [] and lacking[1] and "released, order=permuted" in lacking[1][0]


def test_one_seed_is_said_once() -> None:
    records = pages.records(methods=["dense", "osp", "app"], seeds=[1])
    assert missing.sentences(records) == ["All 6 settings have one seed only: no standard deviation there."]
    one = missing.sentences(pages.records(protocols=["paper"], methods=["app"], seeds=[1]))
    assert one[-1] == "The only setting has one seed only: no standard deviation there."


def test_a_diverged_run_is_named_with_its_place() -> None:
    records = pages.records(methods=["dense", "osp", "app"])
    bad = records[0] | {"status": "diverged", "summary": None, "diverged": {"megabatch": 3, "epoch": 2}}
    said = missing.sentences([bad, *records[1:]])
    assert said == [f"1 run diverged and left out of every mean: {bad['run_id']} (megabatch 3, epoch 2)."]


def test_many_gaps_are_counted_after_the_first_few() -> None:
    records = [found for sb in range(8, 18) for found in pages.records(["paper"], ["dense"], sb=sb)]
    assert any(sentence.endswith("; and 4 more.") for sentence in missing.sentences(records))
