"""The book's pages as notebooks that read in JupyterLab as they do on the site.

JupyterLab shows Markdown and formulas, but none of MyST's directives and roles. So each page is written once more, as a
notebook, from the tree that Sphinx has resolved for the site: numbers, references, citations and glued values are the
site's own. Code cells keep their code, outputs, tags and ids. The notebooks lie where the site offers them for
download, in ``_sources``; ``mtfl.sphinx_ext.lab`` lays them out for ``make lab``.
"""

from __future__ import annotations

import copy
import hashlib
import html
import re
from collections import defaultdict
from collections.abc import Iterator
from importlib.metadata import metadata
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

import nbformat
from docutils import nodes
from nbformat import NotebookNode
from packaging.specifiers import SpecifierSet
from sphinx import addnodes
from sphinx.locale import admonitionlabels
from sphinx.util import logging

from mtfl.sphinx_ext.folding import folded, parts_of_proof
from mtfl.sphinx_ext.mathematics import lines_of
from mtfl.sphinx_ext.tables import CellTable

if TYPE_CHECKING:
    from sphinx.application import Sphinx

logger = logging.getLogger(__name__)

LINES = 10_000  # myst-nb counts the lines of cell i, the first is 0, from (i + 1) times this
KERNEL = {"kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}}
WIDTH = 88  # of a signature on one line
# JupyterLab lets these styles through; the colours are seen on light and on dark.
BOX = "margin-bottom: 14px; padding: 8px 14px 1px; border-left: 4px solid"
STATEMENT = f"{BOX} #3b82b5; background: rgba(59, 130, 181, 0.09)"
ADMONITION = f"{BOX} #8a8a8a; background: rgba(128, 128, 128, 0.11)"
PROOF = "margin-bottom: 14px; padding: 1px 14px; border-left: 2px solid #8a8a8a"
NEEDS = f"{PROOF}; font-size: 92%"
CAPTION = "padding: 0 5%"
DEFINED = "padding-left: 2em"

SPECIAL = re.compile(r"[\\`*\[\]<>~|&]|(?<![^\W_])_|_(?![^\W_])|!$")  # what is no plain text to Markdown
MARK = re.compile(r"^(\d*)([-+=#]|(?<=\d)[.)](?=\s))", flags=re.MULTILINE)  # nor is this where a line begins


def escape(text: str) -> str:
    """Plain text as Markdown; a dollar is escaped for MathJax too, which reads what Markdown leaves."""
    return SPECIAL.sub(r"\\\g<0>", text).replace("$", r"\\$")


def fence(text: str, least: int) -> str:
    """Backticks, one more than the text has in a row."""
    return "`" * max(least, *(len(run) + 1 for run in re.findall("`+", text)), 0)


def fenced(text: str, language: str = "") -> str:
    """A block of code."""
    return f"{fence(text, 3)}{language}\n{text.rstrip()}\n{fence(text, 3)}"


def boxed(style: str, *blocks: str) -> str:
    """Blocks of Markdown in a box."""
    return "\n\n".join([f'<div style="{style}">', *filter(None, blocks), "</div>"])


def indented(text: str, first: str, rest: str) -> str:
    """Lines with one beginning for the first, and another for all others that are not empty."""
    return first + text.replace("\n", "\n" + rest).replace(f"\n{rest}\n", f"\n{rest.rstrip()}\n")


def digest(notebook: NotebookNode) -> str:
    """Hash what a notebook says: the kinds and sources of its cells, not what its code has put out."""
    return hashlib.sha256(repr([(cell.cell_type, cell.source) for cell in notebook.cells]).encode()).hexdigest()


def parts_of(node: nodes.Element) -> Iterator[nodes.Node]:
    """What a page is made of, in its order, its sections' titles and each work of its bibliography among it."""
    for child in node.children:
        is_list = any(isinstance(part, nodes.citation) for part in child.children)
        if isinstance(child, nodes.Element) and (isinstance(child, nodes.section) or is_list):
            yield from parts_of(child)
        else:
            yield child


def numbered(page: nodes.document, is_notebook: bool) -> Iterator[tuple[int, nodes.Node]]:
    """The parts of a page, each with the number of its cell; a page that is no notebook has one for each section."""
    place = 0
    for part in parts_of(page):
        if isinstance(part, nodes.Element) and part.get("nb_element") == "cell_code":
            yield part["cell_index"], part
            place = part["cell_index"] + 1
        else:
            line = next((node.line for node in part.findall() if node.line), 0)
            place = max(place, line // LINES - 1) + (not is_notebook and isinstance(part, nodes.title))
            yield place, part


def named(part: nodes.Node) -> Iterator[nodes.Element]:
    """What bears names in a part of a page, its section if the part is a title."""
    yield from (part.parent,) if isinstance(part, nodes.title) else ()
    yield from part.findall(nodes.Element)


class Book:
    """All pages, and what each needs to know of the others.

    Attributes:
        pages: the resolved document tree of each page.
        notebooks: those that pages are made from, by the page's name.
        linked: the pages and anchors that links lead to.
        parts: for each page what it is made of: the number of the page's cell, the id of the notebook's, the node.
        cells: for each page and anchor, the id of the cell that it is in.
    """

    def __init__(self, app: Sphinx, pages: dict[str, nodes.document]) -> None:
        """Look through the resolved pages."""
        self.env = app.env
        self.repository = app.config.html_theme_options.get("repository_url", "")
        self.pages = pages
        sources = {name: Path(app.env.doc2path(name)) for name in pages}
        self.notebooks = {
            name: nbformat.read(path, as_version=4) for name, path in sources.items() if path.suffix == ".ipynb"
        }
        links = ((name, link) for name, page in pages.items() for link in page.findall(nodes.reference))
        self.linked = {self.target(name, link) for name, link in links}
        self.parts = {name: list(self.placed(name)) for name in pages}
        self.cells = {
            (name, anchor): cell
            for name, parts in self.parts.items()
            for _, cell, part in parts
            for node in named(part)
            for anchor in node["ids"]
        }

    def placed(self, page: str) -> Iterator[tuple[int, str, nodes.Node]]:
        """The parts of a page, each with the number of its cell there and the id of its cell in the notebook.

        In JupyterLab a link leads to the top of a cell. So each part that links lead to starts one, and shares it only
        with a title above.
        """
        ids = [cell.id for cell in self.notebooks[page].cells] if page in self.notebooks else []
        before, piece, has_text = -1, 1, False
        for number, part in numbered(self.pages[page], bool(ids)):
            # What Sphinx adds at the end, a tree of pages without text, may stand behind the last cell.
            cell = ids[min(number, len(ids) - 1)] if ids else f"{page}-{number}"
            if number != before:
                before, piece, has_text = number, 1, False
            elif has_text and any((page, anchor) in self.linked for node in named(part) for anchor in node["ids"]):
                piece, has_text = piece + 1, False
            has_text |= not isinstance(part, nodes.title | nodes.Invisible)
            yield number, cell if piece == 1 else f"{cell}-{piece}", part

    def target(self, page: str, link: nodes.reference) -> tuple[str, str] | None:
        """The page and the anchor, or "", that a link of a page leads to; None if it leads out of the book."""
        path, _, anchor = link.get("refuri", f"#{link.get('refid')}").partition("#")
        name = path.removesuffix(".html") if path else page
        return (name, unquote(anchor)) if name in self.pages and "?" not in anchor else None

    def number(self, page: str, kind: str, node: nodes.Element) -> str:
        """The site's number of a figure, table, statement or equation, as in "3.2"; "" if it has none."""
        numbers = self.env.toc_fignumbers.get(page, {}).get(kind, {})
        return next((".".join(map(str, numbers[anchor])) for anchor in node["ids"] if anchor in numbers), "")


class Translator:
    """Writes nodes of one page as the Markdown that JupyterLab reads.

    A method ``_write_...`` writes the nodes of a class, and of the classes derived from it that have none of their own.
    A node that no method writes is a warning, and fails a strict build.
    """

    def __init__(self, book: Book, page: str) -> None:
        """Write for a page of a book."""
        self.book, self.page = book, page
        self.cell = ""  # the id of the one that is written
        self.in_table = False

    def write(self, node: nodes.Node) -> str:
        """Write a node, and before it the anchors that links lead to."""
        for kind in type(node).__mro__:
            if method := getattr(self, f"_write_{kind.__name__}", None):
                return self.anchors(node) + method(node)
        logger.warning("a notebook has no Markdown for %s", type(node).__name__, location=node)
        return escape(node.astext())

    def anchors(self, node: nodes.Node) -> str:
        """What links to a node lead to."""
        ids = node["ids"] if isinstance(node, nodes.Element) else []
        in_line = isinstance(node, nodes.Inline) and isinstance(node.parent, nodes.TextElement)
        anchor = '<span id="{}"></span>' if in_line else '<div id="{}"></div>\n\n'
        return "".join(anchor.format(name) for name in ids if (self.page, name) in self.book.linked)

    def inlines(self, node: nodes.Node) -> str:
        """Write the children of a node in a line of text."""
        return "".join(map(self.write, node.children))

    def blocks(self, *children: nodes.Node) -> str:
        """Write nodes as blocks."""
        return "\n\n".join(filter(None, map(self.write, children)))

    def caption(self, kind: str, node: nodes.Element, text: nodes.Element) -> str:
        """The numbered caption of a figure or a table."""
        return f"*{kind.title()} {self.book.number(self.page, kind, node)}* {self.inlines(text)}"

    # In a line of text

    def _write_Text(self, node: nodes.Text) -> str:
        return escape(node.astext())

    def _write_Invisible(self, node: nodes.Invisible) -> str:
        return ""

    def _write_inline(self, node: nodes.inline) -> str:
        return self.inlines(node)

    def _write_math(self, node: nodes.math) -> str:
        tex = " ".join(node.astext().split())
        if self.in_table:  # a bar would end its cell
            tex = tex.replace(r"\|", r"\Vert ").replace("|", r"\vert ")
        return f"${tex}$"

    def _write_literal(self, node: nodes.Element) -> str:
        text = node.astext().replace("\n", " ")
        text = text.replace("|", r"\|") if self.in_table else text
        space = " " if "`" in text[:1] + text[-1:] else ""
        return fence(text, 1) + space + text + space + fence(text, 1)

    def _write_literal_strong(self, node: nodes.Element) -> str:
        return f"<strong>{self.inlines(node)}</strong>"

    def _write_emphasis(self, node: nodes.emphasis) -> str:
        return self._emphasised(node, "*", "em")

    def _write_strong(self, node: nodes.strong) -> str:
        return self._emphasised(node, "**", "strong")

    def _emphasised(self, node: nodes.TextElement, mark: str, tag: str) -> str:
        beside = node.parent.children
        place = beside.index(node)
        before, after = beside[max(place - 1, 0) : place], beside[place + 1 : place + 2]
        letters = "".join([*(other.astext()[-1:] for other in before), *(other.astext()[:1] for other in after)])
        text = self.inlines(node)
        nested = isinstance(node.parent, type(node))
        if nested or re.search(r"\w", letters):  # where Markdown's marks do not hold
            return f"<{tag}>{text}</{tag}>"
        return f"{mark}{text}{mark}"

    def _write_reference(self, node: nodes.reference) -> str:
        target = self.book.target(self.page, node)
        address = node.get("refuri", "")
        if target:
            page, anchor = target
            cell = self.book.cells.get(target)
            if cell is not None and cell != self.cell:  # which JupyterLab finds even if it has not drawn it yet
                address = f"{page}.ipynb#cell-id={cell}"
            else:
                address = ("" if page == self.page else f"{page}.ipynb") + (f"#{anchor}" if anchor else "")
        return f"[{self.inlines(node)}]({address.replace('(', '%28').replace(')', '%29')})"

    def _write_raw(self, node: nodes.raw) -> str:
        return node.astext() if "html" in node["format"].split() else ""

    # Blocks

    def _write_title(self, node: nodes.title) -> str:
        """The title of a section, with its number."""
        section, level = node.parent, 1
        while isinstance(section.parent, nodes.section):
            section, level = section.parent, level + 1
        anchor = "" if level == 1 else f"#{node.parent['ids'][0]}"
        number = "".join(f"{part}." for part in self.book.env.toc_secnumbers.get(self.page, {}).get(anchor) or ())
        return self.anchors(node.parent) + " ".join(filter(None, ["#" * level, number, self.inlines(node)]))

    def _write_paragraph(self, node: nodes.paragraph) -> str:
        blocks = [""]
        for child in node.children:
            if isinstance(child, nodes.Text | nodes.Inline):
                blocks[-1] += self.write(child)
            else:
                blocks += [self.write(child), ""]
        blocks[::2] = (MARK.sub(r"\1\\\2", lines.strip()) for lines in blocks[::2])
        return "\n\n".join(filter(None, blocks))

    def _write_math_block(self, node: nodes.math_block) -> str:
        tex = node.astext() if node["nowrap"] else lines_of(node.astext())
        number = self.book.number(self.page, "displaymath", node)
        lines = [*filter(str.strip, tex.split("\n")), rf"\tag{{{number}}}" if number else ""]
        return "\n".join(["$$", *filter(None, lines), "$$"])

    def _write_literal_block(self, node: nodes.literal_block) -> str:
        return fenced(node.astext(), node.get("language", ""))

    def _write_doctest_block(self, node: nodes.doctest_block) -> str:
        return fenced(node.astext(), "python")

    def _write_bullet_list(self, node: nodes.bullet_list) -> str:
        return self._list(node, ["- " for _ in node.children])

    def _write_enumerated_list(self, node: nodes.enumerated_list) -> str:
        return self._list(node, [f"{number}. " for number, _ in enumerate(node.children, node.get("start", 1))])

    def _list(self, node: nodes.Element, marks: list[str]) -> str:
        texts = [self.anchors(item) + self.blocks(*item.children) for item in node.children]
        items = [indented(text, mark, " " * len(mark)) for text, mark in zip(texts, marks, strict=True)]
        return ("\n\n" if any("\n\n" in text for text in texts) else "\n").join(items)

    def _write_block_quote(self, node: nodes.block_quote) -> str:
        return indented(self.blocks(*node.children), "> ", "> ")

    def _write_table(self, node: nodes.table) -> str:
        self.in_table = True
        rows = [
            [" ".join(self.blocks(*entry.children).split("\n")) for entry in row.findall(nodes.entry)]
            for row in node.findall(nodes.row)
        ]
        self.in_table = False
        if not any(node.findall(nodes.thead)):
            rows.insert(0, [""] * len(rows[0]))
        rows.insert(1, [":---"] * len(rows[0]))
        captions = [self.caption("table", node, title) for title in node.findall(nodes.title)]
        return "\n\n".join([*captions, "\n".join(f"| {' | '.join(row)} |" for row in rows)])

    def _write_container(self, node: nodes.container) -> str:
        return self.blocks(*node.children)

    def _write_compound(self, node: nodes.compound) -> str:
        return self.blocks(*node.children)

    def _write_rubric(self, node: nodes.rubric) -> str:
        return f"**{self.inlines(node)}**"

    def _write_citation(self, node: nodes.citation) -> str:
        label, *text = node.children
        return f"{escape(f'[{label.astext()}]')} {self.blocks(*text)}"

    def _write_Admonition(self, node: nodes.Element) -> str:
        title, rest = admonitionlabels.get(node.tagname, ""), list(node.children)
        if isinstance(rest[0], nodes.title):
            title = self.inlines(rest.pop(0))
        return boxed(ADMONITION, f"**{title}**", self.blocks(*rest))

    def _write_dropdown_main(self, node: nodes.Element) -> str:
        title, body = node.children
        summary = html.escape(next(iter(title.findall(nodes.inline))).astext())
        return f"<details><summary><strong>{summary}</strong></summary>\n\n{self.blocks(body)}\n\n</details>"

    # The glossary

    def _write_glossary(self, node: nodes.Element) -> str:
        return self.blocks(*node.children)

    def _write_definition_list(self, node: nodes.definition_list) -> str:
        return self.blocks(*node.children)

    def _write_definition_list_item(self, node: nodes.definition_list_item) -> str:
        return self.blocks(*node.children)

    def _write_term(self, node: nodes.term) -> str:
        return f"**{self.inlines(node)}**"

    def _write_definition(self, node: nodes.definition) -> str:
        return boxed(DEFINED, self.blocks(*node.children))

    # Statements and proofs, of sphinx-proof

    def _write_theorem_node(self, node: nodes.Element) -> str:
        title, content = node.children
        number = self.book.number(self.page, node["countertype"], node)
        mark = " · *main result*" if "main" in node["classes"] else ""
        heading = f"**{node['realtype'].title()} {number}** {self.inlines(title).strip()}"
        return boxed(STATEMENT, heading.strip() + mark, self.blocks(*content.children))

    def _write_proof_node(self, node: nodes.Element) -> str:
        idea, blocks = parts_of_proof(node)
        told = "<em>Proof</em>" if idea is None else f"<em>Proof.</em> Idea:{''.join(map(self._plain, idea))}"
        return f'<details style="{PROOF}"><summary>{told}</summary>\n\n{self.blocks(*blocks)}\n\n</details>'

    def _plain(self, node: nodes.Node) -> str:
        """A part of a line as HTML, where Markdown does not hold."""
        if isinstance(node, nodes.math):
            return self.write(node)
        text = html.escape(node.astext(), quote=False)
        return "".join(map(self._plain, node.children)) if node.children else text

    # Questions, of this extension

    def _write_guess_node(self, node: nodes.Element) -> str:
        question, *answer = node.children
        options = "\n".join(f"- {escape(option)}" for option in node["options"])
        folded = f"<details><summary>Answer</summary>\n\n{self.blocks(*answer)}\n\n</details>"
        return f"**{self.inlines(question)}**\n\n{options}\n\n{folded}"

    # The package's documentation, of autodoc

    def _write_desc(self, node: nodes.Element) -> str:
        return self.blocks(*node.children)

    def _write_desc_signature(self, node: nodes.Element) -> str:
        parts = [child.astext() for child in node]
        for place, child in enumerate(node.children):
            if isinstance(child, addnodes.desc_parameterlist):
                names = [parameter.astext() for parameter in child.children]
                in_line = len("".join(parts)) <= WIDTH
                parts[place] = f"({', '.join(names)})" if in_line else "(\n    " + ",\n    ".join(names) + "\n)"
        return fenced("".join(parts), "python")

    def _write_desc_content(self, node: nodes.Element) -> str:
        return boxed(DEFINED, self.blocks(*node.children)) if len(node) else ""

    def _write_field_list(self, node: nodes.field_list) -> str:
        fields = (field.children for field in node.children)
        return "\n\n".join(f"**{name.astext()}**\n\n{self.blocks(*body.children)}" for name, body in fields)


def needs(page: str, notebook: NotebookNode, repository: str) -> str:
    """What the first cell of a page with code says: what the notebook needs, and how to get it."""
    supported = SpecifierSet(metadata("mtfl")["Requires-Python"])
    *versions, last = (f"3.{minor}" for minor in range(100) if f"3.{minor}" in supported)
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    has_data = any("data/" in source for source in code)
    data = ", and beside the notebook the book's folder `data`" if has_data else ""
    clone = f" (`git clone {repository}`)" if repository else ""
    package = f"mtfl[book] @ git+{repository}" if repository else ".[book]"
    return boxed(
        NEEDS,
        f"**To run this notebook** you need Python {', '.join(versions)} or {last} and the package `mtfl`{data}. "
        f"The book's repository{clone} has them: there, `make lab` sets them up and opens every chapter in JupyterLab; "
        f'`pip install "{package}"` puts the package into an environment of yours. Figures appear when the cells have '
        f"run. This text is made from `book/{page}.ipynb`: a change that is to stay in the book belongs there.",
    )


def notebook(book: Book, page: str) -> NotebookNode:
    """A page as a notebook for JupyterLab."""
    translator, source = Translator(book, page), book.notebooks.get(page)
    texts, captions, number = defaultdict[int, dict[str, list[str]]](dict), {}, 0  # by the number of the page's cell
    for number, cell, part in book.parts[page]:
        translator.cell = cell
        if isinstance(part, nodes.Element) and part.get("nb_element") == "cell_code":
            figures = [
                (figure, text) for figure in part.findall(nodes.figure) for text in figure.findall(nodes.caption)
            ]
            captions[number] = "\n\n".join(
                translator.caption("table" if isinstance(figure, CellTable) else "figure", figure, text)
                for figure, text in figures
            )
        elif text := translator.write(part):
            texts[number].setdefault(cell, []).append(text)
    if source is None:
        cells = [nbformat.v4.new_markdown_cell() for _ in range(number + 1)]
        source = nbformat.v4.new_notebook(cells=cells, metadata=KERNEL)
    else:
        next(iter(texts[min(texts)].values())).insert(1, needs(page, source, book.repository))
    made, folds = nbformat.v4.new_notebook(metadata=source.metadata), folded(source.cells)
    for number, cell in enumerate(source.cells):
        for name, blocks in texts.pop(number, {}).items():
            made.cells.append(nbformat.v4.new_markdown_cell("\n\n".join(blocks), id=name))
        if cell.cell_type == "code":
            cell = copy.deepcopy(cell)
            if folds[number]:
                cell.metadata["jupyter"] = {"source_hidden": True}
            made.cells.append(cell)
        if caption := captions.get(number):
            made.cells.append(nbformat.v4.new_markdown_cell(boxed(CAPTION, caption), id=f"{cell.id}-caption"))
    assert not texts, f"text of {page} belongs to no cell"
    made.metadata["mtfl"] = {"written": digest(made)}
    return made


def setup(app: Sphinx) -> None:
    """Write all pages as notebooks, in place of those that Sphinx has copied for download."""
    resolved: dict[str, nodes.document] = {}

    def keep(app: Sphinx, page: nodes.document, name: str) -> None:
        resolved[name] = page

    def write_notebooks(app: Sphinx) -> list[tuple[str, dict[str, object], str]]:
        """Write them; no page is added to the site."""
        others = app.env.found_docs - resolved.keys()  # that have not changed; none, where all pages are built
        book = Book(app, resolved | {name: app.env.get_and_resolve_doctree(name, app.builder) for name in others})
        for page in book.pages:
            path = Path(app.outdir, "_sources", f"{page}.ipynb")
            path.parent.mkdir(parents=True, exist_ok=True)
            nbformat.write(notebook(book, page), path)
        return []

    app.connect("doctree-resolved", keep, priority=900)  # after all that change it
    app.connect("html-collect-pages", write_notebooks)  # when all pages and their sources are written
