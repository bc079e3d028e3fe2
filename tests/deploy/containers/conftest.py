"""An engine for the package, and the image in it."""

from collections.abc import Iterator

import pytest

from tests.deploy.containers.engine import Engine, missing
from tests.deploy.containers.images import build_base, build_eventfold


@pytest.fixture(scope="package")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """With Eventfold's image, which takes some minutes."""
    if reason := missing():
        pytest.skip(reason)
    engine = Engine(tmp_path_factory.mktemp("containers"))
    with engine.running():
        build_base(engine)
        build_eventfold(engine)
        yield engine
