"""Make the committed sample again: `python -m examples.retail.baskets.make_sample` (needs the extra `data`)."""

import gzip
import io
from collections.abc import Iterable
from pathlib import Path

import msgspec

from examples.retail.baskets.basket import Basket
from examples.retail.baskets.sample import SAMPLE_FILE, SAMPLE_SIZE
from examples.retail.baskets.whole_set import read_whole_set


def write_sample(baskets: Iterable[Basket], path: Path) -> None:
    """Write baskets as gzipped JSON lines; the same baskets give the same bytes."""
    encoder = msgspec.json.Encoder()
    content = io.BytesIO()
    # No file name and no time in the header: gzip would put both there.
    with gzip.GzipFile(filename="", fileobj=content, mode="wb", compresslevel=9, mtime=0) as lines:
        for basket in baskets:
            lines.write(encoder.encode(basket) + b"\n")
    path.write_bytes(content.getvalue())


if __name__ == "__main__":
    write_sample(read_whole_set(count=SAMPLE_SIZE), SAMPLE_FILE)
