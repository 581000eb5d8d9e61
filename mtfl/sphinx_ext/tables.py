"""A table that a cell puts out has a caption as a figure's; it is numbered, and referred to, among the tables.

Its name in the cell's metadata begins with ``tab-``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx.transforms import SphinxTransform

if TYPE_CHECKING:
    from sphinx.application import Sphinx


class CellTable(nodes.figure):
    """A figure that is a table."""


class CellTables(SphinxTransform):
    """Make tables of the figures that are called so."""

    default_priority = 300  # long before anything is numbered

    def apply(self, **options: Any) -> None:
        """Put the table in the place of the figure."""
        for figure in list(self.document.findall(nodes.figure)):
            if any(name.startswith("tab-") for name in figure["ids"]):
                found = CellTable("", *figure.children, **figure.attributes)
                found["classes"].append("mtfl-tabled")
                figure.parent.replace(figure, found)
                self.document.ids.update(dict.fromkeys(found["ids"], found))


def setup(app: Sphinx) -> None:
    """Connect the step; on a page such a table is written as a figure is."""
    html = (lambda writer, node: writer.visit_figure(node), lambda writer, node: writer.depart_figure(node))
    app.add_enumerable_node(CellTable, "table", html=html)
    app.add_transform(CellTables)
