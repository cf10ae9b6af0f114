import pytest

from app_repro.claims import claims_file, statement, verify
from app_repro.config import catalogue, grid, presets
from app_repro.core import errors
from app_repro.data import sets
from app_repro.execution import executors
from app_repro.records import runs
from app_repro.records.runs import Records


def test_the_nearest_known_name_is_offered_and_a_far_one_is_not() -> None:
    assert errors.nearest("resnet19", ["resnet18", "vgg16_bn"]) == "; did you mean 'resnet18'?"
    assert errors.nearest("zzz", ["resnet18", "vgg16_bn"]) == ""


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("CIFAR10", "cifar10"),
        ("CIFAR-100", "cifar100"),
        ("ResNet-20", "resnet20s"),
        ("resnet20", "resnet20s"),
        ("VGG16", "vgg16_bn"),
        ("Wide-ResNet-50-2", "wide_resnet50_2"),
        ("SNIP", "snip"),
    ],
)
def test_case_and_dashes_do_not_hide_the_name_that_is_meant(word, meant) -> None:
    known = [*sets.known(), *catalogue.NETWORKS, *catalogue.CRITERIA]
    assert errors.nearest(word, known) == f"; did you mean {meant!r}?"


@pytest.mark.parametrize("word", ["", "-", "--", "é"])
def test_a_word_without_letters_is_near_to_no_name(word) -> None:
    assert errors.nearest(word, ["resnet18", "_"]) == ""


def test_the_known_names_are_listed_after_a_separator_whether_one_is_near_or_not() -> None:
    known = ["resnet18", "vgg16_bn"]
    assert errors.nearest_and_known("resnet19", known) == "; did you mean 'resnet18'? known: resnet18, vgg16_bn"
    assert errors.nearest_and_known("zzz", known) == "; known: resnet18, vgg16_bn"
    assert errors.nearest_and_known("zzz", iter(known), "2 networks") == "; known: 2 networks"


@pytest.mark.parametrize(
    "refuse",
    [
        lambda: claims_file._check_header(["qqqq"], "claims.csv"),
        lambda: executors.check("qqqq"),
        lambda: runs.find([], "qqqq"),
        lambda: grid.parse({"qqqq": 1}),
        lambda: presets.preset("qqqq"),
        lambda: statement.side_settings("qqqq"),
        lambda: claims_file.select([], ["qqqq"]),
        lambda: verify.verify(Records((), (), ()), [], protocol="qqqq"),
    ],
)
def test_a_name_that_no_known_one_is_near_to_is_set_apart_from_the_known(refuse) -> None:
    with pytest.raises(errors.AppReproError, match=r"qqqq\b[^;]*; known: "):
        refuse()


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.ParamsError, 2),
        (errors.DataError, 2),
        (errors.RunError, 3),
        (errors.IntegrityError, 3),
        (errors.DiskFullError, 3),
    ],
)
def test_exit_codes_are_those_documented(kind, code) -> None:
    assert kind("x").exit_code == code and issubclass(kind, errors.AppReproError)


def test_divergence_says_where() -> None:
    error = errors.DivergedError(3, 7)
    assert error.where == {"megabatch": 3, "epoch": 7}
    assert str(error) == "the loss is not finite in megabatch 3, epoch 7; lower lr"
    assert str(errors.DivergedError(3, 0)) == "a score is not finite in megabatch 3, before epoch 1; lower lr"


def test_what_a_library_says_is_one_line_that_a_terminal_shows_as_it_is() -> None:
    assert errors.one_line(ValueError("a\n  b")) == "a b" and errors.one_line(KeyError()) == "KeyError"
    assert errors.one_line("x" * 300, 10) == "x" * 10
    assert errors.one_line("\x1b[2J gone").isprintable()
