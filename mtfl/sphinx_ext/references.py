"""Each work of the bibliography names the pages that cite it, and leads to where they do.

The bibliography (of ``sphinxcontrib-bibtex``) has such links only where it stands on the page that cites.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from docutils import nodes

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinxcontrib.bibtex.domain import BibtexDomain


def add_citing_pages(app: Sphinx, page: nodes.document, name: str) -> None:
    """Put links to the first citation of each other page, in the order of the book, behind the works of a page."""
    env, works = app.env, {anchor: work for work in page.findall(nodes.citation) for anchor in work["ids"]}
    if not works:
        return
    domain = cast("BibtexDomain", env.get_domain("cite"))
    order = [env.config.root_doc, *env.toctree_includes[env.config.root_doc]]
    for citation in domain.citations:
        work = works.get(citation.citation_id)
        if work is None:
            continue
        first: dict[str, str] = {}
        for reference in domain.citation_refs:
            if reference.docname != name and any(target.key == citation.key for target in reference.targets):
                first.setdefault(reference.docname, reference.citation_ref_id)
        links: list[nodes.Node] = []
        for citing in sorted(first, key=order.index):
            chapter = env.toc_secnumbers.get(citing, {}).get("")
            text = f"ch. {chapter[0]}" if chapter else env.titles[citing].astext()
            address = f"{app.builder.get_relative_uri(name, citing)}#{first[citing]}"
            whole = ["mtfl-whole"] if chapter else []
            link = nodes.reference("", text, refuri=address, internal=True, classes=whole)
            links += [nodes.Text(", " if links else " ["), link]
        if links:
            paragraph = work.children[-1]
            assert isinstance(paragraph, nodes.paragraph)
            paragraph += nodes.inline("", "", *links, nodes.Text("]"), classes=["mtfl-cited"])


def setup(app: Sphinx) -> None:
    """Add them when the pages are resolved."""
    app.connect("doctree-resolved", add_citing_pages)
