"""Images lost and won: whose class a pruned run gets wrong or right where dense does not, and which run is dense."""

from types import SimpleNamespace
from typing import Any

import numpy as np
from tiny import dataset

from app_repro.analysis.corrupted import samples
from app_repro.analysis.corrupted.geometry import Measured
from app_repro.analysis.corrupted.lost_and_won import Compared, dense_beside
from app_repro.analysis.corrupted.pictures import Asked, Pictures


def measured(margins: list[float]) -> Measured:
    margin = np.array(margins)
    return Measured(margin > 0, margin, margin, margin)


def test_images_lost_and_won_come_by_the_change_of_their_margin(tmp_path) -> None:
    pictures = Pictures.of(dataset(40), Asked(images=6))
    dense, run = [1.0, 2.0, -1.0, -1.0, 3.0, -2.0], [-1.0, -3.0, 1.0, 4.0, 2.0, -9.0]
    compared = Compared.of("a", "b", pictures, measured(run), measured(dense))
    assert compared.lost.tolist() == [1, 0] and compared.won.tolist() == [3, 2]
    compared.save(tmp_path / "a.csv")
    first = pictures.indices[1]
    line = f"lost,{first},{pictures.data.classes[pictures.data.test_labels[first]]},2,-3"
    assert (tmp_path / "a.csv").read_text().splitlines()[1] == line
    assert samples.lost_and_won(compared).height > samples.lost_and_won(_nothing(compared)).height


def _nothing(compared: Compared) -> Compared:
    none = np.array([], dtype=int)
    return Compared("a", "b", compared.pictures, compared.margins_run, compared.margins_dense, none, none)


def record(method: str, seed: int = 1, setting: str = "x", finished: bool = True, plain: bool = True) -> Any:
    spec = {"method": method}
    return SimpleNamespace(spec=spec, seed=seed, paired_setting=setting, is_finished=finished, is_plain=plain)


def test_dense_is_the_finished_run_that_differs_in_pruning_alone() -> None:
    others = [
        record("osp"),
        record("dense", seed=2),
        record("dense", setting="y"),
        record("dense", finished=False),
        record("dense", plain=False),
    ]
    wanted = record("dense")
    assert dense_beside(record("app"), others) is None
    assert dense_beside(record("app"), [*others, wanted]) is wanted
    assert dense_beside(wanted, [wanted]) is None
