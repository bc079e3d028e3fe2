"""The tree against RFC 9162: known roots, its recursive definition, and the folder that holds it."""

import contextlib
import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infrastructure.evidence.tiles import Tiles
from infrastructure.evidence.tree import Edge, Tree, TreeWriter
from infrastructure.evidence.verifier import Entry, NotProven, leaf_hash, node_hash, root_from_path

# The leaves and roots of the reference implementation of RFC 6962 (certificate-transparency, merkle_tree_test.cc).
LEAVES = [
    bytes.fromhex(leaf)
    for leaf in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def entry(number: int) -> Entry:
    return Entry(100 * number, number, f"id-{number}", hashlib.sha256(b"%d" % number).digest(), "lamp-l 1")


def naive_root(leaves: list[bytes]) -> bytes:
    """RFC 9162, 2.1.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    middle = 1
    while middle * 2 < len(leaves):
        middle *= 2
    return node_hash(naive_root(leaves[:middle]), naive_root(leaves[middle:]))


def test_the_roots_of_the_reference_implementation() -> None:
    edge = Edge()
    assert edge.root() == hashlib.sha256(b"").digest()
    for leaf, root in zip(LEAVES, ROOTS, strict=True):
        list(edge.add(leaf_hash(leaf)))
        assert edge.root().hex() == root


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 700), min_size=1, max_size=4), st.data())
def test_grown_in_any_steps_it_is_the_tree_of_the_definition(tmp_path_factory, steps: list[int], data) -> None:
    tiles, size = Tiles(tmp_path_factory.mktemp("tree")), 0
    for step in steps:
        writer = TreeWriter(tiles, size)
        for number in range(size, size + step):
            writer.add(entry(number))
        writer.flush()
        writer.clean_up()
        size += step
    leaves = [leaf_hash(entry(number).encode()) for number in range(size)]
    root = naive_root(leaves)
    tree = Tree(tiles, size)
    assert writer.edge.root() == tree.edge().root() == root
    assert list(tree.entries()) == [entry(number) for number in range(size)]
    leaf = data.draw(st.integers(0, size - 1))
    path = tree.path(leaf)
    assert root_from_path(leaves[leaf], leaf, size, path) == root
    assert tree.leaf_at(entry(leaf).position) == tree.leaf_at(entry(leaf).position - 1) == leaf
    older = data.draw(st.integers(1, size))
    assert Tree(tiles, older).edge().root() == naive_root(leaves[:older])


def test_a_tree_of_three_levels_and_what_its_folder_looks_like(tmp_path) -> None:
    tiles, size = Tiles(tmp_path), 256 * 256 + 300
    writer = TreeWriter(tiles, 0)
    for number in range(size):
        writer.add(entry(number))
    writer.flush()
    tree = Tree(tiles, size)
    root = tree.edge().root()
    for leaf in (0, 65_535, 65_536, size - 1):
        assert root_from_path(leaf_hash(entry(leaf).encode()), leaf, size, tree.path(leaf)) == root
    assert (tmp_path / "tile/0/000").stat().st_size == 8192
    assert (tmp_path / "tile/0/257.p/44").stat().st_size == 44 * 32
    assert (tmp_path / "tile/1/001.p/1").exists()
    assert (tmp_path / "tile/2/000.p/1").exists()
    assert (tmp_path / "tile/entries/257.p/44").exists()
    assert tiles._path(0, 1234067, 256) == tmp_path / "tile/0/x001/x234/067"


@settings(deadline=None)
@given(st.integers(1, 40), st.data())
def test_no_other_leaf_place_or_path_leads_to_the_root(tmp_path_factory, size: int, data) -> None:
    tiles = Tiles(tmp_path_factory.mktemp("tree"))
    writer = TreeWriter(tiles, 0)
    for number in range(size):
        writer.add(entry(number))
    writer.flush()
    tree = Tree(tiles, size)
    leaf, other = data.draw(st.integers(0, size - 1)), data.draw(st.integers(0, size + 3))
    path = tree.path(leaf)
    changed = data.draw(st.sampled_from(["leaf", "place", *(["short", "wrong"] if path else []), "long"]))
    right = leaf_hash(entry(leaf).encode())
    wrong = {
        "leaf": (leaf_hash(b"other"), leaf, path),
        "place": (right, other, path),
        "short": (right, leaf, path[:-1]),
        "wrong": (right, leaf, [*path[:-1], bytes(32)]),
        "long": (right, leaf, [*path, bytes(32)]),
    }[changed]
    if wrong == (right, leaf, path):
        return
    with contextlib.suppress(NotProven):
        assert root_from_path(wrong[0], wrong[1], size, wrong[2]) != tree.edge().root()


def test_a_folder_that_lacks_something_says_what(tmp_path) -> None:
    tiles = Tiles(tmp_path)
    writer = TreeWriter(tiles, 0)
    for number in range(300):
        writer.add(entry(number))
    writer.flush()
    (tmp_path / "tile/entries/000").write_bytes(b"\x00\x03abc")
    with pytest.raises(NotProven, match="entries/000"):
        Tree(tiles, 300).entry(5)
    (tmp_path / "tile/0/001.p/44").unlink()
    with pytest.raises(NotProven, match="44"):
        Tree(tiles, 300).edge()
