"""The figure `framework`: streams, and the densities along them."""

import synthetic

from app_repro.report.figures.paper.framework import FIGURE


def test_streams_are_in_the_order_of_their_data_sets_then_of_their_length() -> None:
    specs = [spec for name in ("regime", "demo", "laptop-1") for spec in synthetic.grid(name) if spec.seed == 1]
    found = FIGURE.rows([synthetic.make(spec) for spec in specs], {})
    begun = [f"{row.dataset}, T = {row.T}" for row in found.itertuples()]
    assert list(dict.fromkeys(begun)) == ["cifar10, T = 8", "digits, T = 4", "digits, T = 8"]
