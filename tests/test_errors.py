import pytest

from app_repro import errors


def test_the_nearest_known_name_is_offered_and_a_far_one_is_not() -> None:
    assert errors.nearest("resnet19", ["resnet18", "vgg16_bn"]) == "; did you mean 'resnet18'?"
    assert errors.nearest("zzz", ["resnet18", "vgg16_bn"]) == ""


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
