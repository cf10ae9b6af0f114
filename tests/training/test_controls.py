"""What control arms begin with: against values of the public code of Liu et al. 2019, and against each other."""

import copy
import json
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny import CPU, dataset, spec_of

from app_repro.core.errors import IntegrityError
from app_repro.core.seeds import seed_for
from app_repro.pruning import masks
from app_repro.pruning.channels import Channels
from app_repro.pruning.removal import compact
from app_repro.training import checkpoint, controls
from app_repro.training.models import networks
from app_repro.training.models.flops import Cost
from app_repro.training.protocol import network_of

GOLDEN = json.loads((Path(__file__).parents[1] / "support/golden/controls.json").read_text())
DATA = dataset(20)
MASK = {
    name: torch.rand(weight.shape, generator=torch.Generator().manual_seed(7)) < 0.4
    for name, weight in masks.prunable(networks.build("resnet8s", 10, 8, 1)).items()
}


def source(mask=MASK) -> controls.Source:
    return controls.Source("a" * 12, "c" * 16, checkpoint.encode_mask(mask))


def begun(arm: str, mask=MASK, **changes):
    """The start of an arm, and the network it begins with."""
    spec = spec_of(control=arm, **changes)
    net = network_of(spec, DATA, CPU)
    return controls.begin(spec, DATA, net, source(mask)), net


def initial():
    return network_of(spec_of(), DATA, CPU).state_dict()


def same(one, other) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("row", GOLDEN["scratch_b_cifar"]["rows"])
def test_scratch_b_trains_as_long_as_the_public_code_on_cifar(row) -> None:
    ratio = row["flops_dense"] / row["flops_pruned"]
    assert controls.budget(160, (80, 120), ratio, None) == (row["epochs"], tuple(row["milestones"]))


@pytest.mark.parametrize("row", GOLDEN["scratch_b_imagenet"]["rows"])
def test_scratch_b_is_capped_as_in_the_public_code_on_imagenet(row) -> None:
    assert controls.budget(90, (30,), row["ratio"], 2.0) == (row["epochs"], (row["step"],))


def test_flops_are_those_of_convolutions_and_linear_layers_as_in_the_public_count() -> None:
    parts = GOLDEN["flops_weight_level"]["parts"]
    layer = torch.arange(108) < 40
    ratio = controls.flops_ratio(Cost({"conv": parts["conv_dense"]}, 2 * 64 * 3, {}), {"conv": layer})
    assert ratio == pytest.approx(GOLDEN["flops_weight_level"]["ratio_app_repro"], rel=1e-15)


@pytest.mark.parametrize(("name", "row"), [("layer1.0.conv1.weight", GOLDEN["scratch_init"]["rows"][1])])
def test_weights_from_scratch_are_drawn_as_wide_as_in_the_public_code(name, row) -> None:
    layer = (torch.arange(16 * 16 * 9) < row["kept"]).view(16, 16, 3, 3)
    _, net = begun("scratch-e", MASK | {name: layer})
    drawn = networks.build("resnet8s", 10, 8, 1, seed_for(1, "control", "weights"))
    wider = net.state_dict()[name] / drawn.state_dict()[name]
    assert torch.allclose(wider, torch.full_like(wider, row["ratio"]), rtol=1e-6)


def test_an_emptied_layer_is_drawn_as_it_is() -> None:
    name = next(iter(MASK))
    _, net = begun("scratch-e", MASK | {name: torch.zeros_like(MASK[name])})
    drawn = networks.build("resnet8s", 10, 8, 1, seed_for(1, "control", "weights"))
    assert torch.equal(net.state_dict()[name], drawn.state_dict()[name])


def test_arms_differ_in_what_their_tags_say_and_in_nothing_else() -> None:
    starts = {arm: begun(arm) for arm in controls.CONTROLS}
    for arm in ("ticket", "shuffle", "random"):
        assert same(starts[arm][1].state_dict(), initial()), arm
    scratch = starts["scratch-e"][1].state_dict()
    assert same(scratch, starts["scratch-b"][1].state_dict()) and not same(scratch, initial())
    for arm in ("ticket", "scratch-e", "scratch-b"):
        assert same(starts[arm][0].mask, MASK), arm
    kept = {arm: masks.kept(start.mask) for arm, (start, _) in starts.items()}
    assert kept["shuffle"] == kept["ticket"] != kept["random"]
    assert not same(starts["shuffle"][0].mask, MASK) and sum(kept["random"].values()) == sum(kept["ticket"].values())
    described = {arm: start.described for arm, (start, _) in starts.items()}
    assert [described[arm]["epochs"] for arm in controls.CONTROLS] == [2, 2, 4, 2, 2]
    assert described["scratch-b"]["capped"] and described["scratch-b"]["flops_ratio"] > 2
    assert starts["scratch-b"][0].settings.milestones == (2,)
    assert len({start["flops_ratio"] for start in described.values()}) == 1  # of the source's mask, whatever the arm's


