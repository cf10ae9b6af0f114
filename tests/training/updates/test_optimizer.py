"""SGD's settings are those of the spec; its learning rate falls at milestones."""

from dataclasses import replace

import pytest
from tiny import SETTINGS, spec_of

from app_repro.training.updates.optimizer import OptimSettings


def test_the_settings_are_the_spec_s_fields_of_the_same_names() -> None:
    spec = spec_of(lr=0.25, milestones=[1], batch_size=7)
    settings = OptimSettings.of(spec)
    assert (settings.lr, settings.milestones, settings.batch_size) == (0.25, (1,), 7)
    assert vars(settings).items() <= spec.model_dump().items()


def test_learning_rate_falls_at_milestones_and_starts_again() -> None:
    paper = replace(SETTINGS, epochs=50, milestones=(20, 40))
    rates = [paper.learning_rate(1, epoch) for epoch in (0, 19, 20, 39, 40, 49)]
    assert rates == pytest.approx([0.1, 0.1, 0.01, 0.01, 0.001, 0.001])
    assert paper.learning_rate(2, 0) == 0.1


def test_without_restart_the_learning_rate_stays_where_megabatch_1_left_it() -> None:
    never = replace(SETTINGS, epochs=50, milestones=(20, 40), lr_restart=False)
    assert never.learning_rate(1, 0) == 0.1
    assert [never.learning_rate(2, epoch) for epoch in (0, 30)] == pytest.approx([0.001, 0.001])
