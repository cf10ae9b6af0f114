"""The studies that compare metrics of runs: protocols, criteria, control arms, granularities, patterns and flows."""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial

from app_repro.claims.contrasts import Contrast
from app_repro.claims.judgement import mean_of
from app_repro.claims.studies import controls
from app_repro.claims.studies.controls import Arms, Difference
from app_repro.claims.variance import Pool
from app_repro.config import catalogue
from app_repro.config.catalogue import CRITERIA
from app_repro.config.protocols import PROTOCOLS
from app_repro.records.settings import Group
from app_repro.report.findings.evidence import KINDS, Cell, Evidence
from app_repro.report.findings.sentences import (
    ACROSS,
    MEASURES,
    Comparison,
    Study,
    compare,
    comparison,
    signed,
    to_table,
    wrapped,
)

METHODS = ("app", "dense"), ("app", "osp"), ("osp", "dense")
M = 8
"""Length of the groups of the campaign's runs of N:M."""
FLOWS = ("ste", "srste", "mdgf_exp")


def protocols(evidence: Evidence) -> Study:
    """Each method against the others under both protocols, and under the released one against the paper's; APP under
    the released one against OSP that is as sparse as it ends.
    """
    cells = {
        (name, method): evidence.cell(method, "laptop-1", method=method, protocol=name)
        for name in PROTOCOLS
        for method in ("dense", "osp", "app")
    }
    compared = [
        compare(cells[name, one], cells[name, other], evidence.pool, name)
        for name in PROTOCOLS
        for one, other in METHODS
    ]
    for method in ("dense", "osp", "app"):
        sides = [replace(cells[name, method], name=f"{method} {name}") for name in ("released", "paper")]
        compared.append(compare(sides[0], sides[1], evidence.pool, measures=ACROSS))
    sparse = evidence.cell("osp at tau 17.5", "laptop-7")
    compared.append(compare(cells["released", "app"], sparse, evidence.pool, "released"))
    return Study(compared, after=_trained_twice(evidence, cells))


def _trained_twice(evidence: Evidence, cells: Mapping[tuple[str, str], Cell]) -> list[str]:
    """Differences of runs that were trained once more under other learning code, here and there, as means; and which of
    them have another sign. Nothing where no pair was.
    """
    earlier = {key: evidence.earlier(cell) for key, cell in cells.items()}
    rows, unlike = [], []
    for name, (one, other) in itertools.product(PROTOCOLS, METHODS):
        here, there = (compare(of[name, one], of[name, other], evidence.pool, name) for of in (cells, earlier))
        means = {
            measure: [mean_of(known.differences) for known in (here.differences[measure], found) if known]
            for measure, found in there.differences.items()
            if found
        }
        if means:
            texts = ["; ".join(signed(mean, MEASURES[measure]) for mean in pair) for measure, pair in means.items()]
            rows.append([here.name, *texts, str(there.seeds)])
            unlike += [
                f"{MEASURES[key].heading.partition(',')[0]} of {here.name}"
                for key, (a, b) in means.items()
                if a * b < 0
            ]
    if not rows:
        return []
    lead = "These runs were trained once more, under other learning code on another processor. Means here; there:"
    headings = ["difference", *(scale.heading for scale in MEASURES.values()), "n"]
    said = f"The sign is another one in: {'; '.join(unlike)}. Three seeds do not settle those, whatever their interval."
    return [lead, to_table(headings, rows), *([wrapped(said)] if unlike else [])]


def criteria(evidence: Evidence) -> Study:
    """Each other criterion against SNIP, and against random ranking."""
    cells = {"snip": evidence.cell("snip", "laptop-1", method="app", protocol="paper")}
    cells |= {name: evidence.cell(name, "laptop-2", criterion=name) for name in CRITERIA if name != "snip"}
    against = [("snip", name) for name in cells if name != "snip"]
    against += [(name, "random") for name in cells if name not in ("snip", "random")]
    return Study([compare(cells[one], cells[other], evidence.pool) for one, other in against])


def control_arms(evidence: Evidence) -> Study:
    """Differences between control arms and their source, of app's masks and of osp's."""
    return Study(list(_of_arms(evidence)), {name: MEASURES[name] for name in ("test_accuracy", "cer")})


