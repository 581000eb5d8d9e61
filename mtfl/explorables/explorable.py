"""A figure for readers to move: on a page without Python, and in Jupyter as a widget.

A figure is one JavaScript module `NAME.js` in this folder that exports `render({ model, el })` and imports only from
`engine.js` and `ui.js`, or from others that its class names, and a subclass of :class:`Explorable` whose traits are its
state.
"""

from __future__ import annotations

import hashlib
import html
import json
import math
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from mtfl._checks import as_float, instance, real, require, shown, text

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


def bundle(figure: Path, also: tuple[str, ...] = ()) -> str:
    """One module out of the shared ones, those of names ``also`` and a figure's, without imports and exports.

    They share one scope.

    An import is one statement ``import { a, b } from "./ui.js";`` at the beginning of a line, and only functions and
    constants are exported, where they are declared.

    Raises:
        ValueError: if a module imports or exports in another way, or two modules declare the same name.
    """
    paths = [*(FOLDER / name for name in (*SHARED, *also)), figure]
    return _bundled(tuple((path.name, path.read_text("utf8")) for path in paths))


@lru_cache(maxsize=16)
def _bundled(modules: tuple[tuple[str, str], ...]) -> str:
    """The same of modules by name."""
    parts, owner = [], {}
    for module, code in modules:
        source = EXPORT.sub("", IMPORT.sub("", code))
        if other := LEFT_OVER.search(source):
            raise ValueError(
                f"bundle: {module} must be bundled by its plain imports and exports; got {other[0]!r}. "
                'Write `import { a } from "./ui.js";` and `export function`.'
            )
        for name in DECLARED.findall(source):
            if name in owner:
                raise ValueError(
                    f"bundle: names must be declared by one module; got {name} in {owner[name]} and {module}. "
                    "Rename one."
                )
            owner[name] = module
        parts.append(source.strip())
    return "\n\n".join(parts) + "\n"


def inside_script(text: str) -> str:
    """JavaScript as it may stand between script tags."""
    return text.replace("</", "<\\/").replace("<!--", "<\\!--")


class Setting(traitlets.TraitType[Any, Any]):
    """A part of a figure's state that readers, links and Python set, and its rule, by which both languages judge.

    Here a value outside the rule is an error. In a link or an address it is taken for the nearest value within, by
    ``nearest`` of ``ui.js``.
    """

    def __init__(self, default: Any, **rule: Any) -> None:
        """Share value and rule with JavaScript."""
        super().__init__(default)
        self.rule = rule
        self.tag(sync=True)

    def named(self) -> str:
        """The setting's name."""
        assert self.name is not None
        return self.name


class Number(Setting):
    """A number from ``least`` to ``most``: whole, unless said otherwise, and infinity too where said so.

    ``most`` may depend on another setting: ``("r", {2: 15, 3: 255})``. When that one changes, this one keeps its last
    bits, so that patterns and tasks lose the features that are gone. JavaScript and a link call infinity "inf".
    """

    def __init__(
        self,
        default: int | float,
        *,
        least: int | float,
        most: int | float | tuple[str, dict[int, int]],
        whole: bool = True,
        infinite: bool = False,
    ) -> None:
        """Keep the rule."""
        super().__init__(default, least=least, most=most, whole=whole, infinite=infinite)
        self.tag(to_json=self.to_json, from_json=self.from_json)

    def most(self, figure: Explorable) -> int | float:
        """The largest value that the figure can show now, besides infinity."""
        most = figure.settings[self.named()]["most"]
        return most[1][getattr(figure, most[0])] if isinstance(most, tuple) else most

    def within(self, figure: Explorable, value: int | float) -> int | float:
        """What is left of a value after the setting that bounds it has changed, or of a default out of bounds."""
        if isinstance(self.rule["most"], tuple):
            return value % (int(self.most(figure)) + 1)
        least = figure.settings[self.named()]["least"]
        return value if value == math.inf else min(max(value, least), self.most(figure))

    def default(self, obj: Any = None) -> Any:
        """The default, or what is left of it."""
        value: Any = super().default(obj)
        return value if obj is None else self.within(obj, value)

    def validate(self, obj: Any, value: Any) -> int | float:
        """Refuse anything else."""
        where, rule = type(obj).__name__, obj.settings[self.named()]
        real(where, self.named(), value)
        if rule["infinite"] and value == math.inf:
            return math.inf
        least, most = rule["least"], self.most(obj)
        ok = bool(least <= value <= most and (value % 1 == 0 or not rule["whole"]))
        words = f"{'a whole number' if rule['whole'] else 'a number'} from {least} to {most}"
        if rule["infinite"]:
            words += ", or math.inf"
        require(ok, where, self.named(), words, shown(value), "Choose a value that the figure can show.")
        return int(float(value)) if rule["whole"] else float(value)

    @staticmethod
    def to_json(value: int | float, widget: Any) -> int | float | str:
        """To JavaScript."""
        return "inf" if value == math.inf else value

    @staticmethod
    def from_json(value: int | float | str, widget: Any) -> int | float | str:
        """From JavaScript."""
        return math.inf if value == "inf" else value


