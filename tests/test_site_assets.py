"""What the build makes of formulas and fonts: HTML without a script, and characters that the site shows."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from docutils import nodes
from fontTools.ttLib import TTFont

from mtfl.sphinx_ext import fonts, mathematics, search, share_glyphs
from mtfl.sphinx_ext.mathematics import Typesetter, lines_of, package_folder


@pytest.fixture(scope="module")
def typesetter() -> Iterator[Typesetter]:
    typesetter = Typesetter()
    yield typesetter
    typesetter.close()


def test_a_formula_carries_mathml_and_needs_no_script(typesetter: Typesetter) -> None:
    html = typesetter.formula(r"\hat f_1 < 2", False)
    assert html.startswith("<mjx-container")
    assert "<mi>f</mi>" in html
    assert "&lt;" in html
    assert "<script" not in html
    assert 'display="true"' in typesetter.formula("x", True)
    assert "mjx-c1D465" in typesetter.style()  # the x


@pytest.mark.parametrize(
    ("tex", "line"),
    [
        (r"\|WM\|_F^2", "‖WM‖_F²"),
        (r"\frac{\sigma_r}{\sigma_1}", "σᵣ/σ₁"),
        (r"\hat f_1(z) = -\frac{a + b}{2\pi} \sum_{i=1}^n x_i^\top y'", "f\u0302₁(z) = −(a + b)/2π∑ᵢ₌₁ⁿxᵢᵀy′"),
        (r"\sigma_{T+1}(P) \le O(d^{-1/2})", "σ_(T+1)(P) ≤ O(d^(−1/2))"),
        (r"\sqrt{r/d}\, \overline{C}, x\in\{-1,1\}^r", "√(r/d) C\u0305, x ∈ {−1, 1}ʳ"),
        (r"\begin{aligned}a&=\max_j b\\c&\le \log d\end{aligned}", "a = maxⱼ b c ≤ log d"),
    ],
)
def test_a_search_shows_a_formula_as_a_line_of_text(typesetter: Typesetter, tex: str, line: str) -> None:
    page = f'<section id="s"><h2>Title</h2><p>Let {typesetter.formula(tex, False)} be.</p></section>'
    assert search.entries("page", page)[0].text == f"Let {line} be."


@pytest.mark.parametrize("tex", [r"\undefinedcommand", r"\frac{1}{", r"x_1_2"])
def test_a_formula_that_cannot_be_read_is_an_error(typesetter: Typesetter, tex: str) -> None:
    with pytest.raises(ValueError, match="TeX must be what MathJax reads"):
        typesetter.formula(tex, False)
    assert typesetter.formula("x", False)  # and it goes on


def test_a_line_of_a_formula_begins_where_it_may(typesetter: Typesetter) -> None:
    """Not with a space, nor behind an opening bracket; the space of a sign stays in the line that the sign ends."""

    def lines(tex: str, display: bool) -> list[str]:
        return typesetter.formula(tex, display).partition("<mjx-assistive")[0].split("<wbr>")

    end, start = lines(r"(VA)^\top VA = A V^\top V A", False)
    assert end.endswith('space="4" rspace="4"><mjx-c class="mjx-c3D"></mjx-c></mjx-mo>')
    assert "space" not in start.partition(">")[0]
    with_space, *others = lines(r"abcdefghijklm = n,\quad o = pqrstuvw", True)
    assert with_space.rpartition("<mjx-")[2].startswith("mspace")
    assert others and "<mjx-mspace" not in "".join(others)
    assert len(lines(r"abcdefghijkl\Big(\sum_j abcdefghijkl\Big)", False)) == 1
    assert len(lines(r"abcdefghijkl\sum_j abcdefghijkl", False)) == 2


def translator() -> Any:
    body: list[str] = []
    return SimpleNamespace(
        body=body,
        builder=SimpleNamespace(config=SimpleNamespace(math_numfig=False, numfig=False)),
        encode=lambda text: f"({text})",
        starttag=lambda node, tag, *rest, CLASS: f"<{tag}>",
        add_permalink_ref=lambda node, title: body.append("#"),
    )


def written(visit: Any, node: nodes.Node) -> str:
    to = translator()
    with pytest.raises(nodes.SkipNode):
        visit(to, node)
    return "".join(to.body)


def test_formulas_of_a_page(typesetter: Typesetter) -> None:
    assert re.fullmatch(r"<span><mjx-container.*</span>", written(typesetter.visit_inline, nodes.math("", "x")))
    numbered = nodes.math_block("", r"a \\ b", number=3, nowrap=False)
    assert written(typesetter.visit_display, numbered).startswith('<div><span class="eqno">(3)#</span><mjx-container')
    plain = nodes.math_block("", "x", number=None, nowrap=True)
    assert written(typesetter.visit_display, plain).startswith("<div><mjx-container")


def test_a_formula_that_cannot_be_read_is_a_warning(typesetter: Typesetter, monkeypatch: pytest.MonkeyPatch) -> None:
    warnings: list[str] = []
    monkeypatch.setattr(mathematics.logger, "warning", lambda form, error, location: warnings.append(str(error)))
    assert written(typesetter.visit_inline, nodes.math("", r"\no")) == r"<span>(\no)</span>"
    assert len(warnings) == 1
    assert "Undefined control sequence" in warnings[0]


def app(folder: Path, form: str = "html") -> Any:
    (folder / "_static").mkdir()
    return SimpleNamespace(outdir=folder, builder=SimpleNamespace(format=form))


@pytest.mark.parametrize("tex", ["x", None])
def test_the_site_gets_style_and_fonts(tmp_path: Path, tex: str | None) -> None:
    mathematician = Typesetter()
    if tex:
        mathematician.formula(tex, False)
    mathematician.finish(app(tmp_path), None)
    assert ("mjx-c1D465" in (tmp_path / "_static" / "mathjax.css").read_text()) == bool(tex)
    assert (tmp_path / "_static" / "mathjax" / "MathJax_Math-Italic.woff").exists()
    assert mathematician.process is not None
    assert mathematician.process.returncode == 0


@pytest.mark.parametrize(("form", "exception"), [("html", ValueError("failed")), ("latex", None)])
def test_a_failed_or_other_build_gets_nothing(tmp_path: Path, form: str, exception: Exception | None) -> None:
    mathematician = Typesetter()
    mathematician.finish(app(tmp_path, form), exception)
    assert list((tmp_path / "_static").iterdir()) == []
    assert mathematician.process is None


@pytest.mark.parametrize(
    ("tex", "expected"),
    [
        ("x", "x"),
        (r"a \\ b", r"\begin{split}a \\ b\end{split}"),
        ("a\n\nb", r"\begin{aligned}a\\b\end{aligned}"),
        ("a\n\n", "a"),
    ],
)
def test_lines_of_a_display(tex: str, expected: str) -> None:
    assert lines_of(tex) == expected


def test_a_missing_package_is_named() -> None:
    with pytest.raises(ModuleNotFoundError, match="no_such_package must be installed"):
        package_folder("no_such_package")


def test_contents_of_a_style_sheet() -> None:
    css = r'.fa-moon:before,.fa-x:before{content:"\f186"} mjx-c::before { padding: 1px; content: "a\"\\" } p{color:red}'
    assert fonts.contents(css) == [(".fa-moon:before,.fa-x:before", "\uf186"), ("mjx-c::before", 'a"\\')]


def test_contents_that_a_style_sheet_keeps_in_properties() -> None:
    css = 'html{--size:1rem;--icon-a:"\uf0eb";--icon-b:var(--icon-a)}p:after{content:"}";--icon : "\\f06a"}'
    assert fonts.contents(css) == [("html", "\uf0eb"), ("p:after", "}"), ("p:after", "\uf06a")]


def test_icons_are_those_that_pages_and_other_rules_use() -> None:
    css = r'.fa-moon:before{content:"\f186"}.fa-sun:before{content:"\f185"}.more:after{content:"\f107"}'
    assert fonts.icons(css, '<i class="fa-solid fa-sun"></i>') == "\uf185\uf107"


def test_a_font_keeps_what_is_asked_for(tmp_path: Path) -> None:
    source = package_folder("sphinx-mathjax-offline") / "static/mathjax/output/chtml/fonts/woff-v2"
    css = 'mjx-c.mjx-c78::before { content: "x" } mjx-c.mjx-c1D456.TEX-I::before { content: "i" }'
    css += 'mjx-stretchy-v mjx-ext mjx-c::before { content: "|" }'
    for family, file in (("MJXTEX", "Main-Regular"), ("MJXTEX-I", "Math-Italic")):
        css += f'@font-face /* 0 */ {{ font-family: {family}; src: url("mathjax/MathJax_{file}.woff") format("woff") }}'
    fonts.subset_fonts(source, tmp_path / "new", css)
    for file, kept in (("Math-Italic", "i"), ("Main-Regular", "x|")):
        target = tmp_path / "new" / f"MathJax_{file}.woff"
        with TTFont(target) as font:
            assert set(font.getBestCmap() or ()) == set(map(ord, kept))
            assert font.flavor == "woff"
    assert target.stat().st_size < 0.2 * (source / target.name).stat().st_size
    whole = tmp_path / "whole.woff"
    fonts.subset_font(source / "MathJax_Zero.woff", whole, "x")  # it has no x
    with TTFont(whole) as font, TTFont(source / "MathJax_Zero.woff") as before:
        assert font.getBestCmap() == before.getBestCmap()


def test_only_html_that_was_built_has_its_icons_cut(tmp_path: Path) -> None:
    theme = package_folder("pydata_sphinx_theme") / "theme" / "pydata_sphinx_theme" / "static"
    site: Any = SimpleNamespace(outdir=tmp_path, builder=SimpleNamespace(format="html"))
    for folder in ("styles", "scripts", "vendor/fontawesome/webfonts"):
        shutil.copytree(theme / folder, tmp_path / "_static" / folder)
    (tmp_path / "page.html").write_text('<i class="fa-solid fa-moon"></i>')
    font = tmp_path / "_static" / "vendor/fontawesome/webfonts/fa-solid-900.woff2"
    size = font.stat().st_size
    fonts.subset_icons(site, ValueError("failed"))
    assert font.stat().st_size == size
    fonts.subset_icons(site, None)
    with TTFont(font) as cut:
        assert 0xF186 in (cut.getBestCmap() or ())
    assert font.stat().st_size < size / 10


def test_figures_share_the_outlines_of_characters() -> None:
    outline = '\n <path id="{}" d="M 0 1" transform="scale(0.015625)"/>'
    one, other, drawn = outline.format("A-1"), outline.format("A-2"), '<path id="A-1" d="M 0 1"/>'
    assert share_glyphs(one + other + drawn + one) == one + other + drawn


def test_no_rule_asks_what_stands_last_in_a_page_that_still_comes_in() -> None:
    """Of the blocks that have come in another is last each time: all that the rule speaks of is then styled anew."""
    root = Path(__file__).parents[1]
    sheets = [*root.glob("book/_static/*.css"), *root.glob("mtfl/**/*.css")]
    assert len(sheets) >= 4
    found = {sheet.name: re.findall(r".*(?:nth-last-|last-of-type).*", sheet.read_text("utf8")) for sheet in sheets}
    assert {name: rules for name, rules in found.items() if rules} == {}
