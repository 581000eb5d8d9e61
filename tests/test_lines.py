"""Where lines of the site may end: in a formula, around one, and in a box of code or output."""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from docutils import nodes
from docutils.utils import new_document

from mtfl.sphinx_ext import code
from mtfl.sphinx_ext.mathematics import Together, Typesetter


@pytest.fixture(scope="module")
def typesetter() -> Iterator[Typesetter]:
    typesetter = Typesetter()
    yield typesetter
    typesetter.close()


def parts(html: str) -> list[str]:
    """The characters between the places where a formula may go on in the next line."""
    drawn = html.partition("<mjx-assistive")[0]
    return ["".join(chr(int(c, 16)) for c in re.findall(r"mjx-c([0-9A-F]+)", part)) for part in drawn.split("<wbr>")]


@pytest.mark.parametrize(
    ("tex", "ends"),
    [
        ("a = b", []),  # short
        ("aaaaaaaa = bbbbbbbb = cccccccc", "=="),
        ("aaaa + bbbbb = cccccccc", "="),  # better than at the plus, and each part is short
        ("aaaaaaaaaaaa + bbbbbbbb = cccccccc", "+="),
        ("aaaaaaaa = bbb, cccccccc", ","),
        (r"f(aaaaa + bbbb) = cccc", ["="]),  # not inside brackets ...
        (r"f(aaaaaaaaa + bbbbbb) = c", ["="]),  # ... even if the line would do with less ...
        (r"f(aaaaaaaaaa + bbbbbbbbbbb) = c", ["+", "="]),  # ... unless what they hold fills a line of a phone
        (r"\displaystyle aaaaaaaa = bbbbbbbb = cccccccc", "=="),
        (r"aaaaaaaaaa\,bbbbbbbbb\,ccccccccc", None),  # between factors
        ("aaaaaaaaaaaaaaaaaaaaaaaaaaa", []),
        ("-aaaaaaaaaaaaaaaaaaaaaaaaaa", []),  # a sign is no difference
    ],
)
def test_a_long_formula_in_the_text_breaks_after_its_signs(typesetter: Typesetter, tex: str, ends: Any) -> None:
    found = parts(typesetter.formula(tex, False))
    if ends is None:
        assert len(found) == 3
    else:
        assert [part[-1] for part in found[:-1]] == list(ends)


def test_a_displayed_formula_breaks_before_its_signs(typesetter: Typesetter) -> None:
    sides = ["a" * 14, "b" * 14, "c" * 14]
    found = parts(typesetter.formula(rf"{sides[0]} = {sides[1]} \le {sides[2]}", True))
    assert [part[0] for part in found[1:]] == ["=", "≤"]
    aligned = rf"\begin{{split}}{sides[0]} &= {sides[1]} + {sides[2]} \\ &= d\end{{split}}"
    assert [part[0] for part in parts(typesetter.formula(aligned, True))[1:]] == ["+"]


def test_a_display_that_must_scroll_on_a_phone_is_reached_by_keyboard(typesetter: Typesetter) -> None:
    assert "tabindex" in typesetter.formula(rf"\frac{{{'a' * 40}}}{{2}}", True)
    assert "tabindex" in typesetter.formula("a" * 40, True)
    assert "tabindex" not in typesetter.formula(" + ".join("a" * 40), True)
    assert "tabindex" not in typesetter.formula("a" * 40, False)


def test_an_alignment_wider_than_a_phone_is_given_up_there(typesetter: Typesetter) -> None:
    wide = rf"\begin{{split}}{'a' * 20} &= b + {'c' * 20} \\ &= d\end{{split}}"
    assert "mtfl-loose" in typesetter.formula(wide, True)
    lines = rf"\begin{{aligned}}{wide} \\ {wide}\end{{aligned}}"
    assert typesetter.formula(lines, True).count("mtfl-loose") == 2
    assert len(parts(typesetter.formula(lines, True))) == 2 * len(parts(typesetter.formula(wide, True))) - 1
    assert "mtfl-loose" not in typesetter.formula(r"\begin{split}a &= b \\ &= d\end{split}", True)


