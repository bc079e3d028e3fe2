"""The committed sample: the first 1,000 baskets of the whole set, read with the standard library."""

import gzip
from collections.abc import Iterator
from pathlib import Path

import msgspec

from examples.retail.baskets.basket import Basket

SAMPLE_FILE = Path(__file__).parents[1] / "data" / "baskets-sample.jsonl.gz"
SAMPLE_SIZE = 1_000


def read_sample(path: Path = SAMPLE_FILE) -> Iterator[Basket]:
    """The baskets in order of their first appearance in the source."""
    decoder = msgspec.json.Decoder(Basket)
    with gzip.open(path, "rb") as lines:
        for line in lines:
            yield decoder.decode(line)
