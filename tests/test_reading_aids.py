"""What the build adds for readers: tools at statements and figures, the index of the search, the head of a sheet."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from bs4 import BeautifulSoup
from docutils import nodes
from sphinx_proof.nodes import proof_node

from mtfl.claims import CLAIMS
from mtfl.sphinx_ext import citing, minutes, printing, search

ROOT = Path(__file__).parents[1]
FORMULA = "<mjx-container><mjx-math><mjx-c></mjx-c></mjx-math><math><mi>T</mi></math></mjx-container>"
STATEMENT = f"""<div class="proof theorem source-book admonition" id="thm-a">
<p class="admonition-title"><span class="caption-number">Theorem 3.6 </span> (The {FORMULA} law)</p>
<section class="theorem-content"><p>It <em>grows</em> by <math><mfrac><mn>1</mn><mn>2</mn></mfrac></math>.</p>
</section></div>"""
PROOF = f"""<details class="mtfl-proof" id="thm-a-proof"><summary class="mtfl-idea"><strong>Proof.</strong> Idea: one by
one.</summary>
<p>By induction on {FORMULA}.</p></details>"""
FIGURE = """<figure class="align-default" id="fig-a"><div class="output"></div><figcaption>
<p><span class="caption-number">Figure 3.2 </span><span class="caption-text"><strong>Up.</strong> It grows.</span>\
<a class="headerlink" href="#fig-a" title="Link to this image">#</a></p></figcaption></figure>"""
HEADLINK = '<a class="headerlink" href="#x" title="Link to this heading">#</a>'
PACKAGE = """<dl class="py class"><dt class="sig" id="mtfl.tasks.Table">Table</dt><dd><p>A table of growth.</p>
<dl class="py attribute"><dt class="sig" id="mtfl.tasks.Table.rows">rows</dt><dd><p>Its rows.</p></dd></dl></dd></dl>"""
PAGE = f"""<section id="top"><h1>3. Training{HEADLINK}</h1><p>Of <em>growth</em>.</p>
<section id="rate"><h2>3.1. Rates{HEADLINK}</h2><p><strong>Growth.</strong> What it is.</p>
{STATEMENT}{PROOF}{FIGURE}<pre>growth = 1</pre></section>
<section id="more"><h2>3.2. More{HEADLINK}</h2>
<p><em>growth</em> and <em>decay</em>: {FORMULA}.</p></section></section>"""


def made(body: str, repository: str = "") -> BeautifulSoup:
    return BeautifulSoup(citing.with_tools(body, "03.html", repository), "html.parser")


@pytest.mark.parametrize(
    ("body", "anchor", "name"), [(STATEMENT, "thm-a", "Theorem 3.6"), (FIGURE, "fig-a", "Figure 3.2")]
)
def test_statements_and_figures_have_tools(body: str, anchor: str, name: str) -> None:
    (found,) = made(body).select(".mtfl-tools")
    link, cite = found.find_all(True)
    assert (link["href"], link["aria-label"]) == (f"#{anchor}", f"Copy the link to {name}")
    assert cite["aria-label"] == f"Cite {name}"
    assert "pst-js-only" in cite["class"]  # it needs the script
    assert found.parent is not None and found.parent.name == "p"


def test_each_of_a_page_has_its_own_and_proofs_have_none() -> None:
    links = [link["href"] for link in made(PAGE + STATEMENT.replace("thm-a", "thm-b")).select(".mtfl-link")]
    assert sorted(links) == ["#fig-a", "#thm-a", "#thm-b"]


def test_the_link_of_an_equation_is_named() -> None:
    number = (
        '<span class="eqno">(3.2)<a class="headerlink" href="#equation-a" title="Link to this equation">#</a></span>'
    )
    (link,) = made(number).select("a")
    assert link["aria-label"] == "Copy the link to equation (3.2)"
    assert link["title"] == "Copy the link to this equation"


def test_a_mistake_is_reported_where_there_is_a_repository() -> None:
    assert made(STATEMENT).select(".mtfl-report") == []
    (link,) = made(STATEMENT, "https://example.org/book/").select(".mtfl-report")
    address = urlsplit(str(link["href"]))
    assert f"{address.scheme}://{address.netloc}{address.path}" == "https://example.org/book/issues/new"
    asked = parse_qs(address.query)
    assert asked["title"] == ["Theorem 3.6"]
    assert asked["body"][0].startswith("03.html#thm-a")
    assert link["aria-label"] == "Report a mistake in Theorem 3.6"


def test_a_page_gets_tools_with_its_address_and_repository() -> None:
    options = {"repository_url": "https://example.org/book"}
    app: Any = SimpleNamespace(
        builder=SimpleNamespace(out_suffix=".html"), config=SimpleNamespace(html_theme_options=options)
    )
    context: dict[str, Any] = {"body": STATEMENT}
    citing.add_tools(app, "03", "", context, None)
    assert "03.html%23thm-a" in context["body"]
    context = {"body": STATEMENT, "pageurl": "https://example.org/read/03.html"}
    citing.add_tools(app, "03", "", context, None)
    assert "example.org%2Fread%2F03.html%23thm-a" in context["body"]
    citing.add_tools(app, "search", "", context := {}, None)
    assert context == {}


def test_the_book_can_be_cited() -> None:
    book = citing.citation(ROOT)
    assert book["title"] == "Many Tasks, One Representation"
    assert isinstance(book["year"], int)


