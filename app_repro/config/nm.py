"""The settings of N:M sparsity: which of them apply to a run, their defaults, and which do not go together."""

from collections.abc import Callable, Mapping
from typing import Any

from app_repro.config.catalogue import FLOWS
from app_repro.config.patterns import is_live, is_power_of_two
from app_repro.config.protocols import OF_GROUPS
from app_repro.core.errors import ParamsError

LAMBDA = 2e-4
"""srste_lambda as in the public code of SR-STE, which cannot take another."""

_SCORING = ("criterion", "score_fraction", "scored_weights", "candidates", "score_sample")
"""Settings of a mask that is made of scores; under a flow it is made of the weights at each step."""

Refuse = Callable[[str, str], ParamsError]
"""(key, what is wrong with it) -> the error to raise"""


def not_needed(fields: Mapping[str, Any]) -> tuple[str, ...]:
    """Settings of other runs that prune which do not apply to a run of N:M, whose own settings have been resolved."""
    if fields["granularity"] != "nm":
        return ()
    scoring = _SCORING if is_live(fields["flow"]) else ()
    # each group ranks its own weights, so there is no scope; N is given, or follows tau
    return ("scope", *(["tau"] if fields["nm_n"] else []), *scoring)


def resolve(fields: Mapping[str, Any], refuse: Refuse) -> dict[str, Any]:
    """The settings OF_GROUPS of a run that prunes: defaults filled in, None where one does not apply.

    fields: every setting, switches from the protocol included. Raises what `refuse` makes of settings that do not go
    together.
    """
    if fields["granularity"] != "nm":
        return dict.fromkeys(OF_GROUPS)
    m, n = fields["nm_m"], fields["nm_n"]
    if m is None:
        raise refuse("nm_m", "null is not allowed with granularity 'nm': the length of a group, as 4 in 2:4")
    if n is None and fields["tau"] is None:
        raise refuse("nm_n", "null is not allowed where tau is null: N is given, or follows tau")
    if n is not None and n >= m:
        raise refuse("nm_n", f"{n} of each nm_m {m} leaves nothing to prune; at most {m - 1}{as_read(n)}")
    flow = fields["flow"] or "none"
    if is_live(flow) and fields["criterion"] is not None:
        what = f"{fields['criterion']!r} is given, and under flow {flow!r} the mask follows the weights, nothing is "
        raise refuse("criterion", f"{what}scored; set criterion: null beside it, or flow: none")
    is_soft = FLOWS[flow].rate is not None
    return {
        "nm_m": m,
        "nm_n": n,
        "nm_schedule": _schedule(fields, flow, refuse),
        "flow": flow,
        "flow_rate": (fields["flow_rate"] or FLOWS[flow].rate) if is_soft else None,
        "flow_gradient": (fields["flow_gradient"] or "damped") if is_soft else None,
        "srste_lambda": (LAMBDA if (given := fields["srste_lambda"]) is None else given) if flow == "srste" else None,
    }


def _schedule(fields: Mapping[str, Any], flow: str, refuse: Refuse) -> str | None:
    m, n, given = fields["nm_m"], fields["nm_n"], fields["nm_schedule"]
    if fields["method"] != "app":
        return None
    if n is None:
        if given:
            raise refuse("nm_n", f"null is not allowed with nm_schedule {given!r}, which leads to N of each nm_m {m}")
        return None
    schedule = given or "stepwise"
    if schedule == "stepwise" and not is_power_of_two(m / n):
        what = f"'stepwise' halves what is kept of {m}, and {m} / {n} (nm_m / nm_n) is no power of two"
        beside = "" if is_live(flow) or fields["candidates"] == "all" else " and candidates: all"
        raise refuse("nm_schedule", f"{what}; change one of them, or set nm_schedule: geometric{beside}")
    if schedule == "geometric" and not is_live(flow) and fields["candidates"] == "kept":
        what = "'kept' and nm_schedule 'geometric' do not go together: masks of shorter groups, nested in those of "
        raise refuse("candidates", f"{what}longer ones, could leave groups empty; set candidates: all, or a flow")
    return schedule


def as_read(value: int) -> str:
    """A remark on a number that an unquoted N:M is read as where YAML counts in sixties: 124 for 2:4."""
    n, m = divmod(value, 60)
    return f"; an unquoted {n}:{m} is {value} in YAML 1.1: write nm_n: {n} and nm_m: {m}" if 0 < n < m else ""
