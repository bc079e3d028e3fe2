"""Which partition of a view a document belongs to."""

from zlib import crc32


def partition_of(key: str, partitions: int) -> int:
    """The partition (0 to partitions - 1) of the document with that key: the same in every process, for ever."""
    return crc32(key.encode("utf-8", "surrogatepass")) % partitions if partitions > 1 else 0
