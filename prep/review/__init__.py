"""`prep review`: the rows that were left out, on a local page where a person repairs them."""

from prep.review.desk import Desk
from prep.review.server import serve

__all__ = ["Desk", "serve"]
