"""The shape in which the tests start services: `pytest --shape single-process`, or the variable SHAPE."""

import os
from enum import StrEnum

VARIABLE = "SHAPE"


class Shape(StrEnum):
    """A process for each service; or one for all that a test starts together, and then what is started alone is
    composed as a whole of one part."""

    MANY = "many-processes"
    SINGLE = "single-process"


def chosen_shape() -> Shape:
    """What the run of the tests is for."""
    return Shape(os.environ.get(VARIABLE, Shape.MANY))
