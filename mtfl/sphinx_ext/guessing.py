"""Guess before you see: a question whose answer opens when the reader has chosen one of the options.

    :::{guess} How many tasks does it take?
    :options: 1 | 2 | 5 | 20
    :right: 20

    The answer, in any markup.
    :::

The options are radio buttons, so that a keyboard reaches them, and the style sheet opens the answer: no script is
needed. On paper, and in a browser that cannot do this, the answer is open.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

if TYPE_CHECKING:
    from collections.abc import Callable

    from sphinx.application import Sphinx
    from sphinx.writers.html5 import HTML5Translator


class guess_node(nodes.General, nodes.Element):  # as docutils names its nodes
    """A question: its words, then the blocks of its answer. Attributes: the options, which one is right, a number."""


class question_node(nodes.General, nodes.TextElement):
    """The words of a question."""


class Guess(SphinxDirective):
    """The directive. Its argument is the question, its content the answer."""

    required_arguments = 1
    final_argument_whitespace = True
    has_content = True
    option_spec: ClassVar[dict[str, Callable[[str], Any]] | None] = {
        "options": directives.unchanged_required,
        "right": directives.unchanged_required,
    }

    def run(self) -> list[nodes.Node]:
        """Parse the question and the answer; without two options, the right one among them, the build stops."""
        self.assert_has_content()
        options = [option.strip() for option in self.options.get("options", "").split("|")]
        right = self.options.get("right", "")
        if len(options) < 2 or right not in options:
            raise self.error("guess: options must be at least two, with the right one among them: 'options: 1 | 2'.")
        *options, right = (words.replace("'", "\N{RIGHT SINGLE QUOTATION MARK}") for words in (*options, right))
        node = guess_node(options=options, right=right, number=self.env.new_serialno("guess"))
        words, messages = self.state.inline_text(self.arguments[0], self.lineno)
        node += question_node("", "", *words)
        self.set_source_info(node)
        self.state.nested_parse(self.content, self.content_offset, node)
        return [node, *messages]


def visit_guess(translator: HTML5Translator, node: guess_node) -> None:
    """Begin."""
    translator.body.append('<div class="mtfl-guess"><fieldset>')


def visit_question(translator: HTML5Translator, node: question_node) -> None:
    """Begin the words."""
    translator.body.append("<legend>")


def depart_question(translator: HTML5Translator, node: question_node) -> None:
    """End the words; after them the options, and the beginning of the answer."""
    guess = node.parent
    translator.body.append("</legend>\n")
    for option in guess["options"]:
        kind, text = ("mtfl-right" if option == guess["right"] else "mtfl-other"), html.escape(option)
        translator.body.append(
            f'<label class="{kind}"><input type="radio" name="guess-{guess["number"]}"><span>{text}</span></label>\n'
        )
    translator.body.append('</fieldset><div aria-live="polite"><div class="mtfl-answer">')
    translator.body.append('<p class="mtfl-answer-title">Answer</p>\n')


def depart_guess(translator: HTML5Translator, node: guess_node) -> None:
    """End."""
    translator.body.append("</div></div></div>\n")


def setup(app: Sphinx) -> None:
    """Add the directive."""
    app.add_node(guess_node, html=(visit_guess, depart_guess))
    app.add_node(question_node, html=(visit_question, depart_question))
    app.add_directive("guess", Guess)