class Count(Number):
    """How many tasks: 1 to 1000, or infinitely many."""

    def __init__(self, default: int | float) -> None:
        """Keep the rule."""
        super().__init__(default, least=1, most=1000, infinite=True)


class Seed(Number):
    """A seed of JavaScript's generator, of 32 bits."""

    def __init__(self, default: int) -> None:
        """Keep the rule."""
        super().__init__(default, least=0, most=2**32 - 1)


class Choice(Setting):
    """One of some words."""

    def __init__(self, default: str, *, among: tuple[str, ...]) -> None:
        """Keep the rule."""
        super().__init__(default, among=among)

    def validate(self, obj: Any, value: Any) -> str:
        """Refuse anything else."""
        among = self.rule["among"]
        ok = isinstance(value, str) and value in among
        words = f"one of {', '.join(among)}"
        require(ok, type(obj).__name__, self.named(), words, shown(value), "Choose one of these words.")
        return value


class Output(traitlets.Any):
    """A number that the figure writes for Python to read; None before it is drawn."""

    def __init__(self) -> None:
        """Share it with JavaScript."""
        super().__init__(None, read_only=True)
        self.tag(sync=True)

    def validate(self, obj: Any, value: Any) -> Any:
        """Refuse anything else."""
        if value is not None:
            where, name = type(obj).__name__, str(self.name)
            real(where, name, value)
            ok = math.isfinite(as_float(where, name, value))
            require(ok, where, name, "finite", shown(value), "Leave it to the figure.")
        return value