def test_a_statement_with_a_claim_leads_to_its_check() -> None:
    claim = CLAIMS[-1].id.lower()
    with_check = citing.with_tools(STATEMENT.replace("thm-a", claim))
    assert f'href="claims.html#ledger-{claim}" aria-label="The check of Theorem 3.6"' in with_check
    assert "mtfl-check" not in citing.with_tools(STATEMENT)


@pytest.mark.parametrize("form", ["html", "latex"])
def test_only_html_gets_the_script(form: str) -> None:
    added: dict[str, Any] = {}
    app: Any = SimpleNamespace(
        builder=SimpleNamespace(format=form),
        srcdir=ROOT / "book",
        add_js_file=lambda name, **attributes: added.update({name: attributes}),
    )
    citing.add_script(app)
    assert list(added) == (["reader.js"] if form == "html" else [])
    if added:
        assert added["reader.js"]["loading_method"] == "defer"
        assert json.loads(added["reader.js"]["data-book"])["year"]


def test_entries_are_sections_and_statements() -> None:
    top, rate, more, proof, statement = search.entries("03", PAGE)
    assert [top.anchor, rate.anchor, more.anchor, statement.anchor] == ["top", "rate", "more", "thm-a"]
    assert [top.title, rate.title, more.title] == ["3. Training", "3.1. Rates", "3.2. More"]
    assert {top.kind, rate.kind, more.kind} == {"section"}
    assert (statement.kind, statement.title, statement.within) == ("statement", "Theorem 3.6 (The T law)", "3.1. Rates")
    assert statement.text == "It grows by 1/2."
    assert top.text == "Of growth."  # what its sections say is theirs
    assert rate.text.startswith("Growth. What it is. Figure 3.2 Up.")
    assert (proof.kind, proof.anchor, proof.within) == ("proof", "thm-a-proof", "3.1. Rates")
    assert proof.title == "Proof of Theorem 3.6 (The T law)"
    assert proof.text == "Proof. Idea: one by one. By induction on T."  # a summary of other things says nothing
    assert "growth = 1" not in rate.text
    assert more.text == "growth and decay: T."
    assert (rate.terms, more.terms) == (["Growth"], ["growth", "decay"])  # a figure's caption sets nothing off


def test_entries_are_objects_of_the_package() -> None:
    section, outer, inner = search.entries("api", f'<section id="tasks"><h2>Tasks</h2>{PACKAGE}</section>')
    assert section.kind == "package"
    assert (outer.kind, outer.title, outer.text) == ("class", "tasks.Table", "A table of growth.")
    assert (inner.kind, inner.title, inner.text) == ("attribute", "tasks.Table.rows", "Its rows.")


def test_the_index_has_the_pages_that_come_from_a_source(tmp_path: Path) -> None:
    index = search.Index()
    app: Any = SimpleNamespace(outdir=tmp_path, builder=SimpleNamespace(format="html"))
    index.read(app, "03", "", {"body": PAGE}, object())
    index.read(app, "search", "", {"body": PAGE}, None)
    _, *parts = search.entries("03", PAGE)
    assert index.found[0].terms == []  # a page's head sets nothing off
    assert index.found[1:] == parts
    index.write(app, ValueError("failed"))
    assert list(tmp_path.iterdir()) == []
    index.write(app, None)
    script = (tmp_path / "searchindex.js").read_text("utf8")
    titles, rows = json.loads(script.removeprefix("Search.setIndex(").removesuffix(")\n"))
    assert titles == {"03": "3. Training"}
    assert [row[1] for row in rows] == ["top", "rate", "more", "thm-a-proof", "thm-a"]


def test_a_sheet_is_headed_by_its_chapter(tmp_path: Path) -> None:
    sheets: list[tuple[str, str]] = []
    app: Any = SimpleNamespace(
        config=SimpleNamespace(html_title="The book", project=""),
        outdir=tmp_path,
        add_css_file=lambda name, media: sheets.append((name, media)),
    )
    title = '<span class="section-number">3. </span>A &amp; “b”'
    printing.add_head(app, "03", "", {"title": title}, object())
    assert sheets == [("heads/03.css", "print")]
    sheet = (tmp_path / "_static" / "heads" / "03.css").read_text("utf8")
    assert sheet.startswith("@page {")
    assert 'content: "3. A & “b”"' in sheet and 'content: "The book"' in sheet
    printing.add_head(app, "search", "", {"title": "Search"}, None)
    assert len(sheets) == 1


def test_a_reading_time_counts_words_formulas_and_figures_alone() -> None:
    words = nodes.paragraph("", "one two three " * 60)
    page = nodes.section("", nodes.title("", ""), words)
    assert minutes.minutes_of(page) == pytest.approx(1)
    page += [nodes.math_block("", "x"), nodes.figure("", nodes.caption("", "four words are here"))]
    assert minutes.minutes_of(page) == pytest.approx(2 + 4 / 180)
    page += [nodes.literal_block("", "a b"), nodes.raw("", "<b>", format="html"), proof_node("", words.deepcopy())]
    page += [
        nodes.container("", words.deepcopy(), design_component="dropdown"),
        nodes.section("", nodes.title("", "Exercises"), words.deepcopy()),
    ]
    assert minutes.minutes_of(page) == pytest.approx(2 + 4 / 180)
    page += nodes.section("", nodes.title("", "More"), words.deepcopy())
    assert minutes.minutes_of(page) == pytest.approx(3 + 5 / 180)
