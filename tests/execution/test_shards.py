import pytest
from workbench import settings

from app_repro.config import grid, presets
from app_repro.core.errors import ParamsError
from app_repro.execution.shards import shard

SHORT = grid.parse(presets.preset("short") | {"device": "cpu", "workers": 1}).specs


IDS = {spec: spec.run_id for spec in SHORT}


@pytest.mark.parametrize("of", [1, 2, 3, 7, 8, 53, 54, 60])
def test_shares_are_disjoint_complete_and_even_also_of_each_kind(of: int) -> None:
    shares = [shard(SHORT, f"{k}/{of}") for k in range(1, of + 1)]
    assert sorted(IDS[spec] for share in shares for spec in share) == sorted(IDS.values())
    sizes = [len(share) for share in shares]
    of_one_kind = [sum((spec.dataset, spec.arch) == ("cifar10", "resnet50") for spec in share) for share in shares]
    assert max(sizes) - min(sizes) <= 1 and max(of_one_kind) - min(of_one_kind) <= 1


def test_a_share_does_not_hang_on_the_order_of_the_axes() -> None:
    turned = grid.parse(settings(seed=[3, 1, 2], method=["app", "dense"])).specs
    straight = grid.parse(settings(seed=[1, 2, 3], method=["dense", "app"])).specs
    assert [spec.run_id for spec in shard(turned, "2/4")] == [spec.run_id for spec in shard(straight, "2/4")]
    assert shard(straight, "1/1") != [] and len(shard(straight, "6/6")) == 1


@pytest.mark.parametrize("share", ["0/8", "9/8", "2", "2/8/1", "a/b", "-1/8", "2/0", "1.5/8", ""])
def test_what_is_no_share_is_one_line(share: str) -> None:
    with pytest.raises(ParamsError, match=r"--shard .*: not a share; 2/8 is the second of eight"):
        shard(SHORT, share)
