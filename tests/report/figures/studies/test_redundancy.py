"""The order of corruptions in the figure of redundancy."""

import math

from app_repro.report.figures.studies.redundancy import spanning_order


def test_like_stands_beside_like_from_the_middle_on() -> None:
    apart = [[1.0, 0.1, 0.9, 0.2], [0.1, 1.0, 0.0, 0.8], [0.9, 0.0, 1.0, 0.3], [0.2, 0.8, 0.3, 1.0]]
    assert spanning_order(apart) == [3, 1, 2, 0]  # 3 is nearest to all; 1 to 3, then 2 to 3, then 0 to 2


def test_what_is_not_known_comes_last_and_a_single_one_is_an_order() -> None:
    unknown = [[math.nan] * 3, [math.nan, 1.0, 0.5], [math.nan, 0.5, 1.0]]
    assert spanning_order(unknown)[0] != spanning_order(unknown)[2] and sorted(spanning_order(unknown)) == [0, 1, 2]
    assert spanning_order([[1.0]]) == [0]
