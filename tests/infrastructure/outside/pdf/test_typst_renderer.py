"""PDF documents by typst: the same values give the same bytes, and what can't be written is refused by its name."""

from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from infrastructure.outside.pdf import DocumentTemplate, RenderFailed
from infrastructure.outside.pdf.typst_renderer import TypstRenderer

pytestmark = pytest.mark.skipif(find_spec("typst") is None, reason="needs typst: pip install 'eventfold[documents]'")

AT = datetime(2026, 3, 14, 12, tzinfo=UTC)
SOURCE = """
#let c = json(bytes(sys.inputs.values))
#let extra = json(bytes(sys.inputs.fonts)).filter(it => it.starts-with("Noto"))
#set text(font: ("Libertinus Serif", ..extra))
#text(c.at("name")) #c.at("lines", default: ()).join(", ")
"""
TEMPLATE = DocumentTemplate("letter", 3, SOURCE)


async def rendered(values: Any, template: DocumentTemplate = TEMPLATE) -> bytes:
    """By a renderer of its own, as another process would."""
    return await TypstRenderer().render(template, values, AT)


async def test_the_same_values_give_the_same_bytes_and_others_give_others() -> None:
    first = await rendered({"name": "Ada", "lines": ["tea"]})
    assert first.startswith(b"%PDF-1.7")
    assert first == await rendered({"lines": ["tea"], "name": "Ada"})
    assert first != await rendered({"name": "Ada", "lines": ["coffee"]})
    assert first != await TypstRenderer().render(TEMPLATE, {"name": "Ada", "lines": ["tea"]}, AT.replace(year=2027))


@pytest.mark.parametrize("name", ["Łukasz Ōe Ñandú", "Ωμέγα", "Юрий", "محمد علي", "יוסף", "علی\u200cرضا"])
async def test_names_in_the_scripts_that_come_along(name: str) -> None:
    assert (await rendered({"name": name})).startswith(b"%PDF")


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({}, "letter, version 3: the value name is missing"),
        ({"name": "a\x00b"}, "/name has characters that don't show"),
        ({"name": "\u202ednuoraW"}, "/name has characters that don't show"),
        ({"name": "Ada", "lines": ["tea", "\x1b[2J"]}, "/lines/1 has characters that don't show"),
        ({"name": "李小龍"}, "no font has U\\+674E CJK UNIFIED IDEOGRAPH-674E: EVENTFOLD_DOCUMENT_FONTS"),
        ({"name": "👍"}, "no font has U\\+1F44D THUMBS UP SIGN"),
    ],
)
async def test_what_cannot_be_written_is_named(values: Any, why: str) -> None:
    with pytest.raises(RenderFailed, match=why):
        await rendered(values)


async def test_a_template_that_is_none() -> None:
    with pytest.raises(RenderFailed, match="letter, version 1: "):
        await rendered({}, DocumentTemplate("letter", 1, "#let x = ("))


async def test_values_are_no_markup_and_no_code() -> None:
    plain = await rendered({"name": '#panic("x") *bold* $x$ @ref'})
    assert plain.startswith(b"%PDF")


async def test_a_template_reads_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    with pytest.raises(RenderFailed):
        await rendered({}, DocumentTemplate("letter", 1, f'#read("{tmp_path}/secret.txt")'))


async def test_further_scripts_come_from_a_folder(tmp_path: Path) -> None:
    thai = pytest.importorskip("fontpkg_noto_sans_thai", reason="needs fontpkg-noto-sans-thai, of the extra `dev`")
    fonts = Path(thai.__file__).parent / "files"
    with pytest.raises(RenderFailed, match="no font has U\\+0E2A THAI CHARACTER SO SUA"):
        await rendered({"name": "สมชาย"})
    made = await TypstRenderer(fonts).render(TEMPLATE, {"name": "สมชาย"}, AT)
    assert made.startswith(b"%PDF")
    with pytest.raises(RenderFailed, match="there is no folder"):
        TypstRenderer(tmp_path / "nowhere")
