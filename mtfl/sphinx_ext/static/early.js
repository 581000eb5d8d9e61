/**
 * Before the first frame: what the scripts of a page share, the reader's theme, and what the reader has opened.
 * That this has run, and others will, a style sheet sees by the attribute data-mode of the page.
 */
"use strict";
{
  const { dataset } = document.documentElement;
  globalThis.mtfl = {
    /** What the reader's browser keeps under this name, from now on the value, if there is one; null if nothing. */
    kept(key, value) {
      try {
        if (value !== undefined) localStorage.setItem(key, value);
        return localStorage.getItem(key);
      } catch { // it keeps nothing
        return null;
      }
    },
    /** Go to a place; again in the next frames, as what comes near the window on the way takes its own height. */
    hold(go, frames = 3) {
      go();
      if (frames) requestAnimationFrame(() => mtfl.hold(go, frames - 1));
    },
    /** The name that a part of an address spells, or as it stands if it spells none. */
    decoded(name) {
      try {
        return decodeURIComponent(name);
      } catch { // a per cent sign of its own
        return name;
      }
    },
  };
  const { kept } = mtfl;
  dataset.mode = kept("mode") ?? document.currentScript.dataset.mode;
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  dataset.theme = ["light", "dark"].includes(dataset.mode) ? dataset.mode : system;
  for (const kind of ["proof", "code"]) dataset[kind] = kept(`mtfl-${kind}`) === "open" ? "open" : "closed";
  const opened = ["proof", "code"].filter((kind) => dataset[kind] === "open");
  if (opened.length) { // as the page comes in, each before it is painted
    const all = document.getElementsByTagName("details");
    let seen = 0;
    const open = () => {
      for (; seen < all.length; seen++)
        all[seen].open ||= opened.some((kind) => all[seen].classList.contains(`mtfl-${kind}`));
    };
    const coming = new MutationObserver(open);
    coming.observe(document, { childList: true, subtree: true });
    addEventListener("DOMContentLoaded", () => {
      coming.disconnect();
      open();
    });
  }
}
