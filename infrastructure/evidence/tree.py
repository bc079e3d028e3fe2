"""The Merkle tree over the log's events (RFC 9162): grown at its right edge, read from its tiles."""

from collections.abc import Iterator, Sequence
from functools import lru_cache

from infrastructure.evidence.tiles import WIDTH, Tiles
from infrastructure.evidence.verifier import Entry, NotProven, leaf_hash, node_hash

_TILE_HEIGHT = 8
_EMPTY_ROOT = bytes.fromhex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
_CACHED_TILES = 512


def full_root(hashes: Sequence[bytes]) -> bytes:
    """The root of a complete subtree over 2^n hashes."""
    while len(hashes) > 1:
        hashes = [node_hash(hashes[at], hashes[at + 1]) for at in range(0, len(hashes), 2)]
    return hashes[0]


class Edge:
    """The right edge of a growing tree, which its root follows from. `levels` are the hashes of each level's last tile,
    as long as that is not full. Memory grows with the tree's height alone."""

    def __init__(self, levels: Sequence[Sequence[bytes]] = (), size: int = 0) -> None:
        self.levels = [list(hashes) for hashes in levels]
        self.size = size

    def add(self, leaf: bytes) -> Iterator[tuple[int, int, list[bytes]]]:
        """Adds a leaf's hash; yields the tiles that it fills, each with its level and index."""
        self.size += 1
        level, complete = 0, leaf
        while True:
            if level == len(self.levels):
                self.levels.append([])
            hashes = self.levels[level]
            hashes.append(complete)
            if len(hashes) < WIDTH:
                return
            yield level, (self.size >> (_TILE_HEIGHT * (level + 1))) - 1, hashes
            self.levels[level], complete = [], full_root(hashes)
            level += 1

    def root(self) -> bytes:
        """The root of the tree as it is now."""
        root: bytes | None = None
        for hashes in self.levels:
            left = len(hashes)
            while left:
                width = left & -left
                subtree = full_root(hashes[left - width : left])
                root = subtree if root is None else node_hash(subtree, root)
                left -= width
        return _EMPTY_ROOT if root is None else root


class Tree:
    """The tree of `size` leaves that the tiles hold. Every method raises NotProven where they do not hold it."""

    def __init__(self, tiles: Tiles, size: int) -> None:
        self.size = size
        self._tiles = tiles
        self._hashes = lru_cache(_CACHED_TILES)(self._read_hashes)
        self._bundle = lru_cache(_CACHED_TILES)(self._read_bundle)

    def edge(self) -> Edge:
        """Where the tree goes on."""
        levels = []
        level = 0
        while count := self.size >> (_TILE_HEIGHT * level):
            width = count % WIDTH
            levels.append(self._tiles.hashes(level, count // WIDTH, width) if width else [])
            level += 1
        return Edge(levels, self.size)

    def entry(self, leaf: int) -> Entry:
        """The entry of a leaf."""
        return self._bundle(leaf // WIDTH)[leaf % WIDTH]

    def entries(self, first: int = 0) -> Iterator[Entry]:
        """Every entry from a leaf on, in order."""
        for leaf in range(first, self.size):
            yield self.entry(leaf)

    def leaf_at(self, position: int) -> int:
        """The first leaf whose event stands at the position or after it; `size` when none does."""
        low, high = 0, self.size
        while low < high:
            middle = (low + high) // 2
            if self.entry(middle).position < position:
                low = middle + 1
            else:
                high = middle
        return low

    def path(self, leaf: int) -> list[bytes]:
        """The inclusion path of a leaf (RFC 9162, 2.1.3.1)."""
        path = []
        low, high = 0, self.size
        while high - low > 1:
            middle = low + _largest_power_below(high - low)
            if leaf < middle:
                path.append(self._root(middle, high))
                high = middle
            else:
                path.append(self._root(low, middle))
                low = middle
        return path[::-1]

    def _root(self, low: int, high: int) -> bytes:
        count = high - low
        if count & (count - 1) == 0:
            level = (count.bit_length() - 1) // _TILE_HEIGHT
            first, width = low >> (_TILE_HEIGHT * level), count >> (_TILE_HEIGHT * level)
            return full_root(self._hashes(level, first // WIDTH)[first % WIDTH : first % WIDTH + width])
        middle = low + _largest_power_below(count)
        return node_hash(self._root(low, middle), self._root(middle, high))

    def _read_hashes(self, level: int, index: int) -> list[bytes]:
        count = self.size >> (_TILE_HEIGHT * level)
        return self._tiles.hashes(level, index, min(WIDTH, count - index * WIDTH))

    def _read_bundle(self, index: int) -> list[Entry]:
        raw = self._tiles.entries(index, min(WIDTH, self.size - index * WIDTH))
        try:
            return [Entry.decode(entry) for entry in raw]
        except ValueError as error:
            raise NotProven(f"the entries from leaf {index * WIDTH} on are damaged: {error}") from error


class TreeWriter:
    """Extends the tree in a folder. What is added counts once a checkpoint is written."""

    def __init__(self, tiles: Tiles, size: int) -> None:
        self.before = Tree(tiles, size)
        self.edge = self.before.edge()
        self._tiles = tiles
        partial = size % WIDTH
        self._entries = [entry.encode() for entry in self.before.entries(size - partial)]

    def add(self, entry: Entry) -> None:
        """The next leaf."""
        encoded = entry.encode()
        self._entries.append(encoded)
        for level, index, hashes in self.edge.add(leaf_hash(encoded)):
            self._tiles.write_hashes(level, index, hashes)
            if level == 0:
                self._tiles.write_entries(index, self._entries)
                self._entries = []

    def flush(self) -> None:
        """Writes the tiles that are not full."""
        for level, hashes in enumerate(self.edge.levels):
            if hashes:
                self._tiles.write_hashes(level, self.edge.size >> (_TILE_HEIGHT * (level + 1)), hashes)
        if self._entries:
            self._tiles.write_entries(self.edge.size // WIDTH, self._entries)

    def clean_up(self) -> None:
        """Removes the partial tiles of the tree before, once a checkpoint of the larger one stands."""
        size, level = self.before.size, 0
        if size == self.edge.size:
            return
        while count := size >> (_TILE_HEIGHT * level):
            if (width := count % WIDTH) and count != self.edge.size >> (_TILE_HEIGHT * level):
                self._tiles.remove_partial(level, count // WIDTH, width)
                if level == 0:
                    self._tiles.remove_partial("entries", count // WIDTH, width)
            level += 1


def _largest_power_below(count: int) -> int:
    return int(1 << (count - 1).bit_length() - 1)
