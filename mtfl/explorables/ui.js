/**
 * What figures are made of: a view on the state, native controls bound to it, and SVG pictures.
 *
 * A figure is a function `render({ model, el })`. The model is anywidget's (get, set, on, off, save_changes): in Jupyter
 * it is shared with Python, on a page it is a small stand-in. A figure shows what the state says and nothing else, so
 * that a slider, a link in a sentence and Python can all set it.
 */

// Elements

/** An HTML element with attributes (a function listens to an event, false leaves an attribute out) and children. */
export function html(tag, attributes = {}, ...children) {
  return dressed(document.createElement(tag), attributes, children);
}

/** An SVG element. */
export function svg(tag, attributes = {}, ...children) {
  return dressed(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function dressed(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(name, value);
    else if (value !== false) node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

const SIDEWAYS = 8; // pixels after which a finger means the slider, and by which a number in the text moves on

const unique = () => `mtfl-${Math.random().toString(36).slice(2)}`;

// The view

const QUIET = 700; // ms without a change before a screen reader hears of it
const REPORT = 150; // ms between reports to Python
const WRITE = 400; // ms between changes of the address: browsers take some two a second

/**
 * Open a view: what a figure's render function starts with, and whose `end` it returns.
 *
 * The element is emptied and becomes a group named by the state's title. Links in the text whose address is
 * `#NAME?key=value&key=value` set this state when NAME is its name, and what is not in the link stays as it is, or, where it
 * says `start` as well, becomes what it was at the start. A link of class mtfl-scrub, whose text is a number, gives way to that number as a slider (`numbers`).
 *
 * On a page the state stands in the address as well, in the same form: what differs from the figure's start. There it
 * is complete. Each entry of the history holds the states of all figures, so that Back, Forward and a reload bring them
 * back, while the address names the one that was moved last.
 * @returns an object with
 *   `get(key)`, `set({ key: value })`: the state, within its rules;
 *   `watch(keys, run)`: run now, and once after changes of these keys;
 *   `add(...nodes)`: append to the figure;
 *   `say(text, aloud)`: the sentence under the picture, which is its text alternative too, and what a screen reader says when it has
 *     been so for a while, by default the same; `words` is the element;
 *   `picture(node)`: this picture is the one that the sentence describes;
 *   `report({ key: value })`: numbers for Python to read back, at most every 150 ms;
 *   `animate(ms, tick)`: call tick(0 ... 1) for each frame, only tick(1) where the reader wants no motion;
 *   `repeat(ms, step)`: call step each so many ms until it returns false; returns a function that stops it;
 *   `unattended(begin, rest)`: on a page, begin when the figure is on the screen and rest when it is not, until the reader
 *     touches it, a link sets it, or its address did; never where the reader wants no motion. Till then changes are
 *     neither written to the address nor told to a screen reader, and `alone()` is true; `touched()` says that the reader
 *     is at one of its numbers in the text;
 *   `numbers(key, make)`: put what `make` returns in the place of each number of the text that is bound to this key;
 *   `inspect(give)`: let `el.inspect()` return what the picture was drawn from;
 *   `end()`: take everything down.
 */
export function openView({ model, el }) {
  const endings = [], described = [];
  const status = html("p", { class: "mtfl-status", role: "status" });
  const words = html("p", { class: "mtfl-words", "aria-hidden": "true" });
  let quiet = 0, reporting = 0, writing = 0, frame = 0, ended = false, asked = false, sentence = "", note = "", attend = null, heard = "", coming = null;
  const settings = model.get("settings"), keys = Object.keys(settings), name = model.get("name");
  const get = (key) => within(model.get(key), settings[key], model.get);
  const now = () => Object.fromEntries(keys.map((key) => [key, get(key)]));
  const start = now(), box = el.closest(".mtfl-figure"); // no box in Jupyter, where the address is not ours

  el.classList.add("mtfl-x");
  el.setAttribute("role", "group");
  el.setAttribute("aria-label", model.get("title"));
  el.replaceChildren(status);

  const tell = () => {
    const noted = (text) => (note ? `${text} (${note}.)` : text), text = noted(sentence), aloud = noted(heard);
    words.textContent = text;
    for (const node of described) node.setAttribute("aria-label", text);
    if (aloud === coming) return;
    clearTimeout(quiet);
    coming = attend ? null : aloud;
    if (!attend) quiet = setTimeout(() => (status.textContent = aloud), QUIET);
  };
  const query = () => keys.filter((key) => get(key) !== start[key]).map((key) => `${key}=${get(key)}`).join("&");
  const address = () => (query() ? `#${name}?${query()}` : `#${name}`);
  const entry = () => ({ ...history.state, mtfl: { ...history.state?.mtfl, [name]: query() } });
  const change = (changes) => {
    for (const [key, value] of Object.entries(changes)) model.set(key, value);
    model.save_changes();
    if (box) box.dataset.address = address();
  };

  const view = {
    el,
    words,
    get,
    set(changes) {
      note = "";
      change(changes);
      if (box && !attend) writing ||= setTimeout(() => {
        writing = 0;
        history.replaceState(entry(), "", address());
      }, WRITE);
    },
    watch(keys, run) {
      let waiting = false;
      const later = () => {
        if (waiting) return;
        waiting = true;
        queueMicrotask(() => {
          waiting = false;
          if (!ended) run();
        });
      };
      for (const key of keys) model.on(`change:${key}`, later);
      endings.push(() => keys.forEach((key) => model.off(`change:${key}`, later)));
      run();
    },
    add: (...nodes) => el.append(...nodes),
    picture(node) {
      node.setAttribute("role", "img");
      described.push(node);
      return node;
    },
    say(text, aloud = text) {
      sentence = text;
      heard = aloud;
      tell();
    },
    report(values) {
      for (const [key, value] of Object.entries(values)) model.set(key, value);
      reporting ||= setTimeout(() => {
        reporting = 0;
        model.save_changes();
      }, REPORT);
    },
    animate(ms, tick) {
      cancelAnimationFrame(frame);
      if (still()) return tick(1);
      const start = performance.now();
      const next = (now) => {
        const share = Math.min(1, Math.max(0, now - start) / ms);
        tick(share);
        if (share < 1 && !ended) frame = requestAnimationFrame(next);
      };
      frame = requestAnimationFrame(next);
    },
    repeat(ms, step) {
      const timer = setInterval(() => (ended || !el.isConnected || step() === false) && clearInterval(timer), ms);
      return () => clearInterval(timer);
    },
    unattended(begin, rest) {
      if (!box || still() || asked) return;
      const seen = new IntersectionObserver(([{ isIntersecting }]) => (isIntersecting ? begin() : rest()), { threshold: 0.5 });
      const touches = ["pointerdown", "keydown", "focusin", "input"];
      attend = (event) => {
        if (event?.type === "focusin" && event.target.closest(".mtfl-play")) return; // it goes on until pressed
        seen.disconnect();
        touches.forEach((kind) => el.removeEventListener(kind, attend, true));
        attend = null;
        if (!event?.target.closest(".mtfl-play")) rest(); // that button does so itself
        tell();
      };
      touches.forEach((kind) => el.addEventListener(kind, attend, true));
      endings.push(() => seen.disconnect());
      seen.observe(el);
    },
    alone: () => attend !== null,
    touched: () => attend?.(),
    numbers: (key, make) => [...document.querySelectorAll(`a.mtfl-scrub[href^="#${name}?${key}="]`)].map((link) => {
      const node = make();
      link.replaceWith(node);
      endings.push(() => node.replaceWith(link));
      return node;
    }),
    inspect: (give) => (el.inspect = give),
    end() {
      ended = true;
      cancelAnimationFrame(frame);
      clearTimeout(quiet);
      clearTimeout(reporting);
      clearTimeout(writing);
      endings.forEach((ending) => ending());
      el.replaceChildren();
    },
  };

  const follow = (wanted, from) => {
    const found = nearest(wanted, settings, from);
    asked = true;
    attend?.();
    change(found.state);
    note = found.notes.join("; ");
    if (sentence) tell();
  };
  const asks = (hash) => {
    const [target, wanted] = hash.slice(1).split("?");
    return target === name ? wanted : undefined;
  };
  const come = (behavior) => {
    const block = el.offsetHeight > innerHeight ? "start" : "nearest"; // of a figure that fits on no screen, its beginning
    el.scrollIntoView({ block, behavior: still() ? "auto" : behavior });
  };
  const clicked = (event) => {
    const link = event.target.closest?.("a[href]"), elsewhere = event.ctrlKey || event.metaKey || event.shiftKey || event.altKey;
    const here = link?.target === "" || link?.target === "_self"; // the latter in JupyterLab
    if (!here || elsewhere || link.href.split("#")[0] !== location.href.split("#")[0]) return;
    const wanted = asks(link.hash);
    if (wanted === undefined) return;
    event.preventDefault();
    if (box) history.replaceState(entry(), "");
    const anew = new URLSearchParams(wanted);
    const from = anew.has("start") ? start : now();
    anew.delete("start");
    follow(String(anew), from);
    if (box) history.pushState(entry(), "", address());
    come("smooth");
  };
  const arrived = () => {
    clearTimeout(writing);
    writing = 0;
    const kept = history.state?.mtfl?.[name], wanted = asks(location.hash);
    if ((kept ?? wanted) !== undefined) follow(kept ?? wanted, start);
    return kept === undefined && wanted !== undefined;
  };
  document.addEventListener("click", clicked, true);
  endings.push(() => document.removeEventListener("click", clicked, true));
  if (box) {
    const travelled = () => arrived() && come("auto");
    addEventListener("popstate", travelled); // by Back and Forward, and by an address that is typed
    endings.push(() => removeEventListener("popstate", travelled));
    box.dataset.address = address();
    if (arrived()) setTimeout(() => come("auto"));
  }
  return view;
}

// The rules of the settings, as Python's `Explorable.rules` gives them: { key: { least, most, whole, infinite } } or
// { key: { among } }. A most of [other, { value: most }] depends on another setting, which stands before it.

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

function mostOf({ most }, get) {
  return Array.isArray(most) ? most[1][get(most[0])] : most;
}

/** What is left of a value after the setting that bounds it has changed: its last bits. */
function within(value, rule, get) {
  return Array.isArray(rule?.most) ? value % (mostOf(rule, get) + 1) : value;
}

/**
 * The state nearest to what a query asks for that the figure can show, and in words what was asked for and is not shown.
 * @param {string} query "key=value&key=value"
 * @param {object} settings the rules
 * @param {object} from the state of the settings that the query does not name
 * @returns {{state: object, notes: string[]}}
 */
export function nearest(query, settings, from) {
  const asked = new Map(new URLSearchParams(String(query))), state = {}, notes = [], get = (key) => state[key];
  for (const [key, rule] of Object.entries(settings)) {
    if (!asked.has(key)) {
      state[key] = within(from[key], rule, get);
      continue;
    }
    const name = key.replaceAll("_", " "), text = asked.get(key);
    const found = rule.among ? (rule.among.includes(text) ? [text] : [null, rule.among.join(" or ")]) : number(text, rule, mostOf(rule, get));
    state[key] = found[0] ?? within(from[key], rule, get);
    if (found[0] === null) notes.push(`${name} stays ${shown(state[key])}: it can only be ${found[1]}`);
    else if (found[1]) notes.push(`${name} was set to ${shown(state[key])}, ${found[1]}`);
  }
  if ([...asked.keys()].some((key) => !Object.hasOwn(settings, key))) notes.push("not all that was asked for is a setting of this figure");
  return { state, notes };
}

/** The nearest number to a text, and why it is another one; null where the text is no number. */
function number(text, { least, whole, infinite }, most) {
  if (infinite && text === "inf") return [text];
  const value = text === "inf" ? Infinity : NUMBER.test(text) ? Number(text) : NaN, rounded = whole ? Math.round(value) : value;
  if (Number.isNaN(value)) return [null, "a number"];
  if (rounded > most) return [most, "the most that the figure shows"];
  if (rounded < least) return [least, "the least that the figure shows"];
  return [rounded + 0, rounded === value ? "" : "the nearest whole number"];
}

/** Whether the reader has asked for no motion. */
export function still() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}

// Controls, bound to a key of the state

/** A count of the state as a number: "inf" is Infinity. */
export function count(value) {
  return value === "inf" ? Infinity : value;
}

/** Numbers for people: three significant digits, the sign of infinity for "inf". */
export function shown(value) {
  if (count(value) === Infinity) return "∞";
  if (typeof value === "string") return value;
  return value >= 1000 ? value.toLocaleString("en") : String(Number(value.toPrecision(3))).replace("-", "−");
}

/**
 * A slider over a list of values, and with it the numbers of the text that are bound to the same key.
 *
 * A finger that begins here and moves up or down scrolls the page: a touch moves the slider when it goes sideways or ends.
 * @param {object} view
 * @param {string} key of the state
 * @param {object} options `label`; `stops`: the values in order, or a function that gives them; `show(value)` beside it;
 *   `say(value)` for a screen reader and in the text; `move(value)`: the changes that a move asks for, by default the
 *   key's alone; `off()`: why the slider plays no part now, or ""; `also`: other keys that these functions look at
 */
export function slider(view, key, { label, stops, show = shown, say = show, move = (value) => ({ [key]: value }), off = () => "", also = [] }) {
  const id = unique(), listed = typeof stops === "function" ? stops : () => stops;
  let touch = null; // where a finger began that may yet scroll, and the slider with it
  const put = (place) => view.set(move(listed()[place]));
  const take = () => touch || put(input.value);
  const settle = () => {
    const moved = touch && touch.value !== input.value;
    touch = null;
    if (moved) take();
  };
  const input = html("input", {
    id, type: "range", min: 0, step: 1, "data-key": key, input: take,
    pointerdown: (event) => (touch = event.pointerType === "touch" ? { x: event.clientX, value: input.value } : null),
    pointermove: (event) => touch && Math.abs(event.clientX - touch.x) > SIDEWAYS && settle(),
    pointerup: settle,
    pointercancel: () => {
      if (touch) input.value = touch.value;
      touch = null;
    },
  });
  const output = html("output", { for: id });
  const numbers = view.numbers(key, () => numberInText(view, label, put));
  view.watch([key, ...also], () => {
    const value = view.get(key), values = listed(), why = off(), most = values.length - 1;
    const exact = values.indexOf(value);
    const beyond = values.findIndex((stop) => count(stop) >= count(value)); // Python and links may set what is no stop
    const place = exact >= 0 ? exact : beyond >= 0 ? beyond : most;
    input.max = most;
    input.value = place;
    input.style.setProperty("--mtfl-share", place / most);
    input.disabled = why !== "";
    output.textContent = why || show(value);
    input.setAttribute("aria-valuetext", why || say(value));
    for (const node of numbers) {
      const told = { valuemin: 0, valuemax: most, valuenow: place, valuetext: why || say(value), disabled: why !== "" };
      for (const [name, what] of Object.entries(told)) node.setAttribute(`aria-${name}`, what);
      node.textContent = say(value);
      node.style.minWidth = `${Math.max(...values.filter(Number.isFinite).map((stop) => say(stop).length))}ch`;
    }
  });
  return html("div", { class: "mtfl-slider" }, html("label", { for: id }, label), input, output);
}

/**
 * A number in a sentence, as a slider: it is dragged, a stop for each few pixels, or moved by the arrow keys. Its ARIA
 * attributes say where it stands. A finger that moves up or down scrolls the page.
 * @param {(place: number) => void} put called with the number of a stop
 */
function numberInText(view, label, put) {
  let drag = null; // where it began: the pointer, and the number
  const now = (name) => Number(node.getAttribute(`aria-${name}`));
  const go = (place) => {
    const there = Math.max(0, Math.min(now("valuemax"), place));
    if (there !== now("valuenow") && node.getAttribute("aria-disabled") !== "true") put(there);
  };
  const keys = {
    ArrowRight: () => now("valuenow") + 1, ArrowUp: () => now("valuenow") + 1, End: () => now("valuemax"),
    ArrowLeft: () => now("valuenow") - 1, ArrowDown: () => now("valuenow") - 1, Home: () => 0,
  };
  const node = html("span", {
    class: "mtfl-scrub", role: "slider", tabindex: 0, title: "Drag, or press the arrow keys",
    "aria-label": `${label}, ${view.el.getAttribute("aria-label")}`,
    focus: view.touched,
    keydown(event) {
      if (!Object.hasOwn(keys, event.key) || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      go(keys[event.key]());
    },
    pointerdown(event) {
      if (event.button !== 0) return;
      event.preventDefault(); // no text is selected
      node.focus({ preventScroll: true });
      node.setPointerCapture(event.pointerId);
      drag = { x: event.clientX, place: now("valuenow") };
    },
    pointermove: (event) => drag && go(drag.place + Math.trunc((event.clientX - drag.x) / SIDEWAYS)),
    pointercancel: () => drag && go(drag.place), // the finger scrolls
    lostpointercapture: () => (drag = null),
  });
  return node;
}

/**
 * Radio buttons side by side.
 * @param {object} options `label`; `values`: { value: its words }; `move` as for a slider
 */
export function choice(view, key, { label, values, move = (value) => ({ [key]: value }) }) {
  const name = unique();
  const inputs = Object.keys(values).map((value) =>
    html("input", { type: "radio", name, value, "data-key": key, change: () => view.set(move(value)) }));
  view.watch([key], () => inputs.forEach((input) => (input.checked = input.value === String(view.get(key)))));
  const options = inputs.map((input) => html("label", {}, input, html("span", {}, values[input.value])));
  return html("fieldset", { class: "mtfl-choice" }, html("legend", {}, label), html("div", {}, ...options));
}

/** A button. */
export function button(label, press, attributes = {}) {
  return html("button", { type: "button", click: press, ...attributes }, label);
}

/** A button that draws anew. */
export function resample(view, changes = () => ({})) {
  return button("Resample", () => view.set({ seed: (view.get("seed") + 1) % 2 ** 32, ...changes() }));
}

/**
 * A button that plays and pauses: `step` is called each so many ms until it returns false.
 * @param {boolean} [alone] whether it begins of itself, as `view.unattended` says
 */
export function player(view, ms, step, alone = false) {
  let stop = null;
  const node = button("", () => (stop ? pause() : play()), { class: "mtfl-play" });
  const paint = () => (node.textContent = stop ? "Pause" : "Play");
  const pause = () => {
    stop?.();
    stop = null;
    paint();
  };
  const once = () => step() !== false || (pause(), false);
  const play = () => {
    stop = view.repeat(ms, once);
    paint();
    once();
  };
  paint();
  if (alone) view.unattended(() => stop ?? play(), pause);
  return { node, pause };
}

/** Controls in one row. */
export function row(...nodes) {
  return html("div", { class: "mtfl-row" }, ...nodes);
}

// Pictures

/** An SVG picture of this size, which fills its column and keeps its shape. */
export function picture(width, height, attributes = {}) {
  return svg("svg", { viewBox: `0 0 ${width} ${height}`, ...attributes });
}

/** Text in a picture. */
export function text(x, y, content, attributes = {}) {
  return svg("text", { x, y, ...attributes }, content);
}

/**
 * Lines in a frame with axes; what leaves the frame is cut off.
 * @param {object} options `width`, `height`; `x` and `y`: { min, max, ticks: [...], label, log };
 *   `series`: [{ name, colour, end }] with a colour of the palette (blue, vermilion, green, purple, grey, ink) and
 *   whether a dot marks the line's end; one without a name is not in the legend
 * @returns {{node: SVGElement, plot: (lines: (number[][] | null)[]) => void, span: (x: object) => void}} `plot` draws one list
 *   of points [x, y] for each series, and leaves one that is null out of the legend too; `span` sets the x axis anew. The
 *   node wants a label: `view.picture(node)`, or an aria-label of its own.
 */
export function lineChart({ width = 340, height = 190, x, y, series }) {
  const left = 34, right = width - 10, top = 26, bottom = height - 34;
  const scale = ({ min, max, log }, from, to) => {
    const f = log ? Math.log : Number;
    return (value) => from + ((to - from) * (f(value) - f(min))) / (f(max) - f(min));
  };
  const up = scale(y, bottom, top), axis = svg("g");
  let along;
  const node = picture(width, height, { role: "img" }), frame = unique();
  const lines = series.map(({ colour }) => svg("path", { class: `mtfl-line mtfl-${colour}` }));
  const dots = series.map(({ colour, end }) => svg("circle", { class: `mtfl-end mtfl-${colour}`, r: end ? 3.5 : 0 }));
  const legend = series.map(({ name, colour }) => name && svg("g", {}, svg("path", { class: `mtfl-line mtfl-${colour}`, d: "M0 10h16" }), text(21, 14, name)));
  const levels = y.ticks.map((tick) => svg("g", {},
    svg("path", { class: "mtfl-grid", d: `M${left} ${up(tick)}H${right}` }),
    text(left - 6, up(tick) + 4, shown(tick), { "text-anchor": "end" })));
  const span = ({ min, max, ticks, label, log }) => {
    along = scale({ min, max, log }, left, right);
    axis.replaceChildren(
      ...ticks.map((tick) => text(along(tick), bottom + 15, shown(tick), { // the last one ends where the picture does
        "text-anchor": along(tick) > right - 1 ? "end" : "middle", dx: along(tick) > right - 1 ? 9 : 0 })),
      text((left + right) / 2, height - 4, label, { "text-anchor": "middle", class: "mtfl-title" }));
  };
  span(x);
  const room = svg("rect", { x: left, y: top - 2, width: right - left, height: bottom - top + 4 });
  node.append(svg("clipPath", { id: frame }, room), ...legend.filter(Boolean), ...levels, axis,
    svg("g", { "clip-path": `url(#${frame})` }, ...lines), ...dots);
  const plot = (points) => {
    let offset = left;
    points.forEach((line, n) => {
      if (legend[n]) {
        legend[n].setAttribute("display", line ? "inline" : "none");
        legend[n].setAttribute("transform", `translate(${offset} 0)`);
        offset += line ? 32 + 6.4 * series[n].name.length : 0;
      }
      const at = (line ?? []).map(([px, py]) => `${along(px).toFixed(1)} ${up(py).toFixed(1)}`);
      lines[n].setAttribute("d", at.length ? `M${at.join("L")}` : "");
      const [cx, cy] = (at.at(-1) ?? "-9 -9").split(" ");
      dots[n].setAttribute("cx", cx);
      dots[n].setAttribute("cy", cy);
    });
  };
  return { node, plot, span };
}

/** Remember the last result of a function. */
export function remembering(make) {
  let key, value;
  return (...args) => {
    if (args.join() !== key) [key, value] = [args.join(), make(...args)];
    return value;
  };
}

/** What a number of tasks, or "inf", is called. */
export function tasksInWords(T) {
  return T === "inf" ? "infinitely many tasks" : `${T} ${T === 1 ? "task" : "tasks"}`;
}

/**
 * A task of two features as a square of four quadrants, in the colours of the labels.
 * @param {ArrayLike<number>} f labels of the patterns --, +-, -+, ++
 */
export function quadrants(f, x, y, size) {
  const half = size / 2, gap = Math.max(0.5, size / 28);
  return svg("g", { transform: `translate(${x} ${y})` }, ...Array.from(f, (label, k) => svg("rect", {
    class: `mtfl-tile ${label > 0 ? "mtfl-plus" : "mtfl-minus"}`, x: (k & 1 ? half : 0) + gap / 2, y: (k & 2 ? 0 : half) + gap / 2,
    width: half - gap, height: half - gap })));
}

/**
 * A matrix as coloured cells, first row on top: in the colours of the labels -1 below 0 and +1 above, stronger the larger.
 * @returns {{node: SVGElement, paint: (values: ArrayLike<number>) => void}} values in -1 ... 1
 */
export function heatMap({ rows, columns, cell = 20 }) {
  const cells = Array.from({ length: rows * columns }, (_, n) => svg("rect", {
    x: (n % columns) * cell, y: Math.floor(n / columns) * cell, width: cell - 1, height: cell - 1, rx: 2 }));
  const node = picture(columns * cell, rows * cell, { class: "mtfl-cells" });
  node.append(...cells);
  const paint = (values) => cells.forEach((rect, n) => {
    rect.setAttribute("class", values[n] < 0 ? "mtfl-minus" : "mtfl-plus");
    rect.setAttribute("fill-opacity", Math.min(1, Math.abs(values[n])).toFixed(3));
  });
  return { node, paint };
}

/**
 * A task kernel on the four patterns of two features: a heat map, its rows and columns named by their quadrants.
 * @param {number} away how far the names stand from the cells
 * @returns {{nodes: SVGElement[], paint: (values: ArrayLike<number>) => void}} of a picture; values in -1 ... 1
 */
export function quadrantTable({ x, y, cell, name, away }) {
  const { node, paint } = heatMap({ rows: 4, columns: 4, cell }), aside = Math.floor((cell - name) / 2);
  for (const [key, value] of Object.entries({ x, y, width: 4 * cell, height: 4 * cell })) node.setAttribute(key, value);
  const names = [0, 1, 2, 3].flatMap((k) => {
    const only = [0, 1, 2, 3].map((l) => (l === k ? 1 : -1));
    return [quadrants(only, x + k * cell + aside, y - away, name), quadrants(only, x - away, y + k * cell + aside, name)];
  });
  return { nodes: [node, ...names], paint };
}