class Explorable(anywidget.AnyWidget):
    """A figure with state. Subclasses name their module, describe themselves, and add settings and outputs.

    In Jupyter the traits are shared with the figure, both ways. Elsewhere the output is HTML that needs no Python, no
    server and no other file: the state as JSON, and one inline module with a stand-in for the widget's model (browsers
    refuse module files of a page that was itself opened as a file).

    A link in the text sets the state: ``[one task](#fig-neurons?tasks=1)`` for a figure of that name, which is also
    the name that its cell's metadata give it.

    Raises:
        TypeError: for an argument of another name, or a setting of a wrong kind.
        ValueError: for a setting that the figure cannot show.
    """

    module = ""
    """Name of the JavaScript module, without its ending."""

    also: tuple[str, ...] = ()
    """Modules that it imports from besides the shared ones, each after those that it imports from itself."""

    heights = ("30rem", "50rem")
    """Room kept for the figure before it is drawn, on a wide and on a narrow page."""

    name = traitlets.Unicode(help="what links call the figure").tag(sync=True)
    title = traitlets.Unicode(help="what a screen reader calls the group of picture and controls").tag(sync=True)
    alt = traitlets.Unicode(help="what the figure shows, for those who see no picture").tag(sync=True)
    settings = traitlets.Dict(read_only=True, help="the rules of the settings, those that others bound last").tag(
        sync=True
    )

    def __init__(self, **state: Any) -> None:
        """Set the state that differs from the figure's own."""
        for key, value in state.items():
            self._check(key, value)
        self._source = bundle(FOLDER / f"{self.module}.js", self.also)
        self._esm = self._source + "\nexport default { render };\n"
        self._css = (FOLDER / "explorables.css").read_text("utf8")
        super().__init__(**self._in_order(state))
        for key, rule in self.settings.items():
            if isinstance(rule.get("most"), tuple):
                self.observe(lambda change, key=key: self._follow(key), rule["most"][0])

    def __setattr__(self, key: str, value: Any) -> None:
        """Set what can be set."""
        if not key.startswith("_") and (key in self._own() or not hasattr(type(self), key)):
            self._check(key, value)
        super().__setattr__(key, value)

    def _check(self, key: str, value: Any) -> None:
        """The figure has a setting or a name that is called so, and names are text."""
        where, traits = type(self).__name__, self.traits()
        own = [name for name in self._own() if not traits[name].read_only]
        require(key in own, where, "arguments", f"among {', '.join(own)}", shown(key), "Correct the name.", TypeError)
        if key in ("name", "title", "alt"):
            text(where, key, value)

    def _own(self) -> list[str]:
        """Names of the traits that make the figure: the widget's own left out."""
        own = set(self.trait_names(sync=True)) - set(anywidget.AnyWidget.class_trait_names(sync=True))
        return sorted(key for key in own if not key.startswith("_"))

    def rules(self) -> dict[str, dict[str, Any]]:
        """The rule of each setting, as both languages judge by it."""
        return {key: dict(trait.rule) for key, trait in self.traits().items() if isinstance(trait, Setting)}

    @traitlets.validate("name", "title", "alt")
    def _in_unicode(self, proposal: Any) -> str:
        text(type(self).__name__, proposal.trait.name, proposal.value)
        return proposal.value

    @traitlets.default("settings")
    def _default_settings(self) -> dict[str, dict[str, Any]]:
        return dict(sorted(self.rules().items(), key=lambda item: isinstance(item[1].get("most"), tuple)))

    def _in_order(self, state: dict[str, Any]) -> dict[str, Any]:
        """A state with the settings last that others bound."""
        traits = self.traits()
        bound = {
            key for key in state if key in traits and isinstance(getattr(traits[key], "rule", {}).get("most"), tuple)
        }
        return {key: state[key] for key in sorted(state, key=bound.__contains__)}

    def _follow(self, key: str) -> None:
        trait = self.traits()[key]
        assert isinstance(trait, Number)
        self.set_trait(key, trait.within(self, getattr(self, key)))

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Take over what JavaScript sends."""
        where, traits = type(self).__name__, self.traits()
        instance(where, "the state", sync_data, dict)
        fixed = {key for key in self._own() if traits[key].read_only and not isinstance(traits[key], Output)}
        other = [key for key in sync_data if key not in self.keys or key in fixed]
        require(not other, where, "the state", "of settings and outputs", shown(other), "Correct the names.", TypeError)
        for key in sync_data.keys() & {"name", "title", "alt"}:
            text(where, key, sync_data[key])
        super().set_state(self._in_order(sync_data))

    def still(self) -> str:
        """A picture, as HTML, for those whose browser runs no script; none by default."""
        return ""

    def page(self) -> str:
        """The figure as HTML that stands alone: the same for the same state and sources."""
        state = json.dumps(self.get_state(self._own()), allow_nan=False).replace("<", "\\u003c")
        css = str(self._css)
        key = hashlib.sha256("\0".join((self._source, css, state, *self.heights)).encode()).hexdigest()[:12]
        script = inside_script(self._source + STAND_IN.replace("KEY", key))
        room = html.escape("--mtfl-wide: {}; --mtfl-narrow: {}".format(*self.heights))
        alt, title, name = html.escape(self.alt), html.escape(self.title), html.escape(self.name)
        return (
            f'<div class="mtfl-figure" data-key="{key}" data-address="#{name}"><style>{css}</style>'
            f'<div class="mtfl-x" role="group" aria-label="{title}" style="{room}">'
            f"<noscript>{self.still()}{alt} (The figure needs JavaScript.)</noscript></div>"
            f'<script type="application/json">{state}</script>\n<script type="module">\n{script}</script></div>'
        )

    def _repr_mimebundle_(self, **options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        data, metadata = super()._repr_mimebundle_(**options) or ({}, {})
        return data | {"text/html": self.page(), "text/plain": self.alt}, metadata
