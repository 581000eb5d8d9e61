"""A search finds the section that explains its words, first, over http and in files, and says where that section is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from axe import violations_in_all_views
from opened import Opened

# What a student would type, and the section that explains it.
QUERIES = {
    "energy": "01_setup.html#what-learned-means",
    "conditioning": "01_setup.html#what-learned-means",
    "how many tasks": "06_how_many_tasks.html#how-many-tasks-and-how-many-inputs",
    "task kernel": "02_pseudo_contrastive_loss.html#the-task-kernel",
    "parity": "01_setup.html#random-tasks",
    "2:1 law": "03_multitask_training.html#infinitely-many-tasks-the-2-1-law",
    "Weight decay": "03_multitask_training.html#weight-decay-over-many-rounds",
    "principal angles": "01_setup.html#angles-between-subspaces",
    "marchenko-pastur": "06_how_many_tasks.html#thm-many-mp",
    "many tasks": "06_how_many_tasks.html#how-many-tasks-and-how-many-inputs",
    "transfer": "05_transfer.html#transfer-a-new-head-on-frozen-features",
    "sample_tasks": "api.html#mtfl.tasks.sample_tasks",
}


def found(opened: Opened) -> list[str]:
    """The addresses of the results, best first."""
    links = opened.page.locator("#search-results li > a")
    return links.evaluate_all("all => all.map(link => link.getAttribute('href'))")


def search(open_page: Callable[..., Opened], home: str, query: str) -> Opened:
    """The page of results for a query."""
    opened = open_page(home, f"search.html?q={quote(query)}")
    opened.page.wait_for_selector("#search-results .search-summary:not(:empty)")
    return opened


def test_what_explains_the_words_comes_first(open_page: Callable[..., Opened], address: str) -> None:
    opened = search(open_page, address, query := next(iter(QUERIES)))
    assert opened.page.input_value("input[name=q] >> nth=-1") == query
    first = {}
    for query in QUERIES:  # the first once more: a search leaves nothing behind
        opened.page.evaluate("query => Search.show(query)", query)
        first[query] = found(opened)[0]
    assert first == QUERIES
    assert (opened.errors, opened.away) == ([], [])


def test_every_result_leads_to_its_place(open_page: Callable[..., Opened], served: str, site: Path) -> None:
    opened = search(open_page, served, "task")
    links = [link.partition("#")[::2] for link in found(opened)]
    assert len({name for name, _ in links}) > 5
    links += opened.page.evaluate("Search.entries.map(({ page, anchor }) => [`${page}.html`, anchor])")
    pages = {name: (site / name).read_text("utf8") for name, _ in links}
    assert [link for name, link in links if f' id="{link}"' not in pages[name]] == []


def test_formulas_stand_as_text(open_page: Callable[..., Opened], served: str) -> None:
    texts = search(open_page, served, "task").page.evaluate("Search.entries.map(({ title, text }) => title + text)")
    assert sum("‖" in text for text in texts) > 20
    assert [text for text in texts if "\\" in text or "$" in text] == []


def test_a_name_is_found_with_and_without_its_accents(open_page: Callable[..., Opened], served: str) -> None:
    opened = search(open_page, served, "Marčenko")
    links = found(opened)
    assert len(links) > 1
    for query in ("marcenko", "MARČENKO", "Marc\u030cenko"):
        opened.page.evaluate("query => Search.show(query)", query)
        assert found(opened) == links
    assert opened.page.locator("#search-results mark").first.inner_text() == "Marčenko"


@pytest.mark.parametrize("query", ["energy", "conditioning", "tasks"])
def test_parts_of_the_package_come_last(open_page: Callable[..., Opened], served: str, query: str) -> None:
    opened = search(open_page, served, query)
    kinds = opened.page.evaluate("query => Search.find(query).map(({ kind }) => kind in Search.KINDS)", query)
    assert kinds == sorted(kinds, reverse=True)
    assert not all(kinds)  # there are such parts


def test_a_result_says_where_it_is_and_what_it_says(open_page: Callable[..., Opened], served: str) -> None:
    page = search(open_page, served, "conditioning").page
    statement = page.locator("#search-results li", has=page.locator("a[href$='#prop-both-needed']"))
    assert statement.locator(".mtfl-where").inner_text() == (
        "1. What can be learned at all › 1.5. What “learned” means"
    )
    first = page.locator("#search-results li").first
    assert first.locator("a").inner_text() == "1.5. What “learned” means"
    assert first.locator(".mtfl-where").inner_text() == "1. What can be learned at all"
    assert "conditioning" in first.locator(".context mark").first.inner_text().lower()
    assert len(first.locator(".context").inner_text()) < 300


@pytest.mark.parametrize(
    ("query", "same"),
    [
        ("Energies", "energy"),
        ("ENERGY", "energy"),
        ("énergy", "energy"),
        ("e\u0301nergy", "energy"),
        ("the energy", "energy"),
        ("condit", "conditioning"),
        (" energy ", "energy"),
    ],
)
def test_other_forms_find_the_same(open_page: Callable[..., Opened], served: str, query: str, same: str) -> None:
    assert found(search(open_page, served, query))[0] == QUERIES[same]


def test_a_sentence_finds_what_holds_most_of_it(open_page: Callable[..., Opened], served: str) -> None:
    links = found(search(open_page, served, "why is one task not enough"))
    assert links[0] == "04_single_task_failure.html#why-one-task-is-not-enough"


@pytest.mark.parametrize("query", ["xyzzy", "<img src=x onerror=alert(1)>", "((", "\\"])
def test_what_the_book_does_not_have(open_page: Callable[..., Opened], served: str, query: str) -> None:
    opened = search(open_page, served, query)
    assert found(opened) == [] or query.startswith("<")
    assert opened.page.locator("#search-results img").count() == 0
    if not found(opened):
        assert "Nothing" in opened.page.locator(".search-summary").inner_text()
    assert opened.errors == []


def test_the_results_are_accessible(open_page: Callable[..., Opened], served: str) -> None:
    opened = search(open_page, served, "energy")
    assert opened.page.locator(".search-summary[role=status]").count() == 1
    assert violations_in_all_views(opened) == []


def test_the_dialog_of_a_page_searches(open_page: Callable[..., Opened], address: str) -> None:
    opened = open_page(address, "intro.html")
    opened.page.keyboard.press("Control+k")
    opened.page.locator("#pst-search-dialog input").fill("task kernel")
    opened.page.keyboard.press("Enter")
    opened.page.wait_for_url("**/search.html?q=task+kernel")
    opened.page.wait_for_selector("#search-results .search-summary:not(:empty)")
    assert found(opened)[0] == QUERIES["task kernel"]
