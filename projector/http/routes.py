"""The projector's HTTP surface."""
from projector.engine import Engine
def routes(engine: Engine):
    return []
