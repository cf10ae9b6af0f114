"""Which runs the claims need, and which claims a set of runs can decide."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypedDict

from app_repro.claims import claims_file
from app_repro.claims.statement import Claim, listed, protocols, side_settings
from app_repro.config import laptop
from app_repro.config.grid import Params, parse
from app_repro.config.methods import prunes
from app_repro.config.spec import RunSpec
from app_repro.core.errors import ParamsError
from app_repro.data.sets import SETS
from app_repro.records import record, settings
from app_repro.records.content import Record
from app_repro.records.stores import sources


def grid(claims: Sequence[Claim], claim_id: str) -> Params:
    """The grid that one of the claims needs. Raises ClaimsError for an unknown id."""
    (claim,) = claims_file.select(claims, [claim_id])
    return replace(claim.grid, specs=tuple(spec for spec in claim.grid.specs if not _is_known(claim, spec)))


def small_grid(claims: Sequence[Claim], claim_id: str) -> tuple[Params, str]:
    """The grid of a stand-in for a laptop, and what is to be said of it: the claim's sides in the small cell
    (config/laptop.py), all else as it says; its own grid where that is as small.

    What a stand-in gives is nearest to the claim (elsewhere.py) and decides nothing. Raises ClaimsError for an unknown
    id.
    """
    (claim,) = claims_file.select(claims, [claim_id])
    own = grid(claims, claim_id)
    cell = claim.raw | laptop.cell(max(listed(claim.raw["sb"])))
    small = parse(cell | {"variants": [side_settings(side) for side in claim.sides]}, f"{claim_id}, small")
    small = replace(small, specs=tuple(spec for spec in small.specs if not _is_known(claim, spec)))
    if set(small.specs) == set(own.specs) or _is_embedded(claim):
        return own, f"the runs of {claim_id} itself: they are as small as a stand-in"
    return small, f"stand-ins for {claim_id}: `app-repro verify` shows what they measure elsewhere, which is no verdict"


def _is_embedded(claim: Claim) -> bool:
    """Whether its data sets come with the project, which no stand-in is smaller than."""
    return all(name in SETS and SETS[name].embedded for name in listed(claim.raw["dataset"]))


def specs(claim: Claim, protocol: str) -> list[RunSpec]:
    """Every run that the claim needs under a protocol. Their data digests are empty: no data set is asked for."""
    needed = [spec for spec in claim.grid.specs if not _is_known(claim, spec)]
    return [spec for spec in needed if claim.names_protocols or spec.protocol[0] == protocol]


def _is_known(claim: Claim, spec: RunSpec) -> bool:
    """Whether it is a run of a side whose value is known without one; a claim is about other sides, too."""
    return bool(claim.known_sides) and not prunes(spec.method, spec.sb)


def by_protocol(claims: Sequence[Claim]) -> list[tuple[str, str, list[RunSpec]]]:
    """(id of the claim, protocol, the runs that it needs under it) for each claim that takes training, and protocol."""
    trained = [claim for claim in claims if not claim.is_of_first_masks]
    return [(claim.id, protocol, specs(claim, protocol)) for claim in trained for protocol in protocols(claim)]


def first_masks(claims: Sequence[Claim], claim_id: str) -> Params:
    """The grid whose masks before megabatch 1 one of the claims is about.

    Raises ClaimsError for an unknown id, ParamsError for a claim that takes training.
    """
    (claim,) = claims_file.select(claims, [claim_id])
    if not is_of_first_masks(claims, claim_id):
        others = ", ".join(one.id for one in claims if one.is_of_first_masks) or "none"
        what = f"takes training, as `app-repro plan --claim {claim_id}` says; about first masks alone: {others}"
        raise ParamsError(f"--claim {claim_id}: {what}", key=claim_id, kind="training")
    return claim.grid


def is_of_first_masks(claims: Sequence[Claim], claim_id: str) -> bool:
    """Whether one of the claims needs no training, but masks before megabatch 1 alone. Raises ClaimsError."""
    return claims_file.select(claims, [claim_id])[0].is_of_first_masks


class Decidable(TypedDict):
    """A claim that a grid can decide under a protocol."""

    id: str
    protocol: str
    runs: int
    """Runs that it needs."""
    finished: int
    """Those that have ended already."""


def decidable(claims: Sequence[Claim], planned: Sequence[RunSpec], records: Sequence[Record]) -> list[Decidable]:
    """Claims whose every run is planned or finished, at least one planned.

    records: finished runs; those of other learning code count only where it was accepted as equal.
    """
    stale = sources.stale_ids(records)
    valid = [content for content in records if content["run_id"] not in stale]
    trained = [(RunSpec.model_validate(content["spec"]), content) for content in valid]
    finished = {
        settings.planned_key(spec)
        for spec, content in trained
        if record.code_digest(spec) in (content["code_digest"], *content["accepted_code"])
    }
    in_grid = {settings.planned_key(spec) for spec in planned}
    rows: list[Decidable] = []
    for claim_id, protocol, of_claim in by_protocol(claims):
        needed = {settings.planned_key(spec) for spec in of_claim}
        if needed <= in_grid | finished and needed & in_grid:
            counts = len(needed), len(needed & finished)
            rows.append({"id": claim_id, "protocol": protocol, "runs": counts[0], "finished": counts[1]})
    return rows
