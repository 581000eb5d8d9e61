"""Guess before you see: the answer opens for any reader who chooses, and for none before."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from opened import PAGES, SITE, Opened

from mtfl.tasks import limit_kernel

# What bears out each right option: the numbers that its answer takes from the page's cells.
BORNE_OUT: dict[str, Callable[[list[float]], bool]] = {
    "20": lambda x: x[0] < x[1] < 90 < x[2],  # per cent, of 2, 5 and 20 tasks
    "more often": lambda _: [round(210 * (1 + limit_kernel(r, "balanced")[0, 1].item())) for r in (2, 3)] == [140, 180],
    "it fades to zero": lambda x: not x,  # a statement: prop-fixed-heads
    "half as fast": lambda x: abs(x[1] / x[0] - 1 / 2) < 0.01,
    "it falls to about an eighth": lambda x: abs(x[1] / x[0] - 1 / 8) < 0.01,
    "8": lambda x: x[0] == 8,
    'only "all three"': lambda x: x[0] > 0.8 and x[3] < 0.2,
    "no better than a coin": lambda x: x[0] > 0.95 and abs(x[1] - 0.5) < 0.05,
    "it falls, and settles": lambda x: x[0] > x[2] + 0.1 and abs(x[2] - x[4]) < 0.02,
    "200": lambda x: x[1] == 128 and x[0] < 0.5 < x[2],
    "all of it": lambda x: abs(x[1] / x[0] - 1) < 0.1 and x[4] / x[3] < 1 / 8,
    "not faster": lambda x: abs(x[0] - 1) < 0.05,
    "about ten": lambda x: min(x[1] - x[0], x[1] - x[2]) > 0.3,  # per cent, of 1, 16 and 128 tasks
    "more than four fifths": lambda x: 0.8 < x[0] < x[1],
    "nothing": lambda x: not x,  # a statement: prop-neighbour-one-label
    "it grows by a third": lambda x: abs(x[1] / x[0] - 4 / 3) < 0.1 and x[2] > x[3],
    "a hundred times smaller ones": lambda x: x[0] < 0.7 * min(x[1:3]),
    "less than one time in two hundred": lambda x: x[-1] < 1 / 200,
    "about 30": lambda x: x[0] == 32 and max(x[1:3]) < 0.25 < x[4],  # shares of errors
    "on those with leftovers": lambda x: x[1] > x[2] + 0.01,
    "0.7": lambda x: abs(x[0] - 0.7) < 0.1 and x[1] < 0.2,
}
# Experiments, whose answers tests/test_laboratory.py measures; no number stands in them.
BORNE_OUT |= dict.fromkeys(
    (
        "nearly all of it",
        "one direction before all others",
        "in energy, not in conditioning",
        "five, and more for evenness",
        "both fall, that of uniform labels far more",
        "much on the features of many tasks, little on random ones",
        "it stays lower for a while",
        "unevenly: one falls behind",
        "a line",
        "little: they are nearer to random ones",
        "that of the centred labels",
        "yes, somewhat later",
        "far less well",
        "no more than guess",
        "nothing at all",
        "about half as far",
        "hardly more than by chance",
    ),
    lambda x: not x,
)
WITH_GUESSES = [name for name in PAGES if 'class="mtfl-guess"' in (SITE / name).read_text("utf8")]
# The right options of some pages, each with its answer.
ANSWERS = """async names => {
    const parser = new DOMParser(), found = [];
    for (const name of names) {
        const page = parser.parseFromString(await (await fetch(name)).text(), "text/html");
        for (const guess of page.querySelectorAll(".mtfl-guess")) {
            const answer = guess.querySelector(".mtfl-answer");
            answer.querySelectorAll("a, mjx-container").forEach(part => part.remove());
            found.push([guess.querySelector(".mtfl-right").textContent.trim(), answer.textContent]);
        }
    }
    return found;
}"""


@pytest.mark.parametrize("how", ["mouse", "keyboard", "touch"])
@pytest.mark.parametrize("script", [True, False])
def test_the_answer_opens_when_an_option_is_chosen(
    open_page: Callable[..., Opened], served: str, how: str, script: bool
) -> None:
    view: dict[str, Any] = {"java_script_enabled": script, "has_touch": how == "touch", "reduced_motion": "reduce"}
    page = open_page(served, "story.html", **view).page
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


# Which answers are seen.
SEEN = """() => [...document.querySelectorAll(".mtfl-guess .mtfl-answer")].map(answer =>
    answer.checkVisibility({ visibilityProperty: true }) && answer.getBoundingClientRect().height > 0)"""
# Press a wrong option of each guess, where a pointer finds it: which answers were seen before, whether the pointer has
# found it, how many right options there are, and their border before and after.
GUESS = f"""() => [...document.querySelectorAll(".mtfl-guess")].map(guess => {{
    const right = guess.querySelectorAll(".mtfl-right > span"), other = guess.querySelector(".mtfl-other");
    const border = () => getComputedStyle(right[0]).borderTopColor, seen = ({SEEN})(), before = border();
    other.scrollIntoView({{ block: "center", behavior: "instant" }});
    const {{ x, y, width, height }} = other.getBoundingClientRect();
    const found = document.elementFromPoint(x + width / 2, y + height / 2);
    found.click();
    return [seen, other.contains(found), right.length, before, border()];
}})"""


FORGET = """() => {
    for (const option of document.querySelectorAll(".mtfl-guess input")) option.checked = false;
    scrollTo({ top: 0, behavior: "instant" });
}"""


def test_each_guess_keeps_its_answer_until_one_chooses_or_prints(shown: Opened, name: str) -> None:
    page = shown.page
    if name not in WITH_GUESSES:
        assert page.evaluate(SEEN) == []
        return
    page.emulate_media(media="print", reduced_motion="reduce")
    printed = page.evaluate(SEEN)
    assert printed and all(printed)
    page.emulate_media(media="screen")
    for number, (seen, is_found, rights, before, after) in enumerate(page.evaluate(GUESS)):
        assert seen == [place < number for place in range(len(printed))]
        assert is_found
        assert rights == 1
        assert after != before
    assert all(page.evaluate(SEEN))
    page.evaluate(FORGET)
    page.emulate_media(media="null", reduced_motion="null")


def test_the_right_options_are_what_the_cells_show(open_page: Callable[..., Opened], served: str) -> None:
    found = dict(open_page(served, "references.html").page.evaluate(ANSWERS, WITH_GUESSES))
    assert set(found) == set(BORNE_OUT)
    numbers = {right: [float(x) for x in re.findall(r"\d+(?:\.\d+)?", answer)] for right, answer in found.items()}
    assert [right for right, holds in BORNE_OUT.items() if not holds(numbers[right])] == []
