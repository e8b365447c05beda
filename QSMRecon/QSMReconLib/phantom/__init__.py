"""A numerical head with known truth, made from template maps that come with the software."""

from .bids import write_bids
from .head import Phantom, head

__all__ = ["Phantom", "head", "write_bids"]
