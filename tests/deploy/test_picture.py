"""A panel drawn as SVG."""

import xml.etree.ElementTree as ElementTree

import pytest

from deploy.grafana.boards.commands import COMMANDS
from deploy.grafana.picture import Line, Point, svg

PANEL = COMMANDS.panels[1]
SVG = "{http://www.w3.org/2000/svg}"


def test_lines_and_points_are_drawn_inside_the_picture():
    lines = [Line("p50 <all>", [(0, 0.002), (10, 0.004)]), Line("p99", [(0, 0.0), (10, 0.019)])]
    points = [Point(5, 0.02, "a" * 32), Point(5.01, 0.01, "c" * 32), Point(99, 0.01, "b" * 32)]
    picture = ElementTree.fromstring(svg(PANEL, lines, points))
    drawn = [
        tuple(map(float, pair.split(",")))
        for line in picture.iter(f"{SVG}polyline")
        for pair in line.attrib["points"].split()
    ]
    assert len(drawn) == 4
    assert all(64 <= x <= 744 and 44 <= y <= 258 for x, y in drawn)
    (circle,) = picture.iter(f"{SVG}circle")
    assert circle[0].text == f"trace {'a' * 32}", "of the same moment the largest; the last one is not of these times"
    texts = [text.text for text in picture.iter(f"{SVG}text")]
    assert {PANEL.title, "p50 <all>", "p99", "20 ms", "10 s"} <= set(texts)


def test_a_picture_of_nothing_is_none():
    with pytest.raises(ValueError, match="Prometheus holds nothing of"):
        svg(PANEL, [], [])
