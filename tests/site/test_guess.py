"""Guess before you see: the answer opens for any reader who chooses, and for none before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from opened import Opened

PAGE = "story.html"


@pytest.mark.parametrize("how", ["mouse", "keyboard", "touch"])
@pytest.mark.parametrize("script", [True, False])
def test_the_answer_opens_when_an_option_is_chosen(
    open_page: Callable[..., Opened], served: str, how: str, script: bool
) -> None:
    view: dict[str, Any] = {"java_script_enabled": script, "has_touch": how == "touch", "reduced_motion": "reduce"}
    page = open_page(served, PAGE, **view).page
    guess = page.locator(".mtfl-guess")
    answer, options = guess.locator(".mtfl-answer"), guess.get_by_role("radio")
    options.first.scroll_into_view_if_needed()
    assert options.count() >= 3
    assert not answer.is_visible()
    if how == "mouse":
        guess.locator("label").nth(1).click()
    elif how == "touch":
        guess.locator("label").nth(1).tap()
    else:
        options.first.focus()
        page.keyboard.press("ArrowRight")
    assert options.nth(1).is_checked()
    assert answer.is_visible()
    assert guess.get_by_role("group").count() == 1  # the question names the options
    assert guess.locator("[aria-live=polite] .mtfl-answer").count() == 1


def test_one_option_is_right_and_shown_as_such_afterwards(open_page: Callable[..., Opened], served: str) -> None:
    page = open_page(served, PAGE, reduced_motion="reduce").page
    guess = page.locator(".mtfl-guess")
    right = guess.locator(".mtfl-right > span")
    assert right.count() == 1
    border = "node => getComputedStyle(node).borderTopColor"
    before = right.evaluate(border)
    guess.locator(".mtfl-other").first.click()
    assert right.evaluate(border) != before


def test_on_paper_the_answer_is_open(open_page: Callable[..., Opened], served: str) -> None:
    page = open_page(served, PAGE, reduced_motion="reduce").page
    answer = page.locator(".mtfl-answer")
    assert not answer.is_visible()
    page.emulate_media(media="print")
    assert answer.is_visible()
