"""A model card says what a run is, and how to make it again."""

import re
import runpy
import shlex
from pathlib import Path
from typing import Any

import pytest
import synthetic
import workbench
from hydra.core.override_parser.overrides_parser import OverridesParser
from synthetic import spec

from app_repro.config import grid
from app_repro.config.spec import RunSpec
from app_repro.core import files
from app_repro.core.errors import ParamsError
from app_repro.records import runs
from app_repro.records.runs import RunRecord
from app_repro.report import modelcard

DEMO = Path(__file__).parents[2] / "data/published/demo"


def run(of: RunSpec, name: str = "one", **numbers: Any) -> RunRecord:
    return RunRecord(Path(name) / "record.json", synthetic.make(of, **numbers))


def section(card: str, title: str) -> str:
    return card.split(f"## {title}\n")[1].split("\n## ")[0]


def test_the_card_of_a_published_run_has_its_numbers() -> None:
    card = modelcard.show([DEMO], "digits-resnet8s-app-sb8-s1", None)[0]
    assert card.startswith("# Model card: digits-resnet8s-app-sb8-s1\n")
    results = section(card, "Results")
    assert "| test accuracy % | 97.00 | 98.00 ± 0.88 (3) |" in results and "seeds 1, 2, 3" in results
    assert "| layer3.0.conv2.weight | 36,864 | 8,415 | 0.2283 |" in results
    assert "| scored_weights | trained | trained |" in section(card, "Setting")
    assert "300 test images" in section(card, "Data") and "as its publisher gives it" in section(card, "Data")
    origin = section(card, "Where it comes from")
    for text in ("`e7d47d40cea5`", "7cf7847274a13285c225e3a8b117fbaf4bf36884", "torch 2.13.0+cpu", "1 thread;"):
        assert text in origin
    assert "Apache-2.0" in card and "@article{misra2022app" in card and "title   = {{APP}:" in card


@pytest.mark.parametrize("method", ["app", "dense"])
def test_the_command_makes_the_same_run_again(method: str) -> None:
    mine = spec(method, 3, lr=0.05, milestones=(3, 4), train_limit=800)
    words = shlex.split(modelcard.command(mine.model_dump(mode="json")))
    assert words[:3] == ["dvc", "exp", "run"] and set(words[3::2]) == {"-S"}
    given = {item.key_or_group: item.value() for item in OverridesParser.create().parse_overrides(words[4::2])}
    (again,) = grid.parse(given | {"device": "auto", "workers": None}).specs
    assert again.run_id == mine.run_id


def test_departures_and_lesser_data_are_named() -> None:
    mine = run(spec("app", order="file", train_limit=800, precision="bf16"), official=False)
    card = modelcard.card(mine, [mine])
    assert "Protocol: paper, order=file." in card and "| order | file | permuted (departs) |" in card
    assert "**not** shown to be what its publisher gives" in card
    assert "Only one seed of this setting" in card and "trained in bf16" in card
    assert "It saw a part of the data set only (train_limit 800, test_limit none)." in card
    dense = run(spec("dense"))
    assert "| candidates | does not apply | kept |" in modelcard.card(dense, [dense])


def test_a_run_of_other_data_says_that_the_official_ones_give_another_id() -> None:
    other, official = run(spec("app", dataset="cifar10"), official=False), run(spec("app", dataset="cifar10"))
    again = section(modelcard.card(other, [other]), "How to make it again")
    assert again.index("app-repro fetch cifar10 --from /path/to/") < again.index("dvc exp run")
    assert "(`--from`), the id differs" in again
    assert "--from" not in section(modelcard.card(official, [official]), "How to make it again")
    own = run(spec("app", dataset="folder:/mine"), official=False)
    assert "--from" not in section(modelcard.card(own, [own]), "How to make it again")


def test_a_diverged_run_has_a_card_too() -> None:
    mine = run(spec("app"), diverged=True)
    card = modelcard.card(mine, [mine])
    assert "How to load" not in card
    assert "**This run diverged** (megabatch 3, epoch 2)" in card and "None: the run did not end" in card
    assert not re.search(r"\bNone\b(?!:)", card) and "{{" not in card.replace("{{APP}", "")


