"""The site's build steps, one by one; tests/site looks at the pages that they make together."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from bs4 import BeautifulSoup
from docutils import nodes
from docutils.utils import new_document
from myst_nb.core.render import MimeData
from sphinx import addnodes
from sphinx.errors import ExtensionError

from mtfl import sphinx_ext
from mtfl.claims import CLAIMS, Ledger, judge
from mtfl.explorables import NeuronsInPlane
from mtfl.explorables.explorable import Explorable
from mtfl.sphinx_ext import policy
from mtfl.sphinx_ext.statements import PLACE, statement_of


def widget(*children: str, **state: object) -> dict[str, object]:
    return {"state": {"children": [f"IPY_MODEL_{child}" for child in children], **state}}


def output(**data: str) -> dict[str, object]:
    return {"data": {key.replace("_", "/"): value for key, value in data.items()}}


def test_first_picture_walks_the_widget_in_page_order() -> None:
    state = {
        "box": widget("slider", "inner", "late"),
        "slider": widget(),
        "inner": widget("out"),
        "out": widget(outputs=[{"text": "printed"}, output(text_plain="no"), output(image_png="first")]),
        "late": widget(outputs=[output(text_html="second")]),
    }
    assert sphinx_ext.first_picture(state, "box") == ("image/png", "first")


def test_first_picture_prefers_html_to_pixels() -> None:
    state = {"out": widget(outputs=[output(image_png="pixels", text_html="drawing")])}
    assert sphinx_ext.first_picture(state, "out") == ("text/html", "drawing")


def test_first_picture_may_be_missing() -> None:
    assert sphinx_ext.first_picture({"box": widget("gone")}, "box") is None


def test_mend_makes_lines_of_a_long_signature() -> None:
    dd = '<dd><em class="sig-param">n</em>,</dd>\n'
    line = '<span class="mtfl-parameter"><em class="sig-param">n</em>,</span>\n'
    assert sphinx_ext.mend(f"f(\n<dl>\n{dd}{dd}</dl>\n)") == f"f(\n{line}{line})"


def test_mend_changes_only_what_is_wrong() -> None:
    assert sphinx_ext.mend('<summary aria-label="Toggle hidden content">x</summary>') == "<summary>x</summary>"
    assert sphinx_ext.mend("<p>x</p>") == "<p>x</p>"
    folded = '<summary>\n<{0} class="collapsed admonition-title">Show</{0}>\n</summary>'
    assert sphinx_ext.mend(folded.format("p")) == folded.format("span")


@pytest.mark.parametrize(
    ("line", "escaped"),
    [
        ("so that |w| is 1", r"so that \|w\| is 1"),
        ("the mean ``|w|`` of |w|", r"the mean ``|w|`` of \|w\|"),
        ("a `role |x|` stays", "a `role |x|` stays"),
        (">>> 1 | 2", ">>> 1 | 2"),
    ],
)
def test_bars_are_escaped_outside_literals(line: str, escaped: str) -> None:
    assert sphinx_ext.escape_bars(line) == escaped


def test_docstrings_are_escaped_in_place() -> None:
    lines = ["the norm |w|", ""]
    sphinx_ext.escape_docstring(None, "function", "f", None, None, lines)  # type: ignore[arg-type]
    assert lines == [r"the norm \|w\|", ""]


def linked(refuri: str, text: str = "", **attributes: Any) -> nodes.reference:
    """A link of a page with one figure, after the transform."""
    page = new_document("page")
    figure, link = nodes.figure(names=["fig-a"]), nodes.reference("", text, refuri=refuri, **attributes)
    page.note_explicit_target(figure, figure)
    page += [figure, link]
    sphinx_ext.FigureLinks(page).apply()
    return link


def test_what_a_docstring_sets_off_keeps_its_lines() -> None:
    page = new_document("page")
    for source in ("module.py:docstring of mtfl.moments", "chapter.md"):
        words = nodes.paragraph("", "a   = 1\nb   = 2")
        words.source = source
        page += nodes.block_quote("", words)
    sphinx_ext.AlignedLines(page).apply()
    lines, quotation = page.children
    assert isinstance(lines, nodes.literal_block)
    assert lines.astext() == "a   = 1\nb   = 2"
    assert isinstance(quotation, nodes.block_quote)


def test_a_field_of_a_tuple_has_no_empty_words() -> None:
    lines = ["Alias for field number 0"]
    sphinx_ext.escape_docstring(None, "attribute", "f", None, None, lines)  # type: ignore[arg-type]  # the app
    assert lines == []


@pytest.mark.parametrize(
    ("said", "printed"),
    [
        ("-0.8", "−0.8"),
        ("from -0.5 to -1", "from −0.5 to −1"),
        ("-3e-08", "−3·10⁻⁸"),
        ("2e+12", "2·10¹²"),
        ("d-1, x-2 and a_-3", "d-1, x-2 and a_-3"),
        ("the 2-cell", "the 2-cell"),
    ],
)
def test_quoted_numbers_are_set_as_in_print(said: str, printed: str) -> None:
    page = new_document("page")
    page += nodes.paragraph("", "", nodes.inline("", said, classes=["pasted-text"]), nodes.literal("", said))
    sphinx_ext.QuotedNumbers(page).run()
    assert page.astext() == printed + said


def test_a_link_that_sets_a_figure_keeps_its_address(caplog: pytest.LogCaptureFixture) -> None:
    link = linked("#fig-a?tasks=1&law=uniform", id_link=True)
    assert link["refuri"] == "#fig-a?tasks=1&law=uniform"
    assert "id_link" not in link
    assert link["classes"] == ["mtfl-set"]
    assert caplog.messages == []


@pytest.mark.parametrize(("text", "value"), [("12 tasks", "12"), ("dimension 1,000", "1000"), ("half, 0.5", "0.5")])
def test_a_number_to_drag_is_a_link_that_sets_it(text: str, value: str, caplog: pytest.LogCaptureFixture) -> None:
    link = linked("#fig-a?tasks", text, id_link=True)
    assert link["refuri"] == f"#fig-a?tasks={value}"
    assert link["classes"] == ["mtfl-set", "mtfl-scrub"]
    assert caplog.messages == []


def test_a_number_to_drag_without_a_number_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    assert linked("#fig-a?tasks", "some", id_link=True)["classes"] == ["mtfl-set"]
    assert "must name it: some" in caplog.text


@pytest.mark.parametrize(("refuri", "id_link"), [("#fig-a", True), ("https://example.org/?a=1", False)])
def test_other_links_are_left_alone(refuri: str, id_link: bool) -> None:
    link = linked(refuri, id_link=id_link)
    assert link["id_link"] == id_link
    assert link["classes"] == []


def test_a_link_that_sets_no_figure_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    linked("#fig-gone?tasks=1", id_link=True)
    assert caplog.messages == ["no figure on this page is called fig-gone"]


class Renderer:
    """Stands in for myst-nb's: it holds the saved widgets and notes warnings."""

    def __init__(self, **outputs: str) -> None:
        state = {"box": widget("out"), "out": widget(outputs=[output(**outputs)] if outputs else [])}
        saved = {"widgets": {sphinx_ext.WIDGET_STATE: {"state": state}}}
        self.renderer = SimpleNamespace(nb_client=SimpleNamespace(nb_metadata=saved))
        self.warnings: list[str] = []
        self.logger = SimpleNamespace(warning=lambda message, line: self.warnings.append(message))

    def render_mime_type(self, data: MimeData) -> list[Any]:
        if data.mime_type == "image/png":
            return [nodes.image(uri=data.content)]
        return [nodes.raw(text=data.string, format="html")]


