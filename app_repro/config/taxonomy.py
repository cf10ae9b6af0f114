"""Tags of a run: what kind of pruning it is, in the terms of Cheng et al. 2023 (arXiv:2308.06767), from its settings.

The tags of a name stand beside the name, in methods.py and catalogue.py. Here they become those of a run, and the
tables that `app-repro methods` prints.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from app_repro.config import patterns
from app_repro.config.catalogue import CONTROLS, CRITERIA, ENGINES, GRANULARITIES, NETWORKS
from app_repro.config.methods import METHODS, MethodTags, prunes
from app_repro.config.protocols import PROTOCOLS

SCHEMA = 1
"""Version of what to_json gives."""

MEANING = {
    "granularity": "what is removed at a time: single weights (unstructured), some of each M, channels with their uses",
    "when": "when the mask is found, relative to training",
    "steps": "in how many steps it is found",
    "weights_scored": "the weights that are scored for the last mask",
    "recovery": "the weights that are trained after pruning; fine-tuned: those that were there",
    "mask": "the mask after the first pruning: nested, it lies in the one before; ANDed, it is cut with that one",
    "in_force": "from when on the weights outside the last mask are zero",
    "places": "how the kept places were chosen: by their scores, or at random (controls)",
    "budget": "what training is limited to: the epochs of the settings, or FLOPs",
    "allocation": "over what scores are ranked, all layers together (global) or each alone (local)",
    "family": "what the score measures",
    "data": "the data that the score needs; an image of ones counts as none",
    "labels": "whether the score needs labels",
    "rounds": "rounds of scoring until a density is reached",
    "derivative": "the highest derivative that the score takes",
    "universal_speedup": "whether any hardware gains from it, as from channels that are removed",
    "learned_mask": "whether the mask is trained",
    "fusion": "what it is joined with (quantisation, distillation, ...)",
    "at_inference": "whether the mask depends on the image",
}
"""Every tag of a run, and what it says."""

_ALIKE = {"learned_mask": "no", "fusion": "none", "at_inference": "static"}
"""Tags that all runs share, as nothing here differs in them."""

_IN_FORCE = {
    "before training": "from the start",
    "during training": "step by step",
    "after training": "from the last megabatch",
}

_SCORED = {"trained": "trained", "fresh": "random, drawn anew"}

_OF_METHODS = ("when", "steps", "weights_scored", "recovery", "mask", "in_force")
_OF_GRANULARITIES = ("granularity", "universal_speedup")
_OF_CRITERIA = ("family", "data", "labels", "rounds", "derivative")
_OF_CONTROLS = ("recovery", "mask", "in_force", "places", "budget")
"""The tags that depend on a method and its switches, on what is pruned as one, on a criterion, on a control arm."""


def tags(settings: Mapping[str, Any]) -> dict[str, str]:
    """The tags of a run with these settings (plain values named as in RunSpec), keys and order as in MEANING.

    A control arm has the tags of its source where they say how the mask was found. A run that never prunes has "none"
    for what concerns pruning alone.
    """
    if not prunes(settings["method"], settings["sb"]):
        never = {"when": "never", "budget": "epochs", "universal_speedup": "no"}
        return dict.fromkeys(MEANING, "none") | never | _ALIKE
    settings = {**settings, **_as_scored(settings)}
    found = _of_method(settings)
    scored = "random, initial" if found.weights_scored == "initial" else _SCORED[settings["scored_weights"]]
    shrinking = f"shrinking, {'ANDed' if settings['candidates'] == 'all' else 'nested'}"
    chosen, removed = CRITERIA[settings["criterion"]], GRANULARITIES[settings.get("granularity") or "weight"]
    return {
        "granularity": removed.removed,
        "when": found.when,
        "steps": found.steps,
        "weights_scored": scored,
        "recovery": found.recovery,
        "mask": shrinking if found.mask == "shrinking" else found.mask,
        "in_force": _IN_FORCE[found.when],
        "places": "as scored",
        "budget": "epochs",
        "allocation": settings["scope"],
        "family": chosen.family,
        "data": chosen.data,
        "labels": "yes" if chosen.labels else "no",
        "rounds": str(chosen.steps),
        "derivative": str(chosen.derivative),
        "universal_speedup": "yes" if removed.speedup else "no",
        **_ALIKE,
        **_of_groups(settings),
        **_of_control(settings.get("control")),
    }


def is_fixed_from_the_start(settings: Mapping[str, Any]) -> bool:
    """Whether a run with these settings has its final mask from the first step on; of a control arm, its source."""
    return tags(settings)["when"] == "before training"


def _of_method(settings: Mapping[str, Any]) -> MethodTags:
    """The method's tags; on a stream of one megabatch whatever prunes does so once, before training, as osp does.

    Under a flow to dense weights a mask that was made before training follows them, step by step, to the end.
    """
    found = METHODS["osp" if settings["sb"] == 1 else settings["method"]].tags
    is_moving = found.when == "before training" and patterns.is_live(settings.get("flow"))
    return replace(found, when="during training") if is_moving else found


def _as_scored(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What stands for the settings of scoring under a flow to dense weights, whose mask is made of |w| at each step."""
    is_moving = patterns.is_live(settings.get("flow"))
    return {"criterion": "magnitude", "scored_weights": "trained", "candidates": "all"} if is_moving else {}


