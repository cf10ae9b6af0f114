"""The two protocols: APP as the paper describes it and as the released code runs it, switch by switch."""

import functools
from collections.abc import Mapping
from typing import Any

PROTOCOLS: dict[str, dict[str, str | bool]] = {
    "paper": {
        "scored_weights": "trained",
        "candidates": "kept",
        "score_sample": "replay",
        "validation_images": "clean",
        "order": "permuted",
        "lr_restart": True,
    },
    "released": {
        "scored_weights": "fresh",
        "candidates": "all",
        "score_sample": "head",
        "validation_images": "augmented",
        "order": "file",
        "lr_restart": True,
    },
}
"""Protocol -> switch -> value, with equal switches in equal order; MEANING explains them."""

SWITCHES = tuple(PROTOCOLS["paper"])

MEANING = {
    "scored_weights": "the weights that are scored: as trained, or convolutions drawn anew from megabatch 2 on",
    "candidates": "who competes for the new mask: weights kept so far, or all (then ANDed with the old mask)",
    "score_sample": "images scored: drawn from all that is replayed, or the stream's first ones, augmented",
    "validation_images": "how the epoch to keep is chosen: on clean or on augmented images",
    "order": "the stream's order: permuted, or as in the file; the same stream for every seed",
    "lr_restart": "learning rate starts again at each megabatch; the first public version did not: false",
}
"""What each switch decides, in a sentence."""

OF_PRUNING = ("tau", "criterion", "scope", "score_fraction", "scored_weights", "candidates", "score_sample")
"""Settings of every run that prunes single weights."""

OF_GROUPS = ("nm_m", "nm_n", "nm_schedule", "flow", "flow_rate", "flow_gradient", "srste_lambda")
"""Settings of runs that keep N of each M weights alone."""

PRUNING_ONLY = (*OF_PRUNING, "granularity", *OF_GROUPS)
"""Settings that cannot change a run that never prunes: null in its spec, so that equal runs have equal ids."""


def nearest_protocol(settings: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The protocol that `settings` (switch -> value) is nearest to, and the switches whose values depart from it.

    On a tie it is the first of PROTOCOLS. A switch that is None does not apply and departs from neither.
    """
    name, changed = _nearest(tuple(settings[key] for key in SWITCHES))
    return name, {key: settings[key] for key in changed}


@functools.cache  # asked for each side of each claim and each run that it needs, of few protocols
def _nearest(values: tuple[Any, ...]) -> tuple[str, tuple[str, ...]]:
    """The same for values in the order of SWITCHES; the switches by name."""
    given = dict(zip(SWITCHES, values, strict=True))
    changed = {
        name: tuple(key for key, value in switches.items() if given[key] not in (None, value))
        for name, switches in PROTOCOLS.items()
    }
    name = min(PROTOCOLS, key=lambda candidate: len(changed[candidate]))
    return name, changed[name]


def protocol_title(name: str, switches_changed: Mapping[str, Any]) -> str:
    """A protocol's name, and the switches that depart from it: `paper`, `released, order=permuted`."""
    return ", ".join([name, *(f"{key}={value}" for key, value in sorted(switches_changed.items()))])


def stream_title(name: str, switches_changed: Mapping[str, Any]) -> str:
    """The same without switches that concern pruning alone, which a dense run does not have.

    Runs whose stream titles are equal saw the same images in the same order.
    """
    return protocol_title(name, {key: value for key, value in switches_changed.items() if key not in PRUNING_ONLY})