def fall_back(renderer: Any, mime_type: str = sphinx_ext.WIDGET_VIEW) -> list[nodes.Element] | None:
    content: Any = {"model_id": "box"}
    return sphinx_ext.WidgetFallback.handle_mime(renderer, MimeData(mime_type, content), False)


def test_a_control_becomes_its_picture_and_a_note() -> None:
    renderer = Renderer(text_html="<svg></svg>")
    shown = fall_back(renderer)
    assert shown is not None
    assert [node.astext() for node in shown] == ["<svg></svg>", sphinx_ext.NEEDS_KERNEL]
    assert renderer.warnings == []


def test_a_figure_that_needs_no_python_is_left_to_its_html() -> None:
    renderer = Renderer()
    renderer.renderer.nb_client.nb_metadata["widgets"][sphinx_ext.WIDGET_STATE]["state"]["box"]["model_module"] = (
        "anywidget"
    )
    assert fall_back(renderer) == []
    assert renderer.warnings == []


def test_a_control_without_picture_is_a_warning() -> None:
    renderer = Renderer()
    assert fall_back(renderer) == []
    assert renderer.warnings == ["an interactive cell drew no picture to show in its place"]


def test_a_picture_without_alt_text_is_a_warning() -> None:
    renderer = Renderer(image_png="pixels")
    fall_back(renderer)
    assert renderer.warnings == ["an interactive cell's picture has no alt text"]


def test_other_outputs_are_left_alone() -> None:
    assert fall_back(Renderer(), "text/html") is None


