"""A figure for readers to move: on a page without Python, and in Jupyter as a widget.

A figure is one JavaScript module `NAME.js` in this folder that exports `render({ model, el })` and imports only from
`engine.js` and `ui.js`, and a subclass of :class:`Explorable` whose traits are its state.
"""

from __future__ import annotations

import hashlib
import html
import json
import math
import re
from pathlib import Path
from typing import Any

import anywidget
import traitlets

FOLDER = Path(__file__).parent
SHARED = ("engine.js", "ui.js")

IMPORT = re.compile(r'^import \{[^{}]*\} from "\./[a-z_]+\.js";\n', flags=re.MULTILINE)
EXPORT = re.compile(r"^export (?=(?:function|const) )", flags=re.MULTILINE)
LEFT_OVER = re.compile(r"^(?:import|export)\b.*", flags=re.MULTILINE)
DECLARED = re.compile(r"^(?:async function|function|const|let|class) (\w+)", flags=re.MULTILINE)

# The state and its listeners: all that a figure asks of a widget's model.
STAND_IN = """
{
  const box = document.querySelector('.mtfl-figure[data-key="KEY"]:not([data-mounted])');
  box.dataset.mounted = "";
  const state = JSON.parse(box.querySelector("script[type='application/json']").textContent);
  const listeners = {};
  const model = {
    get: (key) => state[key],
    set(key, value) {
      if (state[key] === value) return;
      state[key] = value;
      [...(listeners[`change:${key}`] ?? [])].forEach((run) => run());
    },
    save_changes() {},
    on: (event, run) => (listeners[event] ??= []).push(run),
    off: (event, run) => (listeners[event] = (listeners[event] ?? []).filter((other) => other !== run)),
  };
  render({ model, el: box.querySelector(".mtfl-x") });
}
"""


def bundle(figure: Path) -> str:
    """One module out of the shared ones and a figure's, without imports and exports: they share one scope.

    An import is one statement ``import { a, b } from "./ui.js";`` at the beginning of a line, and only functions and
    constants are exported, where they are declared.

    Raises:
        ValueError: if a module imports or exports in another way, or two modules declare the same name.
    """
    parts, owner = [], {}
    for path in [*(FOLDER / name for name in SHARED), figure]:
        source = EXPORT.sub("", IMPORT.sub("", path.read_text("utf8")))
        if other := LEFT_OVER.search(source):
            raise ValueError(
                f"bundle: {path.name} must be bundled by its plain imports and exports; got {other[0]!r}. "
                'Write `import { a } from "./ui.js";` and `export function`.'
            )
        for name in DECLARED.findall(source):
            if name in owner:
                raise ValueError(
                    f"bundle: names must be declared by one module; got {name} in {owner[name]} and {path.name}. "
                    "Rename one."
                )
            owner[name] = path.name
        parts.append(source.strip())
    return "\n\n".join(parts) + "\n"


def inside_script(text: str) -> str:
    """JavaScript as it may stand between script tags."""
    return text.replace("</", "<\\/").replace("<!--", "<\\!--")


class Count(traitlets.TraitType[int | float, int | float]):
    """A whole number of at least 1, or infinity, which JavaScript and a link call "inf"."""

    info_text = "a whole number of at least 1, or math.inf"

    def __init__(self, default: int | float, **options: Any) -> None:
        """Share it with JavaScript."""
        super().__init__(default, **options)
        self.tag(sync=True, to_json=self.to_json, from_json=self.from_json)

    def validate(self, obj: Any, value: Any) -> int | float:
        """Refuse anything else."""
        whole = isinstance(value, int | float) and not isinstance(value, bool) and value >= 1 and value % 1 == 0
        if value == math.inf or whole:
            return value if value == math.inf else int(value)
        self.error(obj, value)

    @staticmethod
    def to_json(value: int | float, widget: Any) -> int | float | str:
        """To JavaScript."""
        return "inf" if value == math.inf else value

    @staticmethod
    def from_json(value: int | float | str, widget: Any) -> int | float:
        """From JavaScript."""
        return math.inf if value == "inf" else float(value)


class Explorable(anywidget.AnyWidget):
    """A figure with state. Subclasses name their module, describe themselves, and add traits with ``sync=True``.

    In Jupyter the traits are shared with the figure, both ways. Elsewhere the output is HTML that needs no Python, no
    server and no other file: the state as JSON, and one inline module with a stand-in for the widget's model (browsers
    refuse module files of a page that was itself opened as a file).

    A link in the text sets the state: ``[one task](#fig-neurons?tasks=1)`` for a figure of that name, which is also
    the name that its cell's metadata give it.
    """

    module = ""
    """Name of the JavaScript module, without its ending."""

    heights = ("30rem", "50rem")
    """Room kept for the figure before it is drawn, on a wide and on a narrow page."""

    name = traitlets.Unicode(help="what links call the figure").tag(sync=True)
    title = traitlets.Unicode(help="what a screen reader calls the group of picture and controls").tag(sync=True)
    alt = traitlets.Unicode(help="what the figure shows, for those who see no picture").tag(sync=True)

    def __init__(self, **state: Any) -> None:
        """Set the state that differs from the figure's own."""
        self._source = bundle(FOLDER / f"{self.module}.js")
        self._esm = self._source + "\nexport default { render };\n"
        self._css = (FOLDER / "explorables.css").read_text("utf8")
        super().__init__(**state)

    def page(self) -> str:
        """The figure as HTML that stands alone: the same for the same state and sources."""
        own = set(self.trait_names(sync=True)) - set(anywidget.AnyWidget.class_trait_names(sync=True))
        keys = sorted(key for key in own if not key.startswith("_"))
        state = json.dumps(self.get_state(keys), allow_nan=False).replace("<", "\\u003c")
        css = str(self._css)
        key = hashlib.sha256("\0".join((self._source, css, state, *self.heights)).encode()).hexdigest()[:12]
        script = inside_script(self._source + STAND_IN.replace("KEY", key))
        room = "--mtfl-wide: {}; --mtfl-narrow: {}".format(*self.heights)
        alt, title = html.escape(self.alt), html.escape(self.title)
        return (
            f'<div class="mtfl-figure" data-key="{key}"><style>{css}</style>'
            f'<div class="mtfl-x" role="group" aria-label="{title}" style="{room}">'
            f"<noscript>{alt} (The figure needs JavaScript.)</noscript></div>"
            f'<script type="application/json">{state}</script>\n<script type="module">\n{script}</script></div>'
        )

    def _repr_mimebundle_(self, **options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        data, metadata = super()._repr_mimebundle_(**options) or ({}, {})
        return data | {"text/html": self.page(), "text/plain": self.alt}, metadata
