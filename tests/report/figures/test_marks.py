from app_repro.report.figures.marks import COLOURS, SPARE, looks, wrapped


def row(label: str, method: str = "app") -> dict[str, str]:
    return {"label": label, "method": method}


def test_methods_keep_their_colours_and_no_two_lines_of_a_panel_are_alike() -> None:
    panel = [row("baseline", "dense"), row("APP, snip"), row("APP, magnitude"), *(row(f"APP {i}") for i in range(9))]
    found = looks([panel, [row("APP")]])
    assert found["baseline"].colour == COLOURS["dense"] and found["APP"].colour == COLOURS["app"]
    in_panel = [found[item["label"]] for item in panel]
    assert len(set(in_panel)) == len(panel)
    assert list(found) == [item["label"] for item in [*panel, row("APP")]]


def test_lines_of_two_methods_differ_without_their_marks() -> None:
    panel = [row("OSP", "osp"), row("APP"), row("OSP, tau 17.5", "osp"), row("APP, released")]
    found = looks([panel]).values()
    assert len({(look.colour, look.dash) for look in found}) == 4


def test_the_plain_name_of_a_method_has_its_colour_before_longer_ones() -> None:
    found = looks([[row("APP, snip"), row("APP")]])
    assert found["APP"].colour == COLOURS["app"] != found["APP, snip"].colour


def test_a_method_that_is_new_here_has_a_look_too() -> None:
    found = looks([[row("mine", "mine")]])
    assert found["mine"].colour == SPARE[0] and found["mine"].path.startswith("M-0.8,0L0,-0.9")


def test_letters_are_darker_than_their_line_and_marks_are_paths_downwards() -> None:
    [look] = looks([[row("Anytime OSP", "osp")]]).values()
    assert look.ink == "#8E3F00" and look.path == "M-1,0L1,0M0,1L0,-1"


def test_long_names_break_at_commas_and_what_cannot_break_loses_its_middle() -> None:
    assert wrapped("Anytime OSP, tau 17.5", 30) == "Anytime OSP, tau 17.5"
    assert wrapped("Anytime OSP, tau 17.5", 20) == "Anytime OSP,\ntau 17.5"
    assert wrapped("folder:" + "x" * 40, 20) == "folder:xx…xxxxxxxxx"
