/**
 * Search in the book, in the place of Sphinx's script of this name: it ranks sections, statements and objects of the
 * package, which searchindex.js lists, and shows the sentence that was found. Stems and stop words are Sphinx's.
 */
"use strict";

const Search = {
  WORD: /[\p{L}\p{N}_]+/gu,
  // What a word is worth where it stands in a title, among the words that a text sets off, and in the text itself;
  // and what the whole query is worth there, word for word.
  WORTH: { title: 4, terms: 2, text: 1 },
  PHRASE: { title: 4, terms: 2, text: 1 },
  // What it is worth as the whole title, and as the whole of what is set off: there the book says what it means.
  WHOLE: { title: 12, terms: 8, text: 0 },
  // Objects of the package come behind what explains them, and their parts behind everything.
  KINDS: { section: 1, statement: 0.9, proof: 0.7, package: 0.4, function: 0.4, class: 0.4, module: 0.4 },
  MOST: 50,
  AROUND: 110, // characters of a text before and after what was found

  stems: new Map(),

  /** The stem of a word, whatever its case, and with or without its accents. */
  stem(word) {
    const lower = word.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
    if (!Search.stems.has(lower)) Search.stems.set(lower, new Stemmer().stemWord(lower));
    return Search.stems.get(lower);
  },

  stemsOf: (text) => Array.from(text.matchAll(Search.WORD), ([word]) => Search.stem(word)),

  /** The stems of a query or a title: without stop words, unless there are no others, and without a section's number. */
  telling(text) {
    const words = text.normalize("NFC").toLowerCase().replace(/^(\d+\.)+ /, "").match(Search.WORD) ?? [];
    const telling = words.filter((word) => !stopwords.includes(word));
    return (telling.length ? telling : words).map(Search.stem);
  },

  setIndex([titles, rows]) {
    const known = new Set();
    // What the text sets off counts where it does so for the first time.
    const isNew = (term) => {
      const line = Search.stemsOf(term).join(" ");
      return !known.has(line) && known.add(line);
    };
    Search.titles = titles;
    Search.entries = rows.map(([page, anchor, kind, title, within, terms, text]) => {
      const fields = {};
      for (const [field, parts] of Object.entries({ title: [title], terms: terms.filter(isNew), text: [text] })) {
        const lines = parts.map(Search.stemsOf), counts = new Map();
        for (const stem of lines.flat()) counts.set(stem, (counts.get(stem) ?? 0) + 1);
        const wholes = parts.map((part) => Search.telling(part).join(" "));
        fields[field] = { counts, wholes, length: lines.flat().length, lines: lines.map((stems) => ` ${stems.join(" ")} `) };
      }
      return { page, anchor, kind, title, within, text, fields };
    });
    Search.length = Search.entries.reduce((sum, { fields }) => sum + fields.text.length, 0) / rows.length;
  },

  /** The stems of the book that a stem of the query may mean: itself or, where the book lacks it, those it begins. */
  meant(stem) {
    const begins = new Set();
    for (const { fields } of Search.entries) {
      for (const { counts } of Object.values(fields)) {
        if (counts.has(stem)) return [stem];
        if (stem.length > 2) for (const other of counts.keys()) if (other.startsWith(stem)) begins.add(other);
      }
    }
    return [...begins];
  },

  /** The entries that hold at least half of the query, a rare word counting more than a frequent one; best first. */
  find(query) {
    const telling = Search.telling(query), line = telling.join(" ");
    const asked = telling.map((stem) => {
      const stems = Search.meant(stem);
      const has = ({ fields }) => stems.some((one) => Object.values(fields).some(({ counts }) => counts.has(one)));
      const share = Search.entries.filter(has).length / Search.entries.length;
      return { stems, has, rare: Math.log(1 + 1 / (share + 0.01)) };
    });
    const total = asked.reduce((sum, { rare }) => sum + rare, 0);
    const score = (entry) => {
      let sum = 0;
      const held = asked.filter(({ has }) => has(entry)).reduce((sum, { rare }) => sum + rare, 0) / total;
      if (!(held >= 0.5)) return 0;
      for (const { stems, rare } of asked) {
        for (const [field, { counts, length }] of Object.entries(entry.fields)) {
          const times = stems.reduce((sum, stem) => sum + (counts.get(stem) ?? 0), 0);
          const room = field === "text" ? 0.3 + (0.7 * length) / Search.length : 0.3 + 0.1 * length;
          sum += rare * Search.WORTH[field] * (times / (times + room));
        }
      }
      for (const [field, { lines, wholes }] of Object.entries(entry.fields)) {
        if (lines.some((words) => words.includes(` ${line} `))) sum += Search.PHRASE[field];
        if (wholes.includes(line)) sum += Search.WHOLE[field];
      }
      return held ** 2 * sum * (Search.KINDS[entry.kind] ?? 0.001);
    };
    return Search.entries.map((entry) => ({ entry, score: score(entry) })).filter(({ score }) => score > 0)
      .sort((a, b) => b.score - a.score).map(({ entry }) => entry);
  },

  /** A stretch of a text around the words of the query, which are marked. */
  context(text, query) {
    const stems = Search.telling(query).flatMap(Search.meant);
    const hits = [...text.matchAll(Search.WORD)].filter(([word]) => stems.includes(Search.stem(word)));
    const first = hits[0]?.index ?? 0;
    const start = first <= Search.AROUND ? 0 : text.indexOf(" ", first - Search.AROUND) + 1;
    const end = first + Search.AROUND >= text.length ? text.length : text.lastIndexOf(" ", first + Search.AROUND);
    const line = document.createElement("p");
    line.className = "context";
    line.append(start ? "… " : "");
    let at = start;
    for (const { 0: word, index } of hits.filter(({ index }) => index >= start && index < end)) {
      const mark = document.createElement("mark");
      mark.textContent = word;
      line.append(text.slice(at, index), mark);
      at = index + word.length;
    }
    line.append(text.slice(at, Math.max(at, end)), end < text.length ? " …" : "");
    return line;
  },

  show(query) {
    const found = Search.find(query), shown = found.slice(0, Search.MOST);
    const summary = document.createElement("p");
    summary.className = "search-summary";
    summary.role = "status";
    const list = document.createElement("ul");
    list.className = "search";
    for (const { page, anchor, title, within, text } of shown) {
      const link = document.createElement("a"), where = document.createElement("span");
      link.href = `${page}${DOCUMENTATION_OPTIONS.LINK_SUFFIX}#${anchor}`;
      link.textContent = title;
      where.className = "mtfl-where";
      where.textContent = [Search.titles[page], within].filter((part) => part && part !== title).join(" › ");
      const item = document.createElement("li");
      item.append(link, where, Search.context(text, query));
      list.append(item);
    }
    document.getElementById("search-results").replaceChildren(summary, list);
    summary.textContent = !found.length ? "Nothing in the book matches these words. Try fewer, or other ones."
      : found.length === 1 ? "One place in the book."
      : found.length > shown.length ? `${found.length} places in the book; the best ${shown.length}:`
      : `${found.length} places in the book.`;
  },
};

document.addEventListener("DOMContentLoaded", () => {
  const query = new URLSearchParams(location.search).get("q")?.trim();
  if (!query || !document.getElementById("search-results")) return;
  for (const input of document.querySelectorAll('input[name="q"]')) input.value = query;
  Search.show(query);
});