def test_a_record_with_little_provenance_has_a_card() -> None:
    content = synthetic.make(spec("app")) | {"provenance": {}, "data_source": {}}
    card = modelcard.card(mine := RunRecord(Path("x.json"), content), [mine])
    assert "| commit | unknown |" in card and "git checkout" not in card


def test_it_is_written_to_a_file_or_into_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    files.write_sealed(folder / "mine/record.json", synthetic.make(spec("app")))
    text = modelcard.show([folder], "mine", tmp_path / "card.md")[0]
    modelcard.show([folder], "mine", tmp_path / "cards")
    assert (tmp_path / "card.md").read_text() == (tmp_path / "cards/mine.md").read_text() == text
    with pytest.raises(ParamsError, match="name a file or a folder to write to"):
        modelcard.show([folder], "mine", tmp_path / "card.md" / "below.md")


@pytest.mark.parametrize("granularity", ["weight", "channel"])
def test_its_lines_load_the_network_of_the_run(tmp_path, monkeypatch, capsys, granularity: str) -> None:
    changes = {"method": "app", "granularity": granularity, "test_limit": None}
    (mine,), places = workbench.trained(tmp_path, **changes)
    (tmp_path / ".store").symlink_to(places.store)
    (tmp_path / "data/raw").symlink_to(places.raw)
    monkeypatch.chdir(tmp_path)
    card, _ = modelcard.show([tmp_path / "data/runs"], mine.run_id, None)
    (lines,) = re.findall(r"^```python\n(.*?)^```$", section(card, "How to load its network"), re.M | re.S)
    Path("lines.py").write_text(lines)
    capsys.readouterr()
    runpy.run_path("lines.py")
    accuracy = runs.read_run(Path("data/runs/app/record.json")).value("test_accuracy")
    assert capsys.readouterr().out == f"tensor({accuracy:.4f})\n"


def test_a_control_arm_says_that_it_is_one_and_of_which_run() -> None:
    [source, arm] = [run(of) for of in synthetic.grid("controls", method="app", control="scratch-b", seed=1)]
    card = modelcard.card(arm, [arm])
    head = card.partition("## Setting")[0]
    assert "control arm" in head and source.content["run_id"] in head and "scratch-b" in head
    assert "knowledge of the future" in head and source.content["run_id"] in section(card, "How to make it again")
    assert "control arm" not in modelcard.card(source, [source])
    first = synthetic.grid("controls", method="osp", control="ticket", seed=1)[1]
    assert "knowledge of the future" not in modelcard.card(run(first), [run(first)])


def test_layers_that_take_no_part_in_n_of_m_are_named() -> None:
    specs = synthetic.grid("nm-demo", variants=None, method="app", granularity=["weight", "nm"], nm_m=8, nm_n=1, seed=1)
    weight, groups = (run(spec) for spec in specs if spec.method == "app")
    text = section(modelcard.card(groups, [groups]), "Results")
    assert "1 of these layers takes no part in N:M" in text and "no multiple of 8: conv1." in text
    assert "N:M" not in modelcard.card(weight, [weight])


def test_a_run_that_removed_channels_has_a_card_with_what_is_left() -> None:
    specs = synthetic.grid("granularity", method="app", variants=None, granularity=["weight", "channel"], seed=1)
    weight, channel = (RunRecord(Path("x"), synthetic.make(spec)) for spec in specs)
    text = modelcard.card(channel, [channel])
    left = channel.content["megabatches"][-1]
    assert f"| conv1.weight | 1,000 | 366 | 0.3660 | {left['widths'][0]} |" in text
    assert f"| MACs, M | {left['macs'] / 1e6:.2f} |" in text and f"| {left['parameters'] / 1e3:.1f} |" in text
    assert "no zeros" in text and "Masked weights" not in text
    assert "inference, MFLOPs (of the unpruned network)" in text and "training, TFLOPs (of the unpruned" in text
    assert "channels left" not in modelcard.card(weight, [weight])
