"""The corruptions that words name, and what is said of those that cannot be had."""

import pytest

from app_repro.config.corruptions import CORRUPTIONS, check, chosen, remarks
from app_repro.core.errors import ParamsError


def test_words_name_the_authors_15_or_all_of_what_can_be_had() -> None:
    assert sum(tags.common for tags in CORRUPTIONS.values()) == 15
    counts = [len(chosen([word], official)) for official in (False, True) for word in ("common", "all")]
    assert counts == [14, 17, 15, 19]
    assert set(chosen(["all"])) - set(chosen(["all"], channels=1)) == {"saturate"}
    assert chosen(["snow", "fog", "fog", "gaussian_noise"]) == ["gaussian_noise", "snow", "fog"]


@pytest.mark.parametrize(
    ("name", "severity", "channels", "key", "kind"),
    [
        ("gausian-noise", 1, 3, "gausian-noise", "unknown"),
        ("", 1, 3, "", "unknown"),
        ("frost", 1, 3, "frost", "not available"),
        ("saturate", 1, 1, "saturate", "not available"),
        ("fog", 6, 3, "6", "unknown"),
    ],
)
def test_what_cannot_be_had_is_named(name: str, severity: int, channels: int, key: str, kind: str) -> None:
    with pytest.raises(ParamsError) as error:
        check(name, [1, severity], channels=channels)
    assert (error.value.key, error.value.kind) == (key, kind)
    assert "gaussian_noise" in str(error.value) or key != "gausian-noise"


def test_images_for_which_the_constants_are_not_made_are_remarked_on() -> None:
    assert remarks(32, 32, 3) == []
    assert [word in " ".join(remarks(8, 8, 1)) for word in ("8x8", "saturate")] == [True, True]
    assert len(remarks(32, 32, 1)) == len(remarks(64, 32, 3)) == 1
