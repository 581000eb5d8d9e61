"""The built book as one PDF, printed by the Chromium that the tests use.

    python book/pdf.py                   writes the whole book to _build/book.pdf
    python book/pdf.py 01_setup --out F  writes some pages of it

All pages are put into one document, which is printed at once: its links, bookmarks and page numbers go through the
whole book. A title page and the contents, with the page numbers that came out, go before it.
"""

from __future__ import annotations

import argparse
import html
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from pybtex.database import parse_file
from pybtex.plugin import find_plugin
from pypdf import PdfReader, PdfWriter
from pypdf.constants import PageLabelStyle
from pypdf.generic import ArrayObject, Destination, NameObject, TextStringObject

sys.path.append(str(Path(__file__).parents[1] / "tests"))
sys.path.append(str(Path(__file__).parents[1] / "tests" / "site"))

from opened import QUIET, SETTLED, SITE, find_browser
from playwright.sync_api import sync_playwright

from mtfl.sphinx_ext.citing import citation

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = Path(__file__).resolve().parents[1]
PAPER = {"format": "A4", "print_background": True}
CONTENTS = "https://contents.invalid/"  # what a line of the contents links to until its page is known

# One document of several pages: each is a section with the page's name as its id, and ids and links are made unique.
JOIN = """(pages) => {
    const parse = (text) => new DOMParser().parseFromString(text, "text/html");
    const whole = parse(pages[0][1]), names = new Set(pages.map(([name]) => name));
    const sheets = new Set([...whole.querySelectorAll("link")].map((sheet) => sheet.getAttribute("href")));
    let style = "";
    const parts = pages.map(([name, text, head], number) => {
        const page = parse(text), article = page.querySelector("article");
        style += head.replace("@page {", `@page chapter-${number} {`);
        for (const sheet of page.querySelectorAll("head link[rel=stylesheet]:not([href*='/heads/'])")) {
            if (!sheets.has(sheet.getAttribute("href"))) whole.head.append(sheet);
            sheets.add(sheet.getAttribute("href"));
        }
        for (const node of article.querySelectorAll("[id]:not(svg *)")) node.id = `${name}:${node.id}`;
        for (const link of article.querySelectorAll("a[href]:not(svg *)")) {
            const [file, fragment] = link.getAttribute("href").split("#");
            const target = [file ? file.replace(/[.]html$/, "") : name, fragment?.split("?")[0]].filter(Boolean);
            if (names.has(target[0])) link.setAttribute("href", `#${target.join(":")}`);
        }
        const folded = article.querySelectorAll("details.sd-dropdown, .mtfl-proof, .mtfl-code, .mtfl-lookup");
        for (const details of folded) details.open = true;
        const part = whole.createElement("section");
        part.id = name;
        part.style = `page: chapter-${number}; break-before: ${number ? "page" : "auto"}`;
        part.append(...article.childNodes);
        return part;
    });
    whole.querySelectorAll("script, head link[href*='/heads/']").forEach((node) => node.remove());
    const sheet = whole.createElement("style");
    sheet.media = "print";
    sheet.textContent = style;
    whole.head.append(sheet);
    const article = whole.querySelector("article");
    article.replaceChildren(...parts);
    for (let node = article; node !== whole.body; node = node.parentElement) {
        node.parentElement.replaceChildren(node);
    }
    whole.documentElement.dataset.theme = "light";
    return `<!DOCTYPE html>${whole.documentElement.outerHTML}`;
}"""
HEADINGS = """() => [...document.querySelectorAll("h1, h2, h3, h4, h5, h6")].map(heading => {
    heading.querySelector(".headerlink")?.remove();
    return heading.textContent.trim();
})"""
FRONT = """<!DOCTYPE html><html lang="en"><head><title>{title}</title><style>
@page {{ margin: 25mm 22mm }}
body {{ font: 10pt/1.5 sans-serif; color: #1f2328; margin: 0 }}
h1 {{ font-size: 30pt; line-height: 1.2; margin: 60mm 0 8mm; }}
h2 {{ font-size: 16pt; break-before: page }}
a {{ display: flex; color: inherit; text-decoration: none }}
a::before {{ content: ""; order: 1; flex: 1; margin: 0 1mm 0.3em; border-bottom: 0.5pt dotted #59636e }}
a span:last-child {{ order: 2 }}
.chapter {{ margin-top: 3mm; font-weight: 600; break-after: avoid }}
.section {{ padding-left: 6mm }}
</style></head><body><h1>{title}</h1><p>{about}</p><h2>Contents</h2>{lines}</body></html>"""


def names_of_pages() -> list[str]:
    """The names of the book's pages, in its order."""
    toc = yaml.safe_load((ROOT / "book" / "_toc.yml").read_text("utf8"))
    return [toc["root"], *(chapter["file"] for part in toc["parts"] for chapter in part["chapters"])]


