from test_report import a_record

from app_repro import files, readme


def test_the_table_between_the_markers_is_made_from_records_and_the_rest_is_left(tmp_path) -> None:
    files.write_sealed(tmp_path / "one.json", a_record())
    text = f"before\n{readme.START}old numbers\n{readme.END}after\n"
    made = readme.regenerated(text, tmp_path)
    assert made.startswith(f"before\n{readme.START}| dataset") and made.endswith(f"{readme.END}after\n")
    assert "70.00" in made and "old numbers" not in made
    assert readme.regenerated(made, tmp_path) == made
