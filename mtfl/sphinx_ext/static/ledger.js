/**
 * The filter above the ledger: claims of a chapter, of a source, main results only, and words that they hold. Of words
 * such as "theorem 7.3" only the statement with this number is meant. What is set stands in the address,
 * `claims.html#?chapter=03_multitask_training&words=drift`. Without this script, and where a link leads to one of the
 * claims, all are shown.
 */
"use strict";
{
  const ledger = document.querySelector(".mtfl-ledger");
  const claims = [...ledger.querySelectorAll("article")].map((node) => ({
    node, chapter: node.dataset.chapter, source: node.dataset.source, main: node.querySelector(".main") ? "yes" : "",
    name: node.querySelector(".mtfl-named strong")?.textContent.toLowerCase() ?? "",
    text: [node.textContent, ...[...node.querySelectorAll("[data-tex]")].map(({ dataset }) => dataset.tex)].join(" ").toLowerCase(),
  }));

  const kinds = [...new Set(claims.map(({ name }) => name.split(/\s/)[0]))].filter((kind) => kind).join("|");
  const part = new RegExp(`(?:${kinds})\\s+\\d+(?:\\.\\d+)?|\\S+`, "g"), numbered = new RegExp(`^(?:${kinds})\\s+\\d`);

  /** Whether a claim has a part of the words: a number of a statement, whole or to its point, or any other. */
  function has({ name, text }, words) {
    const asked = words.replace(/\s+/, " ");
    return numbered.test(asked) ? `${name}.`.startsWith(`${asked}.`) : text.includes(asked);
  }

  const form = document.createElement("form");
  form.className = "mtfl-filter";
  form.setAttribute("role", "search");
  form.setAttribute("aria-label", "Claims to show");
  const options = (values) => values.map(([value, name]) => `<option value="${value}">${name}</option>`).join("");
  const chapters = [...new Set(claims.map(({ chapter }) => chapter))].filter((name) => /^\d/.test(name)).sort();
  form.innerHTML = `
    <label>Chapter <select name="chapter">${options([["", "all"], ...chapters.map((name) => [name, parseInt(name, 10)])])}</select></label>
    <label>Source <select name="source">${options([["", "all"], ["paper", "the paper"], ["this book", "this book"]])}</select></label>
    <label><input type="checkbox" name="main" value="yes"> main results only</label>
    <label>Words <input type="search" name="words"></label>
    <p role="status"></p>`;
  ledger.before(form);
  const status = form.querySelector("[role=status]"), fields = [...form.querySelectorAll("[name]")];

  /** What is set, as the address has it. */
  function query() {
    return new URLSearchParams([...new FormData(form)].filter(([, value]) => value)).toString();
  }

  function show() {
    const { words = "", ...wanted } = Object.fromEntries(new URLSearchParams(query()));
    const parts = words.toLowerCase().match(part) ?? [];
    for (const claim of claims) {
      const fits = Object.entries(wanted).every(([key, value]) => claim[key] === value);
      claim.node.hidden = !(fits && parts.every((each) => has(claim, each)));
    }
    for (const chapter of ledger.querySelectorAll("section")) chapter.hidden = !chapter.querySelector("article:not([hidden])");
    const count = claims.filter(({ node }) => !node.hidden).length;
    status.textContent = count === claims.length ? `All ${count} claims.`
      : `${count} of ${claims.length} claims.${count ? "" : " Ask for less."}`;
    form.toggleAttribute("data-filters", count < claims.length);
  }

  /** Set what the address says. */
  function read() {
    const [anchor, asked = ""] = location.hash.slice(1).split("?"), wanted = new URLSearchParams(asked);
    for (const field of fields) {
      const value = anchor ? "" : wanted.get(field.name) ?? "";
      if (field.type === "checkbox") field.checked = value === field.value;
      else field.value = value;
      if (field.selectedIndex === -1) field.value = ""; // no such option
    }
    const hidden = claims.some(({ node }) => node.hidden && node.id === anchor);
    show();
    if (hidden) mtfl.hold(() => document.getElementById(anchor).scrollIntoView({ behavior: "instant" }));
  }

  form.addEventListener("input", show);
  form.addEventListener("change", () => history.replaceState(history.state, "",
    location.href.split("#")[0] + (query() && `#?${query()}`)));
  form.addEventListener("submit", (event) => event.preventDefault());
  addEventListener("hashchange", read);
  read();
}
