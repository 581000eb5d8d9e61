"""Tables that cells put out: numbered, captioned and referred to among the tables."""

from __future__ import annotations

from pathlib import Path

import nbformat
from test_folding import built

CONFIGURATION = """
extensions = ["myst_nb", "mtfl.sphinx_ext.tables"]
myst_enable_extensions = ["colon_fence"]
nb_execution_mode = "off"
html_theme = "basic"
root_doc = "page"
numfig = True
numfig_format = {"figure": "Figure %s", "table": "Table %s"}
"""
TABLE = "<table><tr><td>1</td></tr></table>"
TEXT = """{numref}`tab-one`, {numref}`tab-two`, {numref}`fig-one`.

:::{table} Written.
:name: tab-one

| a |
|---|
| 1 |
:::
"""


def shown(name: str) -> nbformat.NotebookNode:
    """A cell that has put out a table, with a name and a caption."""
    cell = nbformat.v4.new_code_cell("table()", outputs=[nbformat.v4.new_output("display_data", {"text/html": TABLE})])
    cell.metadata["mystnb"] = {"figure": {"name": name, "caption": f"**Of {name}.**"}}
    return cell


def test_a_table_of_a_cell_counts_among_the_tables(tmp_path: Path) -> None:
    page, warnings = built(tmp_path, TEXT, shown("tab-two"), shown("fig-one"), configuration=CONFIGURATION)
    assert warnings == ""
    assert page.select_one("p").get_text() == "Table 1, Table 2, Figure 1."  # type: ignore[union-attr]
    table, figure = page.select("figure")
    captions = [node.select_one("figcaption").get_text().split("#")[0].strip() for node in (table, figure)]  # type: ignore[union-attr]
    assert [caption.rstrip("\N{PILCROW SIGN}") for caption in captions] == [
        "Table 2 Of tab-two.",
        "Figure 1 Of fig-one.",
    ]
    assert table["id"] == "tab-two" and "mtfl-tabled" in table["class"] and "mtfl-tabled" not in figure["class"]
    assert table.select_one("table") is not None
