"""The catalogue names what the registries hold, in their order, and its tags say of them what is true."""

from app_repro.config import catalogue
from app_repro.pruning.criteria import CRITERIA
from app_repro.training.models.networks import ARCHITECTURES
from app_repro.training.updates.engines import ENGINES


def test_names_are_those_of_the_registries_in_their_order() -> None:
    assert list(catalogue.CRITERIA) == list(CRITERIA)
    assert list(catalogue.NETWORKS) == list(ARCHITECTURES)
    assert list(catalogue.ENGINES) == list(ENGINES)


def test_criteria_take_the_steps_and_the_images_that_their_tags_name() -> None:
    for name, tags in catalogue.CRITERIA.items():
        assert CRITERIA[name].steps == tags.steps, name
        assert (CRITERIA[name].images_at_once is None) == (tags.data == "none"), name
        assert tags.labels == (tags.data != "none"), name


def test_depths_are_those_in_the_networks_names() -> None:
    for name, tags in catalogue.NETWORKS.items():
        digits = "".join(letter for letter in name.partition("_2")[0] if letter.isdigit())
        assert tags.depth == int(digits), name
