/**
 * Cards: what a link refers to is shown beside it, for a pointer that rests there, the keyboard's focus, and a finger's
 * first tap. A click, the Enter key or a second tap follows the link.
 *
 * mtfl.sphinx_ext.cards wrote them, a script for each page; a page's script is loaded when a reader first comes near a
 * link to it.
 */
"use strict";
if (HTMLElement.prototype.showPopover) {
  const OPENS = 250, CLOSES = 300; // milliseconds: a pointer passes over a link, or is on its way to the card
  const GAP = 6, EDGE = 8; // pixels, from the link and from the edges of the window
  const NO_CARD = ".headerlink, .mtfl-tools *, .mtfl-set, .mtfl-figure *, .mtfl-rows *"; // as in cards.py
  const root = new URL(document.documentElement.dataset.content_root ?? "./", location.href).href;

  const card = document.createElement("div");
  card.id = "mtfl-card";
  card.className = "mtfl-card";
  card.popover = "manual";
  card.setAttribute("role", "group");
  document.querySelector(".bd-content")?.append(card);

  // The scripts of pages

  let arrived = {};
  globalThis.mtflCards = (cards) => (arrived = cards);

  const pages = new Map();

  /** A promise of the cards of a page, by their anchors. */
  function cardsOf(page) {
    if (!pages.has(page)) {
      pages.set(page, new Promise((resolve) => {
        const script = document.createElement("script");
        script.src = `${root}_static/cards/${page}.js`;
        script.addEventListener("load", () => resolve(arrived));
        script.addEventListener("error", () => {
          pages.delete(page); // the next time is another try
          resolve({});
        });
        document.head.append(script);
      }));
    }
    return pages.get(page);
  }

  /** The page and the anchor that a link leads to, if they are of this book. */
  function targetOf(link) {
    const [address, anchor = ""] = link.href.split("#");
    if (!address.startsWith(root) || !address.endsWith(".html")) return null;
    return { page: address.slice(root.length, -".html".length), anchor: mtfl.decoded(anchor) };
  }

  const here = targetOf(location);

  /** The link of the text, with a card, that an event is about. */
  function linkAt(node) {
    const link = node instanceof Element ? node.closest(".bd-article a[href]") : null;
    return link && !link.matches(NO_CARD) && targetOf(link) ? link : null;
  }

  // What is shown

  let shown = null; // the link whose card is open
  let title = ""; // which it has when its card is closed
  let dismissed = null; // the link whose card the reader has closed, as long as the reader stays there
  let asked = null; // the link whose card is on its way

  /** The picture of a figure of this page: a copy, whose parts have names of their own. */
  function pictureOf({ page, anchor }) {
    const figure = page === here?.page ? document.getElementById(anchor) : null;
    const plot = figure?.matches("figure") && figure.querySelector(".mtfl-plot, img")?.cloneNode(true);
    if (!plot) return "";
    const own = new Set([...plot.querySelectorAll("[id]")].map((part) => part.id));
    return plot.outerHTML.replace(/(\bid="|href="#|url\((?:&quot;)?#)([^")&]+)/g,
      (all, before, name) => (own.has(name) ? `${before}card-${name}` : all));
  }

  /** Put the card below its link or above it, where there is more room, within the window. */
  function place(link, x) {
    const rect = link.getBoundingClientRect(); // of all its lines
    const { clientWidth, clientHeight } = document.documentElement;
    const above = rect.top - GAP - EDGE, below = clientHeight - rect.bottom - GAP - EDGE;
    card.style.maxHeight = "";
    const isBelow = card.offsetHeight <= below || below >= above;
    card.style.maxHeight = `${Math.max(isBelow ? below : above, 96)}px`;
    const top = isBelow ? rect.bottom + GAP : rect.top - GAP - card.offsetHeight;
    const left = Math.min((Number.isFinite(x) ? x - 24 : rect.left), clientWidth - EDGE - card.offsetWidth);
    card.style.top = `${scrollY + Math.max(EDGE, Math.min(top, clientHeight - EDGE - card.offsetHeight))}px`;
    card.style.left = `${scrollX + Math.max(EDGE, left)}px`;
  }

  /** Show a link's card; whether there is one. */
  async function show(link, x) {
    const target = targetOf(link);
    asked = link;
    const says = (await cardsOf(target.page))[target.anchor];
    if (asked !== link || !says || !link.isConnected) return Boolean(says);
    close();
    card.innerHTML = pictureOf(target) + says;
    card.setAttribute("aria-label", link.textContent.trim());
    title = link.title;
    link.removeAttribute("title"); // else the browser shows it too
    link.setAttribute("aria-details", card.id);
    card.showPopover({ source: link }); // by keyboard, the links of the card follow this one
    shown = link;
    card.scrollTop = 0;
    place(link, x);
    return true;
  }

  function close() {
    asked = null;
    if (!shown) return;
    shown.removeAttribute("aria-details");
    if (title) shown.title = title;
    shown = null;
    card.hidePopover();
    card.replaceChildren();
  }

  const STAYS = ":is(:hover, :focus-visible, :has(:focus-visible))";
  let timer = 0;
  let coming = null; // the link whose card is to be shown in a moment

  function forget() {
    clearTimeout(timer);
    coming = null;
  }

  function plan(act, wait) {
    forget();
    timer = setTimeout(() => {
      coming = null;
      act();
    }, wait);
  }

  /** Close the card where neither the pointer nor the keyboard is at its link or in it. */
  function leave() {
    if (coming?.matches(STAYS)) return; // the page has moved under a pointer, say, as the keyboard came to a link
    plan(() => (shown?.matches(STAYS) || (shown && card.matches(STAYS))) || close(), CLOSES);
  }

  function come(link, x) {
    if (link === dismissed) return;
    dismissed = null;
    if (link === shown) forget();
    else {
      cardsOf(targetOf(link).page);
      plan(() => show(link, x), OPENS);
      coming = link;
    }
  }

  // By pointer

  let touches = false;
  document.addEventListener("pointerdown", (event) => (touches = event.pointerType === "touch"), true);

  document.addEventListener("pointerover", (event) => {
    if (event.pointerType === "touch") return;
    const link = linkAt(event.target);
    if (link) come(link, event.clientX);
    else {
      if (!card.contains(event.target)) dismissed = null;
      leave();
    }
  });
  document.documentElement.addEventListener("pointerleave", leave);

  // By keyboard

  document.addEventListener("focusin", (event) => {
    const link = linkAt(event.target);
    if (link?.matches(":focus-visible")) come(link, NaN);
    else leave();
  });
  document.addEventListener("focusout", leave);
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !(shown || asked)) return;
    forget();
    dismissed = shown ?? asked;
    if (card.contains(document.activeElement)) dismissed.focus();
    close();
  });

  // By finger, and when a link is followed

  document.addEventListener("click", (event) => {
    const link = linkAt(event.target);
    forget();
    if (link && touches && event.detail && link !== shown) {
      event.preventDefault();
      show(link, event.clientX).then((found) => found || location.assign(link.href));
    } else if (link || !card.contains(event.target) || event.target.closest("a")) close();
  });
}