def together(*children: nodes.Node) -> list[str]:
    """What stays in one line after the transform, formulas as $x$."""
    document = new_document("page")
    document += nodes.paragraph("", "", *children)
    text = document.astext()
    Together(document).run()
    assert document.astext() == text  # nothing lost, nothing moved
    kept = document.findall(lambda node: isinstance(node, nodes.inline) and "mtfl-together" in node["classes"])
    return [
        "".join(f"${n.astext()}$" if isinstance(n, nodes.math) else n.astext() for n in node.children) for node in kept
    ]


def x() -> nodes.math:
    return nodes.math("", "x")


@pytest.mark.parametrize(
    ("before", "after", "kept"),
    [
        ("Let ", ", and", "$x$,"),
        ("for all (", ") it", "($x$)"),
        ("the ", "-dimensional space", "$x$-"),
        ("the ", "th task.", "$x$th"),
        ("so “", ".” Then", "“$x$.”"),
        ("one ", " two", "$x$"),
        ("and/", "/or", "$x$/"),
    ],
)
def test_what_touches_a_formula_stays_with_it(before: str, after: str, kept: str) -> None:
    assert together(nodes.Text(before), x(), nodes.Text(after)) == [kept]


def test_two_formulas_may_part_at_their_dash_and_equal_texts_are_told_apart() -> None:
    assert together(x(), nodes.Text("–"), x(), nodes.Text(", "), x(), nodes.Text(", ")) == ["$x$–", "$x$,", "$x$,"]
    assert together(x()) == ["$x$"]


def box(kind: str, *lines: str) -> str:
    body = "\n".join(lines)
    return f'<div class="{kind}"><div class="highlight"><pre><span></span>{body}\n</pre></div></div>'


def mended(page: str) -> str:
    context = {"body": page}
    code.mend_page(SimpleNamespace(), "page", "page.html", context, None)  # type: ignore[arg-type]
    return context["body"]


def test_a_line_of_code_knows_where_it_begins() -> None:
    page = mended(box("highlight-ipython3", "<b>if</b> x &lt; 1:", "", "    <b>pass</b>"))
    assert '<span class="mtfl-code-line"><b>if</b> x &lt; 1:</span>\n' in page
    assert '\n\n<span class="mtfl-code-line" style="--mtfl-indent: 4">    <b>pass</b></span>\n' in page
    assert re.sub(r"<[^>]*>", "", page) == "if x &lt; 1:\n\n    pass\n"


def test_a_long_word_goes_on_at_its_joints() -> None:
    def parts(*tokens: str) -> list[str]:
        line = mended(box("highlight-ipython3", "".join(f'<span class="p">{token}</span>' for token in tokens)))
        return re.sub(r"<(?!wbr)[^>]*>", "", line).strip().split("<wbr>")

    words = [
        "torch",
        ".",
        "normalize",
        "(",
        "features",
        ".",
        "sum",
        "()",
        ".",
        "abs",
        "()",
        ",",
        " ",
        "x",
        "[",
        "0",
        "]",
        ")",
    ]
    assert parts(*words) == ["torch.normalize(", "features.sum()", ".abs(), x[", "0])"]
    assert parts("relu", "(", "features", ")", ".", "abs", "()") == ["relu(features).abs()"]  # short enough
    name = '<span class="pre">mtfl.contrastive.one_step_heads()</span>'
    assert mended(name).count("<wbr>") == 4
    assert mended(name).replace("<wbr>", "") == name
    assert mended('<span class="pre">mtfl.relu_features()</span>').count("<wbr>") == 0


def test_printed_tables_keep_their_columns() -> None:
    table = box("output stream", "T     gap   n", "10    0.2   4", "100   0.1   8")
    assert "mtfl-printed" in mended(table)
    assert "mtfl-code-line" not in mended(table)
    assert "mtfl-printed" not in mended(box("output stream", "start  : energy 0.1", "uniform: energy 0.2", "x  y  z"))
    assert "mtfl-printed" not in mended(box("highlight-ipython3", "a = 1   # one  1", "b = 22  # two  2"))  # no output


def test_a_page_without_text_is_left_alone() -> None:
    context: dict[str, Any] = {}
    code.mend_page(SimpleNamespace(), "search", "search.html", context, None)  # type: ignore[arg-type]
    assert context == {}
