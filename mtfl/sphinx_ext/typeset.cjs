// Typesets formulas for mtfl.sphinx_ext.mathematics: one JSON line in, one out.
// [tex, display] is answered with {"html": ...} or {"error": ...}, and null with {"css": ...} for all formulas so far.
// Arguments: the folder of MathJax, and the address of its fonts as the style sheet names it.

const [folder, fontURL] = process.argv.slice(2);

// Where a long formula may go on in the next line, as TeX and its readers have it: best after a comma or in a wide space,
// next at a relation, then at plus and minus, then between factors, at their sign, a small space or a sum; outside
// brackets rather than inside. A line of text ends with the sign, a line of a displayed formula begins with it. Parts
// that are shorter than this, in em, stay whole; within brackets those that a line of a phone holds.
const SHORT = { line: 8, display: 12, cell: 8 }, BRACKETS = 12;
const OP = 1, BIN = 2, REL = 3, OPEN = 4, CLOSE = 5, PUNCT = 6; // MathJax's names for TeX's classes
const QUAD = 0.9, NARROW = 14; // em, of a wide space and of a narrow column

// What a part is beneath the groups and styles that hold nothing else.
function coreOf(node) {
  while (node.childNodes?.length === 1 && (node.isInferred || node.isKind("mstyle") || node.isKind("TeXAtom")))
    node = node.childNodes[0];
  return node;
}

// The sign of a part, also where it bears an exponent or an index.
function signOf(node) {
  const core = coreOf(node);
  if (["msub", "msup", "msubsup"].includes(core.kind)) return signOf(core.childNodes[0]);
  return core.isKind("mo") ? core.getText() : "";
}

const isSpace = node => coreOf(node).isKind("mspace");
const isOpen = node => node?.texClass === OPEN || "([{⟨⌊⌈".includes((node && signOf(node)) || " ");

// How good a place it is, 0 the best, and whether the line ends before this part or after it.
function breakAt(node, width, last, kind) {
  const { texClass } = node, space = isSpace(node);
  if (texClass === PUNCT || (space && width >= QUAD)) return { level: 0 };
  if (texClass === REL) return { level: 1, before: kind !== "line" };
  if (texClass === BIN) return { level: "+−±∓".includes(signOf(node)) ? 2 : 3, before: kind !== "line" };
  if (space && width > 0) return { level: 3 };
  if (texClass === OP && ![undefined, OP, BIN, REL].includes(last?.texClass) && !isOpen(last))
    return { level: 3, before: true };
  return { level: NaN };
}

// The parts of a row, also those within \displaystyle and \left( \right).
function partsOf(row) {
  return row.childNodes.flatMap(node => {
    const inner = node.isKind("mstyle") ? coreOf(node) : node;
    return inner.isInferred || inner.isKind("mrow") ? partsOf(inner) : [node];
  });
}

// The parts before which a line may begin, and how wide the rest is at least.
function breaksIn(row, boxes, kind) {
  const parts = [];
  let depth = 0, last;
  for (const node of partsOf(row)) {
    const { w, L, R } = boxes.get(node).getOuterBBox(), sign = signOf(node) || " ";
    if (node.texClass === CLOSE || ")]}⟩⌋⌉".includes(sign)) depth--;
    const { level, before } = breakAt(node, w, last, kind);
    parts.push({ node, width: w + L + R, rank: 4 * Math.max(0, depth) + level, before });
    if (isOpen(node)) depth++;
    last = node;
  }
  const starts = [], most = 4 * parts.length;
  const widthOf = (from, to) => parts.slice(from, to).reduce((sum, part) => sum + part.width, 0);
  const split = (from, to, rank) => {
    if (widthOf(from, to) <= (rank < 4 ? SHORT[kind] : BRACKETS) || rank > most) return widthOf(from, to);
    const past = cut => (cut < to && isSpace(parts[cut].node) ? past(cut + 1) : cut); // no line begins with a space
    const cuts = parts.flatMap((part, k) => (part.rank === rank ? [part.before ? k : past(k + 1)] : []));
    const inside = [...new Set(cuts)].filter(cut => widthOf(from, cut) > 0 && widthOf(cut, to) > 0);
    starts.push(...inside.map(cut => parts[cut].node));
    return Math.max(...[from, ...inside].map((start, k) => split(start, inside[k] ?? to, rank + 1)));
  };
  return { width: split(0, parts.length, 0), starts };
}

// Mark where the lines of a formula may end. An alignment that would be wide even so is marked to be given up, and
// a display that has to scroll on a phone is reached by keyboard.
function allowBreaks({ math, nodeMap, adaptor, container }) {
  const drawn = node => nodeMap.get(node).chtml;
  const least = (node, kind) => {
    const core = coreOf(node);
    if (core.isKind("mtable") && math.display) {
      const widest = [];
      for (const { childNodes: cells } of core.childNodes)
        cells.forEach((cell, k) => { widest[k] = Math.max(widest[k] ?? 0, least(cell.childNodes[0], "cell")); });
      const width = widest.reduce((sum, column) => sum + column);
      if (width <= NARROW) return width;
      adaptor.addClass(drawn(core), "mtfl-loose");
      return Math.max(...widest);
    }
    if (!core.isInferred && !core.isKind("mrow")) return nodeMap.get(core)?.getOuterBBox().w ?? 0;
    const { width, starts } = breaksIn(core, nodeMap, kind);
    starts.forEach(start => {
      const first = drawn(start), last = adaptor.previous(first), space = adaptor.getAttribute(first, "space");
      if (space && last && !adaptor.getAttribute(last, "rspace")) { // the space of a sign stays in the line before
        adaptor.removeAttribute(first, "space");
        adaptor.setAttribute(last, "rspace", space);
      }
      adaptor.insert(adaptor.node("wbr"), first);
    });
    return width;
  };
  const width = least(math.root.childNodes[0], math.display ? "display" : "line");
  if (math.display && width > NARROW) adaptor.setAttribute(container, "tabindex", "0");
}

async function main() {
  const MathJax = await require(`${folder}/node-main.js`).init({
    loader: {
      paths: { mathjax: folder },
      load: ["input/tex", "output/chtml", "adaptors/liteDOM", "a11y/assistive-mml"],
      versionWarnings: false,
    },
    tex: {
      packages: { "[-]": ["noundefined"] }, // it would set an unknown command in red
      formatError: (_, error) => { throw error; },
    },
    chtml: { fontURL, scale: 1.15, matchFontHeight: false },
  });
  const { adaptor, output } = MathJax.startup, draw = output.processMath;
  output.processMath = (...what) => {
    draw.apply(output, what);
    allowBreaks(output);
  };
  for await (const line of require("node:readline").createInterface({ input: process.stdin })) {
    const asked = JSON.parse(line);
    let answer;
    if (asked === null) answer = { css: adaptor.textContent(MathJax.chtmlStylesheet()) };
    else {
      const [tex, display] = asked;
      try {
        answer = { html: adaptor.outerHTML(await MathJax.tex2chtmlPromise(tex, { display })) };
      } catch (error) {
        answer = { error: error.message };
      }
    }
    process.stdout.write(JSON.stringify(answer) + "\n");
  }
}

main();