def test_a_page_is_mended_and_loses_widget_scripts() -> None:
    files, styles = {"ipywidgets_state": 1, "ipywidgets_0": 2, "plot": 3}, []
    app: Any = SimpleNamespace(
        env=SimpleNamespace(nb_metadata={"page": {"js_files": files}}), add_css_file=styles.append
    )
    context: dict[str, Any] = {"body": '<div id="proof-content">'}
    sphinx_ext.drop_widget_scripts(app, "page", "", context, None)
    sphinx_ext.mend_page(app, "page", "", context, None)
    sphinx_ext.mend_page(app, "search", "", {}, None)
    assert files == {"plot": 3}
    assert context == {"body": "<div>"}
    assert styles == []


def test_figures_to_move_share_a_style_sheet() -> None:
    styles: list[str] = []
    app: Any = SimpleNamespace(add_css_file=styles.append)
    figure = NeuronsInPlane().page()
    context: dict[str, Any] = {"body": figure + "<p>text</p>" + figure}
    sphinx_ext.mend_page(app, "page", "", context, None)
    assert "<style" not in context["body"]
    assert context["body"].count("<noscript>") == figure.count("<noscript>") + 1
    assert styles == ["explorables.css"]


def test_no_script_but_the_early_one_holds_a_page_up_and_all_are_files() -> None:
    names = ("_static/early.js", "a.js", None, "_static/sphinx_highlight.js")
    early, late, inline, marker = (SimpleNamespace(filename=name, attributes={}) for name in names)
    context: dict[str, Any] = {"script_files": [late, inline, marker, early]}
    policy.place_scripts(None, "page", "", context, None)  # type: ignore[arg-type]
    assert context == {"script_files": [late], "early_script": early}
    assert (late.attributes, early.attributes) == ({"defer": "defer"}, {})


def unstyled(figure: Explorable) -> str:
    """A figure's HTML as it stands in a page, whose figures share a style sheet."""
    return sphinx_ext.STYLE.sub(r"\1", figure.page())


def test_a_figures_script_becomes_a_file_and_its_first_pictures_stand_in_the_page(tmp_path: Path) -> None:
    context: dict[str, Any] = {
        "body": "".join(unstyled(NeuronsInPlane(tasks=tasks)) for tasks in (1, 5)),
        "pathto": lambda path, resource: path,
    }
    app: Any = SimpleNamespace(outdir=tmp_path)
    policy.place_figures(app, "search", "", context, None)
    assert "<noscript>" in context["body"]  # a page without a source has no figures
    policy.place_figures(app, "page", "", context, object())
    (script,) = (tmp_path / "_static" / "figures").iterdir()  # one, whatever the states
    assert context["body"].count(f'<script defer src="_static/figures/{script.name}"></script>') == 2
    assert f'[data-source="{script.stem}"]:not([data-mounted])' in script.read_text("utf8")
    soup = BeautifulSoup(context["body"], "html5lib")
    assert soup.find("noscript") is soup.find("script", type="module") is None
    for tasks, figure in zip(
        ("one balanced task", "5 balanced tasks"), soup.select(".mtfl-x > .mtfl-still"), strict=True
    ):
        words = figure.select_one(".mtfl-words")
        assert words is not None and tasks in words.get_text()
        assert len(figure.select("svg")) == 2 and figure.select("svg .mtfl-dots[d^=M]")
        assert not figure.select("input, button")


def test_the_names_within_first_pictures_are_those_of_the_last_build_and_no_others() -> None:
    found = policy.FIGURE.search(unstyled(NeuronsInPlane()))
    assert found is not None
    once, again, other = (policy.still.__wrapped__(found["script"], found["state"], key) for key in ("5a", "5a", "7f"))
    assert once == again != other


def test_a_figure_that_asks_for_more_of_a_page_is_an_error() -> None:
    script = "function render({ el }) { el.paint(); }\n{\n  const box = 1;\n}"
    with pytest.raises(ValueError, match=r"still: a figure's script must ask only for .*paint is not a function"):
        policy.still(script, "{}", "5a")


def test_a_figure_that_is_mounted_in_another_way_is_an_error(tmp_path: Path) -> None:
    page = unstyled(NeuronsInPlane()).replace("'.mtfl-figure[data", "'.other[data")
    with pytest.raises(ValueError, match="placed: a figure's script must look for"):
        policy.placed(page, tmp_path, "figures")


def html_app(folder: Path, form: str = "html") -> Any:
    (folder / "_static" / "scripts").mkdir(parents=True)
    config = SimpleNamespace(language="en", root_doc="first", html_title="A & B")
    return SimpleNamespace(outdir=folder, builder=SimpleNamespace(format=form), config=config)


