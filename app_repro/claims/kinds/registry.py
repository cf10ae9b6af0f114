"""Every kind of claim by the name that the claims file gives it."""

from app_repro.claims.kinds.closer import CLOSER
from app_repro.claims.kinds.difference import DIFFERENCE
from app_repro.claims.kinds.kind import Kind
from app_repro.claims.kinds.layers import LAYER_ORDERING
from app_repro.claims.kinds.ordering import ORDERING
from app_repro.claims.kinds.shape import SHAPE
from app_repro.claims.kinds.value import RATIO, UPPER_BOUND, VALUE

KINDS: dict[str, Kind] = {
    "value": VALUE,
    "difference": DIFFERENCE,
    "ratio": RATIO,
    "upper_bound": UPPER_BOUND,
    "ordering": ORDERING,
    "closer": CLOSER,
    "shape": SHAPE,
    "layer_ordering": LAYER_ORDERING,
}