def printed(browser: Browser, address: str, content: str, path: Path) -> list[str]:
    """Print a document to a file, as if it stood at this address; return its headings."""
    window = browser.new_context(color_scheme="light")
    window.set_default_timeout(0)
    page = window.new_page()
    page.route(address, lambda route: route.fulfill(body=content, content_type="text/html; charset=utf-8"))
    page.goto(address, wait_until="load")
    page.evaluate(SETTLED)
    page.pdf(path=path, outline=True, tagged=True, **PAPER)
    words = page.evaluate(HEADINGS)
    window.close()
    return words


def bookmarks(pdf: PdfWriter, items: list[Any] | None = None, depth: int = 0) -> Iterator[tuple[int, Destination]]:
    """The bookmarks of a PDF and their depth from 0, in order."""
    for item in pdf.outline if items is None else items:
        if isinstance(item, list):
            yield from bookmarks(pdf, item, depth + 1)
        else:
            yield depth, item


def paper() -> str:
    """The paper that the book accompanies, as the references have it."""
    entry = parse_file(str(ROOT / "book" / "references.bib"), "bibtex").entries["collins24a"]
    (formatted,) = find_plugin("pybtex.style.formatting", "plain")().format_entries([entry])
    return formatted.text.render_as("text")


def front_matter(title: str, about: str, found: list[tuple[int, str, int]]) -> str:
    """The title page and the contents as HTML: chapters and their sections, by depth, title and index of their page."""
    lines = (
        f'<a class="{("chapter", "section")[depth]}" href="{CONTENTS}{page}">'
        f"<span>{html.escape(words)}</span><span>{page + 1}</span></a>"
        for depth, words, page in found
        if depth < 2
    )
    return FRONT.format(title=html.escape(title), about=html.escape(about), lines="\n".join(lines))


def bind(pdf: PdfWriter, front: PdfReader) -> None:
    """Put the front matter before the book, link its lines to their pages, and number it i, ii ..."""
    shift = len(front.pages)
    for index, page in enumerate(front.pages):
        pdf.insert_page(page, index).pop("/StructParents", None)
    for page in pdf.pages[:shift]:
        for reference in page.get("/Annots", ()):
            link = reference.get_object()
            address = link.get("/A", {}).get("/URI", "")
            if address.startswith(CONTENTS):
                target = pdf.pages[int(address.removeprefix(CONTENTS)) + shift]
                del link["/A"]
                link[NameObject("/Dest")] = ArrayObject([target.indirect_reference, NameObject("/Fit")])
    pdf.set_page_label(0, shift - 1, style=PageLabelStyle.LOWERCASE_ROMAN)
    pdf.set_page_label(shift, len(pdf.pages) - 1, style=PageLabelStyle.DECIMAL, start=1)


def main() -> None:
    """Print the book."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", nargs="*", metavar="PAGE", help="such as 01_setup; all pages by default")
    parser.add_argument("--out", type=Path, default=ROOT / "_build" / "book.pdf")
    options = parser.parse_args()
    there = names_of_pages()
    names = list(dict.fromkeys(options.pages)) or there
    for name in (name for name in names if name not in there):
        parser.exit(2, f"pdf: PAGE must be one of {', '.join(there)}; got {name[:80]!r}. Correct the name.\n")
    for name in (name for name in names if not (SITE / f"{name}.html").is_file()):
        parser.exit(2, f"pdf: the site must be built; got no page {name}. Run make book.\n")
    if options.out.is_dir():
        parser.exit(2, f"pdf: --out must be a file to write; got the folder {options.out}. Name a file in it.\n")
    files = [(SITE / f"{name}.html", SITE / "_static" / "heads" / f"{name}.css") for name in names]
    texts = [
        (name, page.read_text("utf8"), head.read_text("utf8")) for name, (page, head) in zip(names, files, strict=True)
    ]
    book = citation(ROOT)
    address = (SITE / "book.html").resolve().as_uri()  # where its style sheets and pictures are found
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        body, front = Path(folder, "body.pdf"), Path(folder, "front.pdf")
        browser = playwright.chromium.launch(executable_path=find_browser(), args=list(QUIET), timeout=0)
        whole = browser.new_page().evaluate(JOIN, texts)
        titles = printed(browser, address, whole, body)
        pdf = PdfWriter(clone_from=body)
        found = []
        for (depth, item), words in zip(bookmarks(pdf), titles, strict=True):
            assert item.node is not None  # it comes from the file
            item.node[NameObject("/Title")] = TextStringObject(words)  # Chromium doubles a title at the head of a sheet
            found.append((depth, words, pdf.get_destination_page_number(item)))
        about = f"{book['author']}, {book['year']}. {paper()}"
        printed(browser, address, front_matter(book["title"], about, found), front)
        browser.close()
        bind(pdf, PdfReader(front))
    pdf.page_mode = "/UseOutlines"
    pdf.add_metadata({"/Title": book["title"], "/Author": book["author"]})
    options.out.parent.mkdir(parents=True, exist_ok=True)
    pdf.write(options.out)
    print(options.out)


if __name__ == "__main__":
    main()