@pytest.mark.parametrize(
    ("form", "exception", "left"), [("html", None, False), ("latex", None, True), ("html", ValueError("failed"), True)]
)
def test_a_site_gets_a_way_in_and_loses_a_large_script(
    tmp_path: Path, form: str, exception: Exception | None, left: bool
) -> None:
    app = html_app(tmp_path, form)
    script, index = tmp_path / "_static" / "scripts" / "fontawesome.js", tmp_path / "index.html"
    theme = script.with_name("pydata-sphinx-theme.js")
    script.write_text(1000 * "large")
    (tmp_path / ".buildinfo").touch()
    theme.write_text(sphinx_ext.ASKS_ALL)
    sphinx_ext.finish(app, exception)
    assert script.exists() == (theme.read_text() == sphinx_ext.ASKS_ALL) == left
    assert index.exists() == (not left) and (tmp_path / ".buildinfo").exists() == left
    if not left:
        assert "url=first.html" in index.read_text()
        assert "<title>A &amp; B</title>" in index.read_text()


def test_the_site_gets_the_scripts_of_the_extension() -> None:
    config = SimpleNamespace(html_static_path=["_static"])
    sphinx_ext.add_static_files(None, config)  # type: ignore[arg-type]
    assert config.html_static_path[0] == "_static"  # the book's own files come first
    assert (Path(config.html_static_path[1]) / "searchtools.js").exists()
    assert Path(config.html_static_path[2]).name == "explorables.css"


def test_a_page_names_no_style_sheet_of_an_earlier_build(tmp_path: Path) -> None:
    sheets = [tmp_path / "_static" / name for name in ("mathjax.css", "proof.css", "mystnb.0a1b.css", "mtfl.css")]
    sheets[0].parent.mkdir()
    for sheet in sheets:
        sheet.touch()
    for _ in range(2):
        sphinx_ext.forget_sheets(SimpleNamespace(outdir=tmp_path))  # type: ignore[arg-type]
        assert [sheet.exists() for sheet in sheets] == [False, False, False, True]


def test_a_script_that_no_page_loads_any_more_goes(tmp_path: Path) -> None:
    scripts = [tmp_path / "_static" / "figures" / name for name in ("a.js", "b.js")]
    app: Any = SimpleNamespace(outdir=tmp_path)
    policy.drop_old(app, None)
    scripts[0].parent.mkdir(parents=True)
    for script in scripts:
        script.touch()
    (tmp_path / "page.html").write_text('<script src="_static/figures/b.js">')
    policy.drop_old(app, ValueError("failed"))
    assert all(script.exists() for script in scripts)
    policy.drop_old(app, None)
    assert [script.exists() for script in scripts] == [False, True]


def test_a_script_that_changed_is_refused() -> None:
    with pytest.raises(ValueError, match="it has changed"):
        sphinx_ext.patch("const e = () => {}")


def test_a_copy_of_a_statement_has_its_name_and_no_anchor() -> None:
    chapter = new_document("chapter")
    formula = nodes.math_block("", "x = 1", ids=["equation-eq"], label="eq", number=3)
    link = addnodes.pending_xref("", refdoc="chapter", reftarget="eq")
    content = nodes.section("", nodes.target("", "", refid="equation-eq"), formula, link, ids=["proof-content"])
    title, classes = nodes.title("", "(Of one)"), ["proof", "theorem", "main"]
    kind = {"realtype": "lemma", "countertype": "theorem"}
    chapter += nodes.admonition("", title, content, label="thm-x", ids=["thm-x"], classes=classes, **kind)
    numbers = {"theorem": {"thm-x": (7, 3)}}
    copy = statement_of(chapter, "thm-x", "claims", numbers)
    named, first, second = copy.children
    assert (named.astext(), named["classes"]) == ("Lemma 7.3 (Of one)", ["mtfl-named"])  # type: ignore[index]
    assert copy["classes"] == ["main"]
    assert isinstance(first, nodes.math_block)
    assert (first["ids"], first["label"], first["number"], first.astext()) == ([], None, None, "x = 1")
    assert isinstance(second, addnodes.pending_xref)
    assert second["refdoc"] == "claims"
    assert (formula["number"], link["refdoc"]) == (3, "chapter")
    with pytest.raises(ExtensionError, match="got 'thm-y'"):
        statement_of(chapter, "thm-y", "claims", numbers)


def test_the_ledger_names_the_places_of_its_statements() -> None:
    claim = CLAIMS[-1]
    assert PLACE.findall(Ledger([judge(claim, [0])])._repr_html_()) == [(claim.chapter, claim.id)]