def _of_arms(evidence: Evidence) -> Iterator[Comparison]:
    found = {arms.settings["method"]: arms for arms in controls.of_runs(evidence.runs)}
    for method in ("app", "osp"):
        for one in _differences(method):
            sides = [_arm(evidence, method, name) for name in (one.one, one.other)]
            differ = partial(_differ, found.get(method), one, evidence.pools.of_all)
            yield comparison(sides[0], sides[1], differ, f"masks of {method}", ("test_accuracy", "cer"))


def _differences(method: str) -> list[Difference]:
    """Each once; osp stands for its ticket."""
    wanted = [*controls.differences(method == "osp"), _AGAINST_SCRATCH, _BUDGET, _PLACES]
    return list({(one.one, one.other): one for one in wanted}.values())


def _differ(arms: Arms | None, one: Difference, pool: Pool, mine: Group, theirs: Group, name: str) -> Contrast:
    """The difference as the table of control arms has it; none where hindsight forbids to judge it."""
    known = arms.difference(one.one, one.other, name, pool) if arms and arms.is_judged(name) else None
    return known or Contrast((), None, ())


_PLACES = Difference(controls.SOURCE, "shuffle", "the places in a layer; of app also finding the mask on the way")
_AGAINST_SCRATCH = Difference(
    controls.SOURCE, "scratch-b", "the weights and the epochs; of app also finding the mask on the way"
)
_BUDGET = Difference("scratch-b", "scratch-e", "training for the FLOPs of the unpruned network")


def _arm(evidence: Evidence, method: str, name: str) -> Cell:
    if name == controls.SOURCE:
        return evidence.cell(method, "laptop-1", method=method, protocol="paper")
    return evidence.cell(name, "laptop-3", method=method, control=name)


def granularities(evidence: Evidence) -> Study:
    """Channels and N of each 8 against single weights at one density, and app against osp in each."""
    cells = {
        (kind, method): evidence.cell(
            KINDS[kind].format(m=M),
            "laptop-4",
            granularity=None if kind == "weight" else kind,
            method=method,
            nm_n=None,
        )
        for kind in ("weight", "nm", "channel")
        for method in ("osp", "app")
    }
    compared = [
        compare(cells[kind, method], cells["weight", method], evidence.pool, method)
        for method in ("app", "osp")
        for kind in ("nm", "channel")
    ]
    for kind in ("weight", "nm", "channel"):
        sides = [replace(cells[kind, method], name=method) for method in ("app", "osp")]
        compared.append(compare(sides[0], sides[1], evidence.pool, KINDS[kind].format(m=M)))
    return Study(compared)


def flows(evidence: Evidence) -> Study:
    """1:8 with each flow against none, and the gradient that fades against SR-STE; on digits the same at 1:16, and step
    by step against at once.
    """
    cells = {
        name: evidence.cell(f"flow {name}", "laptop-4", granularity="nm", nm_n=1, flow=name)
        for name in ("none", *FLOWS)
    }
    pairs = [*((name, "none") for name in FLOWS), ("mdgf_exp", "srste")]
    compared = [compare(cells[one], cells[other], evidence.pool, "1:8") for one, other in pairs]
    return Study([*compared, *_of_digits(evidence)])


def _of_digits(evidence: Evidence) -> Iterator[Comparison]:
    """At 1:16 each flow against none, the gradient that fades against SR-STE, and app against osp under each flow."""
    cells = {
        (method, flow): evidence.cell(f"flow {flow}", "laptop-8", method=method, nm_m=16, flow=flow)
        for method in ("app", "osp")
        for flow in catalogue.FLOWS
    }
    for one, other in (*((flow, "none") for flow in catalogue.FLOWS if flow != "none"), ("mdgf_exp", "srste")):
        yield compare(cells["app", one], cells["app", other], evidence.pool, "1:16, digits")
    for flow in catalogue.FLOWS:
        app, osp = (replace(cells[method, flow], name=method) for method in ("app", "osp"))
        yield compare(app, osp, evidence.pool, f"1:16, flow {flow}, digits")
