/**
 * What a reader takes along from a page: text whose formulas are TeX, links, and citations.
 *
 * The tools of statements and figures stand in the page already (mtfl.sphinx_ext.citing); this makes them work.
 */
"use strict";
{
  const book = JSON.parse(document.currentScript.dataset.book);

  // Copied text

  const SILENT = "script, style, noscript, template, svg, button, input, select, mjx-assistive-mml, "
    + "details.hide > summary, .mtfl-code > summary, .gp, .headerlink, .mtfl-tools"; // .gp: the prompt of an example
  const FOLDED = "details:not([open]) > :not(summary)";
  const KEPT = new Set(["href", "src", "alt", "colspan", "rowspan", "start"]);

  const formulaAt = (node) => (node.nodeType === Node.ELEMENT_NODE ? node : node.parentElement)?.closest("mjx-container");

  /** A formula as TeX between its signs; a number that stands beside it becomes its tag. */
  function texOf(formula) {
    const tex = formula.dataset.tex.replace(/\s+/g, " ").trim();
    if (formula.getAttribute("display") !== "true") return `$${tex}$`;
    const number = formula.parentElement?.querySelector(":scope > .eqno");
    const tag = number ? ` \\tag{${number.textContent.replace(/[^\d.]/g, "")}}` : "";
    number?.remove();
    return `$$${tex}${tag}$$`;
  }

  /** A part of the page as it is copied: in an element whose text and HTML are those to copy. */
  function copied(range) {
    const first = formulaAt(range.startContainer), last = formulaAt(range.endContainer);
    if (first) range.setStartBefore(first);
    if (last) range.setEndAfter(last);
    const part = range.cloneContents();
    if (!part.querySelector("mjx-container, .gp")) return null; // the browser copies this well
    for (const formula of part.querySelectorAll("mjx-container")) {
      const tex = texOf(formula), line = formula.closest("span.math");
      if (line) line.replaceWith(tex);
      else formula.replaceWith(tex);
    }
    part.querySelectorAll(`${SILENT}, ${FOLDED}`).forEach((node) => node.remove());
    const unwrapped = ":is(td, th, li) > p:only-child, .mtfl-together";
    part.querySelectorAll(unwrapped).forEach((node) => node.replaceWith(...node.childNodes));
    part.normalize();
    const around = range.commonAncestorContainer;
    const code = (around.nodeType === Node.ELEMENT_NODE ? around : around.parentElement).closest("pre");
    const holder = document.createElement(code ? "pre" : "div");
    holder.className = "mtfl-copied";
    holder.append(part);
    document.body.append(holder);
    for (const node of holder.querySelectorAll("*")) if (getComputedStyle(node).userSelect === "none") node.remove();
    return holder;
  }

  /** The HTML of an element without what only this page's styles and scripts know. */
  function plainHtml(holder) {
    for (const node of holder.querySelectorAll("*")) {
      for (const name of ["href", "src"]) if (node.hasAttribute(name)) node.setAttribute(name, node[name]);
      for (const { name } of [...node.attributes]) if (!KEPT.has(name)) node.removeAttribute(name);
    }
    return holder.innerHTML;
  }

  document.addEventListener("copy", (event) => {
    const selection = getSelection();
    if (event.defaultPrevented || selection.isCollapsed || event.target.closest?.("input, textarea")) return;
    const holder = copied(selection.getRangeAt(0).cloneRange());
    if (!holder) return;
    event.clipboardData.setData("text/plain", holder.innerText.trim());
    event.clipboardData.setData("text/html", plainHtml(holder));
    event.preventDefault();
    holder.remove();
  });

  // A formula has no characters to drag over: two clicks select it.
  document.addEventListener("dblclick", (event) => {
    const formula = formulaAt(event.target);
    if (formula) getSelection().selectAllChildren(formula);
  });

  // Links and citations

  const status = document.createElement("p");
  status.className = "mtfl-copied-note";
  status.setAttribute("role", "status");
  document.body.append(status);

  /** Put a text on the clipboard and say so; where that is forbidden, show it. */
  async function put(text, told) {
    try {
      await navigator.clipboard.writeText(text);
      status.textContent = "";
      requestAnimationFrame(() => (status.textContent = told));
    } catch {
      open("To copy", [["", text]]);
    }
  }

  /** The address of this page: where the book has a public home, the one there. */
  const home = document.querySelector("link[rel=canonical]")?.href;
  const here = home ?? location.href.split(/[?#]/)[0];

  /** The address of an element; a figure that moves knows the one of its present state. */
  function addressOf(id) {
    const element = document.getElementById(id);
    const holder = element?.closest("[data-address]") ?? element?.querySelector("[data-address]");
    return `${here}#${(holder?.dataset.address || id).replace(/^#/, "")}`;
  }

  /** The words of a title, its formulas as TeX. */
  function wordsOf(node) {
    const words = node.cloneNode(true);
    for (const formula of words.querySelectorAll("mjx-container")) formula.replaceWith(texOf(formula));
    words.querySelectorAll(SILENT).forEach((part) => part.remove());
    return words.textContent.replace(/\s+/g, " ").trim();
  }

  /** A sentence and a BibTeX entry for the statement or figure with this id. */
  function citation(id) {
    const box = document.getElementById(id);
    const figure = box.querySelector("figcaption .caption-number");
    const name = figure ? `${wordsOf(figure)}` : wordsOf(box.querySelector(".admonition-title"));
    const chapter = wordsOf(document.querySelector("article h1"));
    const address = home || location.protocol.startsWith("http") ? addressOf(id) : "";
    const place = `${name}, in “${chapter.replace(/^[\d.]+ /, "")}”`;
    const sentence = `${book.author}. ${book.title}, ${book.year}. ${place}.${address && ` ${address}`}`;
    const fields = { author: `{${book.author}}`, title: book.title, year: book.year, note: place, url: address };
    const lines = Object.entries(fields).filter(([, value]) => value).map(([key, value]) => `    ${key} = {${value}}`);
    return [["Sentence", sentence], ["BibTeX", `@misc{mtfl-${id},\n${lines.join(",\n")}\n}`]];
  }

  /** Show texts with a button to copy each. */
  function open(title, texts) {
    const dialog = document.createElement("dialog");
    dialog.className = "mtfl-citing";
    dialog.setAttribute("aria-label", title);
    dialog.setAttribute("closedby", "any");
    const heading = document.createElement("p");
    heading.textContent = title;
    dialog.append(heading);
    for (const [kind, text] of texts) {
      const shown = document.createElement("pre");
      shown.textContent = text;
      shown.tabIndex = 0;
      shown.setAttribute("aria-label", kind || title);
      shown.setAttribute("role", "textbox");
      shown.setAttribute("aria-readonly", "true");
      dialog.append(shown);
      if (!kind) continue;
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = `Copy the ${kind === "BibTeX" ? kind : kind.toLowerCase()}`;
      button.addEventListener("click", () => {
        dialog.close();
        put(text, `${kind} copied.`);
      });
      dialog.append(button);
    }
    const close = document.createElement("button");
    close.type = "button";
    close.textContent = "Close";
    close.addEventListener("click", () => dialog.close());
    dialog.append(close);
    dialog.addEventListener("keydown", (event) => event.key === "Escape" && dialog.close());
    dialog.addEventListener("close", () => dialog.remove());
    document.body.append(dialog);
    dialog.showModal();
  }

  // Paper: light, with every solution open, and with the address of the page

  let restore = () => {};
  addEventListener("beforeprint", () => {
    const { theme } = document.documentElement.dataset;
    const folded = [...document.querySelectorAll("details.sd-dropdown:not([open])")];
    document.documentElement.dataset.theme = "light";
    for (const details of folded) details.open = true;
    if (home || location.protocol.startsWith("http")) document.querySelector("article h1").dataset.address = here;
    restore = () => {
      document.documentElement.dataset.theme = theme;
      for (const details of folded) details.open = false;
    };
  });
  addEventListener("afterprint", () => restore());

  // The theme's buttons

  const DOES = { print: () => print(), fill: () => toggleFullScreen() };
  for (const button of document.querySelectorAll("[data-does]")) button.addEventListener("click", DOES[button.dataset.does]);

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a.headerlink, a.mtfl-link"), cite = event.target.closest("button.mtfl-cite");
    if (link && !(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey)) {
      event.preventDefault();
      put(addressOf(mtfl.decoded(link.hash.slice(1))), "Link copied.");
    } else if (cite) {
      const id = mtfl.decoded(cite.parentElement.querySelector(".mtfl-link").hash.slice(1));
      open(cite.getAttribute("aria-label"), citation(id));
    }
  });
}
