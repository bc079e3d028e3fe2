"""The picture of a trace: every span once, below its parent, with what is not shown left out."""

from msgspec.structs import replace

from tests.support.otlp_receiver import ReceivedSpan
from tests.support.trace_picture import picture

SPAN = ReceivedSpan("eventfold-a", "GET /<x>", "SERVER", "t", "1", "client", (), False, 0, 4_000_000, {}, {})


def test_each_span_is_a_bar_below_its_parent() -> None:
    part = replace(SPAN, id="2", parent="1", name="find x", start=1_000_000, end=2_500_000)
    below = replace(part, id="3", parent="2", name="below")
    drawn = picture([below, part, SPAN], "A <trace>", lambda span: span.name != "below")
    assert drawn.index("GET /&lt;x&gt;") < drawn.index("find x")
    assert "1.5 ms" in drawn
    assert "below" not in drawn
    assert "<trace>" not in drawn