@pytest.mark.parametrize(("cap", "epochs", "capped"), [(1.0, 2, True), (1.5, 3, True), (9.0, None, False)])
def test_the_budget_is_that_of_the_mask_up_to_the_cap(cap, epochs, capped) -> None:
    start, _ = begun("scratch-b", budget_cap=cap)
    ratio = start.described["flops_ratio"]
    assert start.described["epochs"] == (epochs or int(2 * ratio)) and start.described["capped"] is capped
    uncapped, _ = begun("scratch-b", budget_cap=None)
    assert uncapped.described["epochs"] == int(2 * ratio) and not uncapped.described["capped"]


def test_with_a_full_mask_every_arm_but_scratch_begins_as_the_dense_run() -> None:
    full = {name: torch.ones_like(layer) for name, layer in MASK.items()}
    for arm in ("ticket", "shuffle", "random"):
        start, net = begun(arm, full)
        assert same(start.mask, full) and same(net.state_dict(), initial()) and start.described["flops_ratio"] == 1.0


LAYERS = st.dictionaries(st.text("abc", min_size=1), st.lists(st.booleans(), min_size=1, max_size=60), min_size=1)


@given(layers=LAYERS, seed=st.integers(0, 2**40))
def test_shuffle_keeps_each_layer_s_count_and_random_the_total(layers, seed) -> None:
    mask = {name: torch.tensor(values) for name, values in layers.items()}
    shuffled, scattered = controls.shuffled(mask, seed), controls.scattered(mask, seed)
    assert masks.kept(shuffled) == masks.kept(mask)
    assert sum(masks.kept(scattered).values()) == sum(masks.kept(mask).values())
    assert {name: layer.shape for name, layer in scattered.items()} == {
        name: layer.shape for name, layer in mask.items()
    }
    last = list(mask)[-1]
    alone = controls.shuffled({last: mask[last]}, seed)  # the layers before it change nothing of it
    assert torch.equal(alone[last], shuffled[last])


def test_other_seeds_shuffle_otherwise_and_shuffled_masks_are_other_masks() -> None:
    for change in (controls.shuffled, controls.scattered):
        assert same(change(MASK, 1), change(MASK, 1))
        assert not same(change(MASK, 1), change(MASK, 2)) and not same(change(MASK, 1), MASK)
    assert masks.kept(controls.scattered(MASK, 1)) != masks.kept(MASK)


@pytest.mark.parametrize("content", [b"", b"mask", checkpoint.encode_mask({"conv1.weight": torch.ones(3) > 0})])
def test_a_mask_that_is_damaged_or_another_network_s_is_refused(content) -> None:
    spec = spec_of(control="ticket")
    with pytest.raises(IntegrityError) as raised:
        controls.begin(spec, DATA, network_of(spec, DATA, CPU), controls.Source("a" * 12, "", content))
    assert (raised.value.key, raised.value.kind) == ("a" * 12, "mask")


def test_flops_of_removed_channels_are_those_of_the_network_that_is_left() -> None:
    spec = spec_of(control="scratch-b", granularity="channel", tau=6.0)
    net = network_of(spec, DATA, CPU)
    channels = Channels.of(net)
    alive = torch.arange(channels.count) % 4 == 0
    for group in channels.groups:
        alive[group.start] = True
    start = controls.begin(spec, DATA, net, source(channels.mask(alive)))
    small = copy.deepcopy(net)
    compact(small, channels, torch.ones_like(alive), alive)
    assert start.described["flops_ratio"] == macs(net) / macs(small) > 9


def macs(net) -> int:
    """Multiply-adds of one image of 8x8 pixels, counted at each layer."""
    counts = []
    for module in net.modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.Linear):
            module.register_forward_hook(lambda m, _, out: counts.append(m.weight.numel() * out[0, 0].numel()))
    net(torch.zeros(1, 1, 8, 8))
    return sum(counts)
