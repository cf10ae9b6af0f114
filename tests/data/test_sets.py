"""What stands in an entry of a data set, and that a data set is added by one."""

import ast
import json
from pathlib import Path

import pytest
from house import FILES
from small_sets import class_folders, packed

from app_repro.config import presets
from app_repro.core.errors import DataError
from app_repro.core.files import file_digest
from app_repro.core.paths import PACKAGE
from app_repro.data import sets
from app_repro.data.sets import FOLDER, SETS, Augmentation, SetInfo

ENTRY = """    "greys": SetInfo(
        url="https://example.org/greys.tar.gz",
        digest="sha256:{digest}",
        max_bytes=1 << 20,
        classes=2,
        train=3,
        test=2,
        size=4,
        mixed=True,
        padding=2,
        flip=False,
        margin=3.0,
    ),"""

CODE = """
import json
from pathlib import Path
from workbench import settings
from app_repro.claims.authors import exports, reported
from app_repro.config import grid
from app_repro.data import dataset, splits
from app_repro.execution.planning.cost import published_shape

raw = Path("raw")
changes = {"dataset": "greys", "sb": 1, "seed": 1, "val_fraction": 0.4, "train_limit": None, "test_limit": None}
parsed = grid.parse(settings(method="dense", **changes))
shape = published_shape(parsed.specs[0])
images = dataset.fetch("greys", raw / "greys", origin="greys.tar.gz", cache=Path("cache"))
(spec,) = splits.grid(parsed, raw)
splits.write([spec], raw, Path("splits"))
cut = splits.load(spec, Path("splits"))
values = {"dataset": "greys", "arch": "resnet8s", "meta_batch_number": 8, "sparsity_level": 4.5, "pruner": "snip"}
run = exports.AuthorsRun("a", "row 2", "app", values=values | {"Test/test_acc": 90})
(claim,) = reported.claim_rows([run], "their dashboard").rows
print(json.dumps({
    "official": images.source["official"],
    "lost order": dataset.lost_order(images),
    "augmentation": spec.augmentation,
    "labels": images.train_labels.tolist(),
    "sizes": [len(cut.train[0]), len(cut.validation[0]), len(cut.test)],
    "planned": [shape.train, shape.test, shape.classes, shape.size, shape.channels],
    "margin": claim["margin"],
}))
"""


def test_a_data_set_is_added_by_one_entry(edited_package, tmp_path: Path) -> None:
    digest = file_digest(packed(class_folders(tmp_path / "own"), "greys.tar.gz"))
    table = "SETS: dict[str, SetInfo] = {"
    entry = ENTRY.replace("{digest}", digest)
    assert json.loads(edited_package({table: f"{table}\n{entry}"}, CODE)) == {
        "official": True,
        "lost order": True,
        "augmentation": "pad 2",
        "labels": [0, 0, 1],
        "sizes": [1, 2, 2],
        "planned": [3, 2, 2, 4, 3],
        "margin": "3",
    }
    assert entry.count("\n") < 14


def test_no_other_file_names_a_data_set() -> None:
    """The presets aside, which are grids: their data sets are values like any other; and published files of corrupted
    test images, which say whose they are."""
    naming = {
        path.relative_to(PACKAGE).as_posix()
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in SETS
    }
    assert naming == {"analysis/corrupted/releases.py", "config/laptop.py", "config/presets.py", "data/sets.py"}


def test_presets_of_claims_are_presets() -> None:
    for info in SETS.values():
        assert info.preset in presets.PRESETS


@pytest.mark.parametrize(
    ("info", "side", "expected"),
    [
        (FOLDER, 4, Augmentation("pad", 1, True)),
        (FOLDER, 64, Augmentation("pad", 8, True)),
        (SetInfo(padding=0, flip=False), 64, Augmentation("pad", 0, False)),
        (SETS["restricted_imagenet"], 32, Augmentation("pad", 4, True)),
        (SETS["restricted_imagenet"], 224, Augmentation("resized", 0, True)),
    ],
)
def test_images_are_varied_by_their_size(info: SetInfo, side: int, expected: Augmentation) -> None:
    assert info.augmentation(side) == expected


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    assert sets.find("folder:/own") is FOLDER and sets.find("cifar10") is SETS["cifar10"]
    with pytest.raises(DataError, match=r"known: digits, cifar10, .*folder:PATH; did you mean 'cifar100'"):
        sets.find("cifar1000")
