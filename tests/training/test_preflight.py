"""A batch that BatchNorm cannot normalise is named before anything is trained, and no other batch is."""

import pytest
import torch
from workbench import prepared, settings

from app_repro.config import reading
from app_repro.core.errors import ParamsError
from app_repro.execution import grid
from app_repro.execution.workers import worker
from app_repro.records.stores.store import Store
from app_repro.training import preflight
from app_repro.training.models import networks

ONE_PIXEL = {"arch": "resnet18", "method": "app", "seed": 1, "sb": 2, "epochs": 1, "milestones": [], "test_limit": 20}
"""ResNet-18 on digits of 8x8 pixels ends in maps of one."""
LATE = {"train_limit": 404, "batch_size": 8, "score_fraction": 0.25, "criterion": "snip", "replay": "full"}
CASES = {
    "trained": ({"train_limit": 40, "batch_size": 17}, "batch_size", "18 trained on in megabatch 1"),
    "replayed": ({"train_limit": 40, "batch_size": 7, "replay": "full"}, "batch_size", "36 trained on in megabatch 2"),
    "scored": (
        {"train_limit": 40, "batch_size": 8, "score_fraction": 0.05, "criterion": "snip"},
        *("score_fraction", "1 scored in megabatch 1"),
    ),
    "scored later": (LATE, "score_fraction", "101 scored in megabatch 2"),
}
"""Two megabatches of 18 + 2 images: 18 are trained on first, 36 then."""


@pytest.mark.promise
@pytest.mark.parametrize("case", CASES)
def test_an_image_left_alone_is_refused_and_torch_would_have_stopped_there(case: str, tmp_path) -> None:
    changes, key, kind = CASES[case]
    specs, places = prepared(tmp_path, **ONE_PIXEL | changes)
    with pytest.raises(ParamsError) as caught:
        preflight.check(specs, places.raw)
    assert (caught.value.key, caught.value.kind) == (key, kind) and "\n" not in str(caught.value)
    if case == "scored":  # the others would train first
        status, message = worker.attempt(specs[0], places, "cpu", lambda event: None)
        assert status == "failed" and "Expected more than 1 value per channel" in message


FITTING = {
    "last batches of several": {"batch_size": 16},
    "maps of 2x2 pixels": {"batch_size": 17, "arch": "resnet8s"},
    "no image is looked at": {"batch_size": 8, "score_fraction": 0.05, "criterion": "magnitude"},
    "nothing is scored": {"batch_size": 8, "score_fraction": 0.05, "method": "dense"},
    "scored before the first megabatch alone": LATE | {"method": "osp"},
}


@pytest.mark.parametrize("case", FITTING)
def test_what_can_be_trained_is_not_refused(case: str, tmp_path) -> None:
    specs, places = prepared(tmp_path, **ONE_PIXEL | {"train_limit": 40} | FITTING[case])
    preflight.check(specs, places.raw)
    if case == "maps of 2x2 pixels":  # the others take longer, and differ in what is counted alone
        assert worker.attempt(specs[0], places, "cpu", lambda event: None) == ("finished", "")


@pytest.mark.parametrize(("arch", "size"), [("resnet18", 8), ("resnet8s", 8), ("vgg16_bn", 16), ("vgg16_bn", 32)])
def test_torch_refuses_one_image_exactly_where_the_smallest_map_is_one_pixel(arch: str, size: int) -> None:
    net = networks.build(arch, 10, size, 3).train()
    net(torch.zeros(2, 3, size, size))
    if preflight.smallest_map(arch, 10, size, 3) > 1:
        net(torch.zeros(1, 3, size, size))
    else:
        with pytest.raises(ValueError, match="more than 1 value per channel"):
            net(torch.zeros(1, 3, size, size))


def test_no_run_of_a_grid_is_begun_where_one_has_such_a_batch(tmp_path) -> None:
    changes = ONE_PIXEL | {"arch": ["resnet8s", "resnet18"], "train_limit": 40, "batch_size": 17}
    _, places = prepared(tmp_path, **changes)
    (tmp_path / "params.yaml").write_text(reading.to_yaml(settings(**changes)))
    with pytest.raises(ParamsError, match=r"^batch_size: 17 "):
        grid.run(tmp_path / "params.yaml", places, tmp_path / "runs", anyway=True)
    assert Store(places.store).folders() == [] and not (tmp_path / "runs").exists()


def test_groups_that_no_layer_can_be_cut_into_are_refused(tmp_path) -> None:
    given = {"arch": "resnet8s", "granularity": "nm", "nm_n": 62}
    specs, places = prepared(tmp_path, **ONE_PIXEL | {"train_limit": 40} | given, nm_m=124)
    with pytest.raises(ParamsError) as caught:
        preflight.check(specs, places.raw)
    assert caught.value.key == "nm_m" and "2:4" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("scope", ["local", "global"])
def test_more_channels_than_may_go_are_refused_before_training_by_what_training_would_reach(tmp_path, scope) -> None:
    changes = {"granularity": "channel", "method": "osp", "criterion": "magnitude", "scope": scope}
    specs, places = prepared(tmp_path, **changes, tau=30.0)
    with pytest.raises(ParamsError, match=r"^tau: 30 .* resnet8s") as caught:
        preflight.check(specs, places.raw)
    assert (caught.value.key, caught.value.kind) == ("tau", "least") and "\n" not in str(caught.value)
    status, message = worker.attempt(specs[0], places, "cpu", lambda event: None)
    assert status == "failed" and "channels cannot be pruned" in message
    largest = float(str(caught.value).rpartition(";")[2].split()[0])
    specs, places = prepared(tmp_path / "fits", **changes, tau=largest, sb=1, epochs=1, milestones=[])
    preflight.check(specs, places.raw)
    assert worker.attempt(specs[0], places, "cpu", lambda event: None)[0] == "finished"


class Joined(torch.nn.Module):
    """Two tensors of one convolution, side by side or the second turned round."""

    def __init__(self, join, classes: int, channels: int) -> None:
        super().__init__()
        self.conv, self.last, self.join = torch.nn.Conv2d(channels, 12, 3), torch.nn.LazyLinear(classes), join

    def forward(self, x):
        x = self.conv(x).mean((2, 3))
        return self.last(self.join(x))


@pytest.mark.parametrize(
    ("join", "named"), [(lambda x: torch.cat([x, x], 1), "cat"), (lambda x: x + x.flip(1), "not followed")]
)
def test_a_network_whose_channels_cannot_go_is_refused_before_training(tmp_path, monkeypatch, join, named) -> None:
    def build(classes: int, image_size: int, channels: int) -> torch.nn.Module:
        net = Joined(join, classes, channels)
        net(torch.zeros(2, channels, image_size, image_size))
        return net

    monkeypatch.setitem(networks.ARCHITECTURES, "resnet44s", (build, 8))
    specs, places = prepared(tmp_path, granularity="channel", method="late", arch="resnet44s")
    with pytest.raises(ParamsError, match=named) as caught:
        preflight.check(specs, places.raw)
    assert caught.value.key == "granularity" and "resnet44s" in str(caught.value) and "\n" not in str(caught.value)
