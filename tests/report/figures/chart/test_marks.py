from app_repro.report.figures.chart.marks import looks

MANY = {"baseline": "dense", "Anytime OSP": "osp", "APP": "app", "APP, released": "app", "late": "unheard-of"}
MANY |= {f"APP, tau {tau}": "app" for tau in range(9)}


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours (WCAG 2)."""

    def luminance(colour: str) -> float:
        parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_no_two_lines_look_alike_and_a_method_keeps_its_colour() -> None:
    found = looks(MANY)
    assert list(found) == list(MANY)
    assert len({(look.colour, look.dash) for look in found.values()}) == len(MANY)
    assert found["APP"].dash == (1, 0) and found["APP"].colour == looks({"APP": "app"})["APP"].colour
    alone = looks({"Anytime OSP, tau 17.5": "osp", "APP, released": "app"})
    assert alone["Anytime OSP, tau 17.5"].colour != alone["APP, released"].colour


def test_where_points_alone_are_drawn_colour_and_mark_tell_lines_apart() -> None:
    names = {"APP": "app", "Anytime OSP": "osp"} | {
        f"{name}, {tau}": name for name in ("app", "osp") for tau in range(4)
    }
    found = looks(names, dashed=False)
    assert len({(look.colour, look.path) for look in found.values()}) == len(names) == 10
    assert len({look.colour for look in found.values()}) == 6 and {look.dash for look in found.values()} == {(1, 0)}
    assert found["APP"] == looks({"APP": "app"})["APP"]


def test_names_can_be_read_on_white_and_on_a_dark_page() -> None:
    for look in looks(MANY).values():
        assert contrast(look.ink, "#FFFFFF") >= 4.5 and contrast(look.tint, "#15181C") >= 4.5, look