def _of_groups(settings: Mapping[str, Any]) -> dict[str, str]:
    """What a run that keeps N of each M weights has of its own."""
    if settings.get("granularity") != "nm":
        return {}
    moving = {"weights_scored": "trained", "mask": "moving: weights come back"}
    return {
        "allocation": "each group of M alone",
        "rounds": "1",
        **(moving if patterns.is_live(settings.get("flow")) else {}),
    }


def _of_control(name: str | None) -> dict[str, str]:
    """What a control arm has in place of its source's tags."""
    if name is None:
        return {}
    arm = CONTROLS[name]
    weights = {"the source's initial": METHODS["osp"].tags.recovery, "drawn anew": "trained from weights drawn anew"}
    return {
        "recovery": weights[arm.weights],
        "mask": "fixed",
        "in_force": "from the start",
        "places": "as scored" if arm.mask == "the source's" else arm.mask,
        "budget": "epochs" if arm.budget == "epochs" else "FLOPs of the unpruned network",
    }


def tables() -> dict[str, list[dict[str, Any]]]:
    """For each registry its names, a row each with tags and a line about it, plain values.

    A method whose tags depend on the protocol has a row per protocol; controls are shown as those of an app run.
    """
    return {
        "methods": _methods(),
        "granularities": [
            {
                "name": name,
                **_some(_example(granularity=name), _OF_GRANULARITIES),
                "description": GRANULARITIES[name].description,
            }
            for name in GRANULARITIES
        ],
        "criteria": [
            {"name": name, **_some(_example(criterion=name), _OF_CRITERIA), "description": CRITERIA[name].description}
            for name in CRITERIA
        ],
        "controls": [
            {"name": name, **_some(_example(control=name), _OF_CONTROLS), "description": CONTROLS[name].description}
            for name in CONTROLS
        ],
        "networks": [_described(name, asdict(network)) for name, network in NETWORKS.items()],
        "engines": [_described(name, asdict(engine)) for name, engine in ENGINES.items()],
    }


def _methods() -> list[dict[str, Any]]:
    rows = []
    for name, method in METHODS.items():
        by_protocol = {
            protocol: _some(_example(method=name, **switches), _OF_METHODS) for protocol, switches in PROTOCOLS.items()
        }
        alike = len({tuple(found.values()) for found in by_protocol.values()}) == 1
        shown = {"both": by_protocol["paper"]} if alike else by_protocol
        description = f"{method.appearance.title}: {method.appearance.description}"
        rows += [
            {"name": name, "protocol": protocol, **found, "description": description}
            for protocol, found in shown.items()
        ]
    return rows


def _example(**changed: Any) -> dict[str, Any]:
    """Settings of an app run under the paper's protocol, some replaced: as many as tags depend on."""
    plain = {"method": "app", "sb": 8, "criterion": "snip", "scope": "global", "control": None}
    return plain | PROTOCOLS["paper"] | changed


def _some(settings: Mapping[str, Any], names: Sequence[str]) -> dict[str, str]:
    every = tags(settings)
    return {name: every[name] for name in names}


def _described(name: str, values: dict[str, Any]) -> dict[str, Any]:
    """The name first, its description last."""
    return {"name": name, **{key: value for key, value in values.items() if key != "description"}} | {
        "description": values["description"]
    }


def to_json() -> str:
    """Schema, what each tag says, and the tables."""
    return json.dumps({"schema": SCHEMA, "tags": MEANING, **tables()}, indent=1)


def to_text() -> str:
    """Every table under its title, then what each tag says."""
    parts = [f"{title.upper()}\n{to_table(title, 'simple')}" for title in tables()]
    width = max(map(len, MEANING))
    return "\n\n".join([*parts, "\n".join(f"{heading(name):{width}}  {text}" for name, text in MEANING.items())])


def to_table(name: str, form: str) -> str:
    """One of the tables, or "tags" for what each tag says, in a format of tabulate (github, simple)."""
    from tabulate import tabulate

    rows = tables()[name] if name != "tags" else [{"tag": heading(tag), "says": text} for tag, text in MEANING.items()]
    body = [[_shown(value, form) for value in row.values()] for row in rows]
    return tabulate(body, [heading(key) for key in rows[0]], tablefmt=form, disable_numparse=True)


def heading(name: str) -> str:
    """A tag's name as people read it."""
    return name.replace("_", " ")


def _shown(value: Any, form: str) -> str:
    text = {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
    return text.replace("|", "\\|") if form == "github" else text
