/** The laboratory's way back: undo and redo of what the reader changed, and a tour for those who come for the first time. */
import { button, html, row, still } from "./ui.js";

const TOUR = "mtfl-tour";

/**
 * Two buttons, and Ctrl+Z in the figure: back over the last change of the state, and forward again. What changes while a slider
 * is held is one step, and none if it comes back to where it was.
 * @param {object} view
 * @param {string[]} keys of the state
 * @param {(keys: string[]) => boolean} follows whether a change of these comes of itself and not from the reader
 * @param {() => void} rest called before a step
 * @returns {{buttons: HTMLElement[], begin: () => void}} `begin`: what comes of itself from now on is a step of its own
 */
export function openSteps(view, keys, follows, rest) {
  const done = [], undone = [], state = () => Object.fromEntries(keys.map((key) => [key, view.get(key)])), differs = (one, other) => keys.filter((key) => one[key] !== other[key]);
  let last = state(), held = false, moving = false, dropped = [];
  const go = (from, to) => {
    if (!from.length) return;
    rest();
    to.push(last);
    last = from.pop();
    moving = false;
    paint();
    view.set(last);
  };
  const undo = button("Undo", () => go(done, undone)), redo = button("Redo", () => go(undone, done));
  const paint = () => { // a button that is disabled would lose the focus, and Ctrl+Z with it
    undo.setAttribute("aria-disabled", done.length === 0);
    redo.setAttribute("aria-disabled", undone.length === 0);
  };
  view.watch(keys, () => {
    const next = state(), changed = differs(next, last);
    if (changed.length) {
      const moves = held || follows(changed);
      if (!(moves && moving)) {
        done.push(last);
        dropped = undone.splice(0);
      }
      moving = moves;
      last = next;
      if (moves && !differs(next, done.at(-1)).length) { // it is where it was
        done.pop();
        undone.push(...dropped);
        moving = false;
      }
    }
    paint();
  });
  const release = () => {
    held = false;
    moving = false;
  };
  view.el.addEventListener("input", () => {
    moving &&= held; // what Play has moved is a step of its own
    held = true;
  }, true);
  view.el.addEventListener("change", release, true);
  for (const kind of ["pointerup", "pointercancel"]) // a slider that was moved away and back tells of no change
    view.el.addEventListener(kind, () => held && release(), true);
  view.el.addEventListener("keydown", (event) => {
    const letter = event.key.toLowerCase();
    if (!(event.ctrlKey || event.metaKey) || event.altKey || !["y", "z"].includes(letter)) return;
    event.preventDefault();
    if (letter === "y" || event.shiftKey) go(undone, done);
    else go(done, undone);
  });
  return { buttons: [undo, redo], begin: () => (moving = false) };
}

/**
 * A tour: a card below one part of the figure after the other. It takes no room. It begins of itself on a first visit, where the
 * page can keep that it has been.
 * @param {object} view
 * @param {{mark: Element, host: Element, words: string}[]} stops what is marked, below what the card stands, and what it says
 * @returns {HTMLElement} the button that begins it
 */
export function openTour(view, stops) {
  const words = html("p", {}), next = button("Next", () => show(place + 1)), back = button("Back", () => show(place - 1, back)), skip = button("Skip", () => end());
  const card = html("div", { class: "mtfl-tour", role: "group" }, words, row(next, back, skip)), begin = button("Tour", () => show(0), { class: "mtfl-begin" });
  let place = -1;
  const leave = () => {
    if (place >= 0) stops[place].mark.classList.remove("mtfl-marked");
    card.remove();
    document.removeEventListener("keydown", escape);
  };
  const end = () => {
    const inside = view.el.contains(document.activeElement);
    leave();
    place = -1;
    if (inside) begin.focus();
  };
  const escape = (event) => event.key === "Escape" && end();
  const show = (to, focus = next) => {
    if (to === stops.length) return end();
    leave();
    place = to;
    const { mark, host, words: said } = stops[place];
    mark.classList.add("mtfl-marked");
    host.classList.add("mtfl-host");
    words.textContent = said;
    card.setAttribute("aria-label", `Tour, ${place + 1} of ${stops.length}`);
    back.hidden = place === 0;
    skip.hidden = place + 1 === stops.length;
    next.textContent = place + 1 < stops.length ? `Next (${place + 1} of ${stops.length})` : "Done";
    host.append(card);
    document.addEventListener("keydown", escape); // wherever the focus is: on a first visit it is nowhere
    if (!focus) return;
    (focus.hidden ? next : focus).focus({ preventScroll: true });
    card.scrollIntoView({ block: "nearest", behavior: still() ? "auto" : "smooth" });
  };
  const kept = globalThis.mtfl?.kept, address = view.el.closest(".mtfl-figure")?.dataset.address; // there is none in Jupyter
  if (address && !address.includes("?") && kept?.(TOUR) === null && kept(TOUR, "seen") === "seen") show(0, null);
  return begin;
}
