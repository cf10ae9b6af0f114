"""Runs that end badly, from the command line: what is said, how it exits, what is judged of them."""

import pytest
import synthetic
from workbench import app_repro, workspace

from app_repro.records import record
from app_repro.report import write


@pytest.mark.promise
def test_a_run_whose_loss_is_not_finite_is_diverged_exits_3_and_is_an_error_to_verify(tmp_path) -> None:
    settings = {"sb": 2, "epochs": 20, "milestones": [], "lr": 1000.0, "weight_decay": 1000.0}
    folder = workspace(tmp_path, method=["dense"], **settings)
    (folder / "data").mkdir(exist_ok=True)
    words = " ".join(f"{name}={value}" for name, value in settings.items() if name != "milestones")
    fields = {"preset": "demo", "settings": f"protocol=paper {words} *", "arch": "resnet8s", "dataset": "digits"}
    synthetic.claims_file(folder / "data" / "claims.csv", synthetic.row(**fields))
    for _ in range(2):  # trained, and found in the store
        ran = app_repro(folder, "run")
        assert ran.returncode == 3 and "Traceback" not in ran.stderr
        (line,) = ran.stderr.splitlines()
        assert "): diverged: the loss is not finite in megabatch 1, epoch " in line
    (path,) = folder.glob("data/runs/*/record.json")
    assert record.read(path)["status"] == "diverged"
    judged = app_repro(folder, "verify")
    assert judged.returncode == 3 and " error " in judged.stdout
    assert f"{path.relative_to(folder)}" in judged.stdout + judged.stderr


@pytest.mark.promise
def test_layers_of_which_nothing_is_left_are_named_where_the_run_ends_and_in_the_report(tmp_path) -> None:
    folder = workspace(tmp_path, method="app", tau=50.0, sb=2, epochs=1, milestones=[])
    ran = app_repro(folder, "run")
    (path,) = folder.glob("data/runs/*/record.json")
    content = record.read(path)
    last = content["megabatches"][-1]["kept"]
    emptied = [name for name, kept in zip(content["network"]["layers"], last, strict=True) if kept == 0]
    said = f"nothing is left of {len(emptied)} layers: {', '.join(emptied)}"
    assert ran.returncode == 0 and emptied and content["summary"]["emptied_layers"] == emptied
    assert f"| finished: {said}" in ran.stdout
    assert f"{content['run_id']}: {said}" in write.write([folder / "data/runs"], None, tmp_path / "report")[0]
