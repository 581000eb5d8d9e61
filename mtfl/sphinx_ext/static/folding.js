/**
 * Opens and folds proofs and code: all of a kind by the switches in the head line, and the one that a link leads into.
 *
 * The page opens with what the reader chose last (layout.html). The browser itself opens what its search finds. Paper
 * and copied text show what the page shows.
 */
"use strict";
{
  const root = document.documentElement;
  const switches = [...document.querySelectorAll(".mtfl-switch")];

  /** Open or fold all of a kind. What the reader is at stays where it is. */
  function turn({ dataset: { kind } }, state) {
    const place = (block) => block.getBoundingClientRect();
    const head = place(document.querySelector(".bd-header-article")).bottom;
    const seen = [...document.querySelectorAll(".bd-article section > :not(section)")]
      .filter((block) => place(block).height && place(block).bottom > head && place(block).top < innerHeight);
    const folds = `details.mtfl-${kind}`;
    const here = scrollY > 0 && (seen.find((block) => !block.matches(`${folds}, :has(${folds})`)) ?? seen[0]);
    const before = here && place(here).top;
    root.dataset[kind] = state;
    for (const details of document.querySelectorAll(folds)) details.open = state === "open";
    if (here) {
      scrollBy({ top: place(here).top - before, behavior: "instant" });
      if (place(here).bottom < head) here.scrollIntoView({ behavior: "instant" }); // it was folded
    }
    show();
  }

  function show() {
    for (const button of switches) button.ariaPressed = String(root.dataset[button.dataset.kind] === "open");
  }

  for (const button of switches) {
    button.addEventListener("click", () => {
      const { kind } = button.dataset, state = root.dataset[kind] === "open" ? "closed" : "open";
      turn(button, state);
      mtfl.kept(`mtfl-${kind}`, state);
    });
  }
  show();

  // A page to which the browser goes back as it was: meanwhile another page may have changed the choice.
  addEventListener("pageshow", ({ persisted }) => {
    if (!persisted) return;
    for (const button of switches) {
      const { kind } = button.dataset, state = mtfl.kept(`mtfl-${kind}`) ?? root.dataset[kind];
      if (state !== root.dataset[kind]) turn(button, state);
    }
  });

  /** Open all that folds away what the address leads to, and go there: a browser that opens it may stop elsewhere. */
  function reveal(goes = true) {
    const name = location.hash.slice(1).split("?")[0];
    const target = document.getElementById(name) ?? document.getElementById(mtfl.decoded(name));
    const inner = target?.closest("details");
    for (let box = inner; box; box = box.parentElement.closest("details")) box.open = true;
    if (inner && goes) mtfl.hold(() => target.scrollIntoView({ behavior: "instant" }));
  }

  // Who comes back to a page finds the block that he read where he left it. The browser would keep the distance from the
  // top, which changes: until they are drawn, blocks are as high as their kind. (What a page says as it is reloaded is
  // not kept.)
  const { type } = performance.getEntriesByType("navigation")[0] ?? {}, { read } = history.state ?? {};
  const blocks = [...document.querySelectorAll(".bd-article section > :not(section)")];
  if (type === "back_forward" && blocks[read?.at]) {
    const goBack = () => scrollBy({ top: blocks[read.at].getBoundingClientRect().top - read.top, behavior: "instant" });
    history.scrollRestoration = "manual";
    mtfl.hold(goBack);
    addEventListener("load", () => {
      mtfl.hold(goBack);
      setTimeout(() => (history.scrollRestoration = "auto"), 500);
    });
  }
  addEventListener("pagehide", () => {
    const shown = { contentVisibilityAuto: true }; // what is in a block that is not drawn has no place
    const at = blocks.findLastIndex((block) => block.getBoundingClientRect().top < 100 && block.checkVisibility(shown));
    history.replaceState({ ...history.state, read: { at, top: blocks[at]?.getBoundingClientRect().top } }, "");
  });
  reveal(type === "navigate"); // who reloads a page is where the browser has put him

  // Where links within the page were when they were followed: what has opened since has moved them.
  const left = [];
  let isBack = false;
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[href]");
    if (!link?.hash || event.defaultPrevented) return;
    if (link.href === location.href) setTimeout(reveal); // the address does not change
    else if (link.href.split("#")[0] === location.href.split("#")[0]) {
      const place = { link, top: link.getBoundingClientRect().top, address: location.href };
      history.replaceState({ ...history.state, left: left.push(place) - 1 }, "");
    }
  });
  addEventListener("popstate", ({ state }) => {
    const place = left[state?.left];
    isBack = place?.address === location.href && place.link.checkVisibility();
    if (isBack) mtfl.hold(() => scrollBy({ top: place.link.getBoundingClientRect().top - place.top, behavior: "instant" }));
  });
  addEventListener("hashchange", () => reveal(!isBack)); // comes after popstate
}
