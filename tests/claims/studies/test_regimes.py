"""Maps of load and temperature: their cells and axes, and what temperature does at either end of the load."""

from typing import Any

import analysed
import pages
import pytest
import synthetic

from app_repro.claims.studies.connectivity import of_records
from app_repro.claims.studies.regimes import RegimeMap, maps
from app_repro.config.spec import RunSpec

ERRORS = {(1, 1.0): 0.30, (4, 1.0): 0.20, (1, 10.0): 0.25, (4, 10.0): 0.35}
"""Test error by epochs and tau: hotter is worse where much is kept, and better where little is."""


def late(seed: int, **changes: Any) -> RunSpec:
    return synthetic.spec(seed=seed).model_copy(update={"method": "late"} | changes)


def found(errors: dict[tuple[int, float], float] = ERRORS, seeds: int = 3, **changes: Any) -> list[RegimeMap]:
    records = []
    for seed in range(1, seeds + 1):
        for (epochs, tau), error in errors.items():
            for sgd in (None, 1):
                spec = late(seed, epochs=epochs, tau=tau, sgd_seed=sgd, branch=sgd and 8, **changes)
                accuracy = 1 - error - 0.002 * seed + (0.001 if seed == 2 and epochs == 1 else 0)
                records.append(synthetic.make(spec, accuracy=accuracy))
    return maps(of_records(pages.run_records(records), analysed.siblings(records)))


def test_cells_are_means_over_pairs_and_then_seeds() -> None:
    (one,) = found(seeds=2)
    assert one.axis == "epochs" and one.temperatures == [1, 4] and one.branch == 8
    assert one.densities == [pytest.approx(0.8), pytest.approx(0.8**10, abs=1e-6)]
    cell = one.cells[4, one.densities[1]]
    assert len(cell.by_seed) == 2 and len(cell.ids) == 4
    assert cell.values("error") == pytest.approx([0.352, 0.354]) and cell.mean("barrier") == pytest.approx(0.1)
    assert (cell.label(), one.cells[1, 0.8].label()) == ("I", "II-B")
    assert one.normalised(1, 0.8) == pytest.approx(0.0995) and one.normalised(4, 0.8) == 0
    assert cell.path("test") == pytest.approx([0.11, 0.21, 0.11])
    assert one.settings["tau"] is None is one.settings["epochs"] and one.settings["method"] == "late"


@pytest.mark.parametrize(
    ("errors", "seeds", "says"),
    [
        (ERRORS, 3, "shown: hotter is worse at the lowest load and better at the highest (n = 3)"),
        ({at: 0.5 - error for at, error in ERRORS.items()}, 3, "shown: hotter is better at the lowest load"),
        (ERRORS | {(1, 10.0): 0.45}, 3, "not shown: hotter is worse at the lowest and at the highest load (n = 3)"),
        (ERRORS | {(1, 10.0): 0.35}, 3, "not shown (n = 3)"),
        (ERRORS, 1, "not judged (n = 1)"),
        ({at: error for at, error in ERRORS.items() if at != (1, 10.0)}, 3, "not judged (n = 0)"),
    ],
)
def test_temperature_is_judged_by_both_ends_of_the_load_and_never_from_one_seed(errors, seeds, says) -> None:
    (one,) = found(errors, seeds)
    assert one.interaction.says.startswith(says)


def test_other_settings_make_other_maps_and_milestones_do_unless_they_follow_from_the_axis() -> None:
    drops = {(1, 1.0): 0.3, (4, 1.0): 0.2}
    assert len(found(drops, 1, milestones=(5,)) + found(drops, 1, milestones=(5,), dataset="cifar100")) == 2
    records = [
        synthetic.make(late(1, epochs=epochs, lr=lr, milestones=(drop,), sgd_seed=sgd, branch=sgd and 8))
        for epochs, lr, drop in ((1, 0.1, 1), (2, 0.1, 2), (4, 0.1, 4), (1, 0.2, 1), (2, 0.2, 2))
        for sgd in (None, 1)
    ]
    made = maps(of_records(pages.run_records(records), analysed.siblings(records)))
    assert [(one.axis, one.temperatures) for one in made] == [("epochs", [1, 2, 4]), ("epochs", [1, 2])]
