"""What a search finds: sections, numbered statements and objects of the package, each with its own anchor.

Sphinx's own index knows pages, and a page here is forty screens long. Its place, and that of Sphinx's script, take the
entries of this module and ``static/searchtools.js``. Both are scripts, so that a search works in files as well.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from bs4 import BeautifulSoup
from bs4.element import PageElement, Tag

if TYPE_CHECKING:
    from sphinx.application import Sphinx

# What is no text of the page. A formula is read from its MathML, and stands as a line of text.
SILENT = re.compile(
    r"<(mjx-math|svg|script|style|noscript|pre|summary(?! class=\"mtfl-idea)|button)\b.*?</\1>"
    r"|<a class=\"headerlink\".*?</a>",
    re.DOTALL,
)
STATEMENT = "div.proof[id]:has(> p.admonition-title)"
PROOF = "details.mtfl-proof[id]"
SET_OFF = "em, strong, td:first-child"
HEADINGS = ["h1", "h2", "h3", "h4"]
SPACE = re.compile(r"\s+")

# Characters that stand as an index, as an exponent and as an accent, and signs with a space on each side.
BELOW = str.maketrans("0123456789+-−=()aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ")
ABOVE = str.maketrans("0123456789+-−=()abcdefghijklmnoprstuvwxyzT⊤′", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻᵀᵀ′")
ACCENTS = {"¯": "\u0304", "―": "\u0305", "^": "\u0302", "~": "\u0303"}
SIGNS = frozenset("+−±=≠≤≥<>≈∼→↦∈⊂≪≫:") | {":="}


def script(text: str, characters: dict[int, int], sign: str) -> str:
    """An index or an exponent: in the characters for it or, where there are none, behind a sign."""
    text = text.replace(" ", "")
    if all(ord(character) in characters for character in text):
        return text.translate(characters)
    return sign + (text if len(text) == 1 else f"({text})")


def factor(text: str) -> str:
    """A part of a fraction or under a root, in brackets where it is more than a product."""
    return f"({text})" if re.search(r"[ /,]", text) else text


def readable(node: PageElement) -> str:
    """A formula's MathML as a line of text, as one writes it in a letter: ‖WM‖_F², σᵣ/σ₁."""
    if not isinstance(node, Tag):
        return str(node)
    parts = [readable(child) for child in node.children]
    match node.name, parts:
        case "msub" | "munder", [base, below]:
            return base + script(below, BELOW, "_") + " " * (len(base) > 1 and base.isalpha())
        case "msup", [base, above]:
            return base + script(above, ABOVE, "^")
        case "msubsup" | "munderover", [base, below, above]:
            return base + script(below, BELOW, "_") + script(above, ABOVE, "^")
        case "mover", [base, accent]:
            return "".join(character + ACCENTS.get(accent, "") for character in base)
        case "mfrac", [above, below]:
            return f"{factor(above)}/{factor(below)}"
        case "msqrt", _:
            return f"√{factor(''.join(parts))}"
        case "mtr", _:
            return "".join(parts) + " "
        case "mspace", _:
            return " "
        case "mo", [sign]:
            before = node.find_previous_sibling()
            if sign in SIGNS and before and (before.name != "mo" or before.get_text() in ")]}⟩|‖⋯…"):
                return f" {sign} "
            return {",": ", ", "\u2061": " ", "\u2062": "", "\u2063": ""}.get(sign, sign)
    return "".join(parts)


class Entry(NamedTuple):
    """One thing to find."""

    page: str
    anchor: str
    kind: str
    """section, statement, proof, package (a section about it), or what Sphinx calls its objects: function ..."""
    title: str
    within: str
    """The section that a statement or a proof stands in; empty for others."""
    terms: list[str]
    """Words that the text of a section sets off, as it does where it says what they mean."""
    text: str


def words(node: PageElement | None) -> str:
    """The text of an element, on one line; none of what is not there."""
    return SPACE.sub(" ", node.get_text()).strip() if node else ""


def heading_of(section: Tag | None) -> Tag | None:
    """The heading of a section."""
    heading = section.find(HEADINGS, recursive=False) if section else None
    return heading if isinstance(heading, Tag) else None


def entries(page: str, body: str) -> list[Entry]:
    """Everything to find on a page, from the HTML of its text, sections first. Nothing is part of two entries."""
    soup = BeautifulSoup(SILENT.sub("", body), "html.parser")
    for number in soup.select(".eqno"):
        number.extract()
    for formula in soup("math"):
        formula.replace_with(readable(formula))

    def entry(node: Tag, kind: str, heading: Tag | None, within: str = "", mark: str = "") -> Entry:
        title = words(heading)
        if heading:
            heading.extract()
        set_off = [part for part in node.select(mark) if not part.find_parent("figcaption")] if mark else []
        terms = [words(part).strip(".,:;") for part in set_off]
        node.extract()
        return Entry(page, str(node["id"]), kind, title, within, terms, words(node))

    objects, statements = [], []
    for name in soup.select("dl.py > dt[id]"):
        kind = str(name.find_parent("dl").get_attribute_list("class")[-1])  # type: ignore[union-attr]  # it has one
        summary = name.find_next_sibling("dd").find("p", recursive=False)  # type: ignore[union-attr]
        anchor = str(name["id"])
        objects.append(Entry(page, anchor, kind, anchor.removeprefix("mtfl."), "", [], words(summary)))
    for listed in soup.select("dl.py"):
        listed.extract()
    for proof in soup.select(PROOF):
        proved = soup.find(id=str(proof["id"]).removesuffix("-proof"))
        title = f"Proof of {words(proved.find('p', class_='admonition-title'))}" if isinstance(proved, Tag) else "Proof"
        within = words(heading_of(proof.find_parent("section", id=True)))
        statements.append(entry(proof, "proof", None, within)._replace(title=title))
    for statement in soup.select(STATEMENT):
        within = words(heading_of(statement.find_parent("section", id=True)))
        statements.append(entry(statement, "statement", statement.find("p", class_="admonition-title"), within))
    kind = "package" if objects else "section"
    inner_first = reversed(soup.select("section[id]"))
    sections = [entry(section, kind, heading_of(section), mark=SET_OFF) for section in inner_first]
    return [*reversed(sections), *statements, *objects]


def index_script(found: list[Entry], titles: dict[str, str]) -> str:
    """The index as a script: the titles of pages by their names, and the entries."""
    rows = [[*entry] for entry in found]
    return f"Search.setIndex({json.dumps([titles, rows], ensure_ascii=False, separators=(',', ':'))})\n"


class Index:
    """The entries of all pages, gathered as pages are written, the chapters first."""

    def __init__(self) -> None:
        """Start empty."""
        self.found: list[Entry] = []
        self.titles: dict[str, str] = {}

    def read(self, app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any) -> None:
        """Take in a page that comes from a source."""
        if doctree is None:
            return
        whole, *parts = entries(pagename, context["body"])
        self.titles[pagename] = whole.title
        self.found.append(whole._replace(terms=[]))  # the head of a chapter only names what is explained later
        self.found += parts

    def write(self, app: Sphinx, exception: Exception | None) -> None:
        """Write the index in the place of Sphinx's."""
        if not exception and app.builder.format == "html":
            Path(app.outdir, "searchindex.js").write_text(index_script(self.found, self.titles), "utf8")


def setup(app: Sphinx) -> None:
    """Gather the index and write it. The script that reads it is one of the extension's static files."""
    index = Index()
    app.connect("html-page-context", index.read, priority=900)  # after the text is mended
    app.connect("build-finished", index.write)
