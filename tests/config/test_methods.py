"""When each method prunes, and how far."""

import pytest

from app_repro.config.methods import METHODS, nominal_density, prunes

TAU = 4.5


def schedule(method: str, megabatches: int, tau: float = TAU) -> list[float | None]:
    return [METHODS[method].schedule(k, megabatches, tau) for k in range(1, megabatches + 1)]


def test_app_falls_in_eight_steps_as_the_paper_has_it() -> None:
    rounded = [round(density, 4) for density in schedule("app", 8) if density is not None]
    assert rounded == [0.8000, 0.7155, 0.6400, 0.5724, 0.5120, 0.4579, 0.4096, 0.3664]


@pytest.mark.parametrize("megabatches", [2, 8, 70, 100])
def test_app_starts_at_one_step_and_ends_where_osp_begins(megabatches: int) -> None:
    densities = schedule("app", megabatches)
    assert densities[0] == 0.8 and densities[-1] == schedule("osp", megabatches)[0]
    assert densities == sorted(densities, reverse=True)


def test_osp_prunes_before_the_first_megabatch_only() -> None:
    assert schedule("osp", 8) == [0.8**4.5] + [None] * 7


def test_late_prunes_before_the_last_megabatch_only() -> None:
    assert schedule("late", 8) == [None] * 7 + [0.8**4.5]


def test_dense_never_prunes() -> None:
    assert schedule("dense", 8) == [None] * 8


def test_a_stream_of_one_megabatch() -> None:
    assert schedule("app", 1) == [0.8] and schedule("osp", 1) == [0.8**4.5] and schedule("dense", 1) == [None]


def test_nominal_density_is_the_last_one_asked_for() -> None:
    assert [nominal_density("osp", k, 8, TAU) for k in (1, 2, 8)] == [0.8**4.5] * 3
    assert [nominal_density("app", k, 8, TAU) for k in range(1, 9)] == schedule("app", 8)
    assert [nominal_density("late", k, 8, TAU) for k in (1, 7, 8)] == [1.0, 1.0, 0.8**4.5]
    assert nominal_density("dense", 8, 8, None) == 1.0


def test_only_dense_does_not_prune() -> None:
    assert {name: prunes(name, 8) for name in METHODS} == {"dense": False, "osp": True, "app": True, "late": True}


def test_tags_fit_what_the_schedules_do() -> None:
    for name, method in METHODS.items():
        densities = schedule(name, 8)
        steps = sum(density is not None for density in densities)
        assert method.tags.steps == {0: "none", 1: "one-shot"}.get(steps, "iterative"), name
        assert (method.tags.when == "never") == (steps == 0), name


def test_methods_look_different() -> None:
    looks = [method.appearance for method in METHODS.values()]
    for values in zip(*((look.title, look.description, look.colour, look.mark) for look in looks), strict=True):
        assert len(set(values)) == len(looks)
