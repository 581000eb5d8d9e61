// Typesets formulas for mtfl.sphinx_ext.mathematics: one JSON line in, one out.
// [tex, display] is answered with {"html": ...} or {"error": ...}, and null with {"css": ...} for all formulas so far.
// Arguments: the folder of MathJax, and the address of its fonts as the style sheet names it.

const [folder, fontURL] = process.argv.slice(2);

// Where a long formula may go on in the next line, as TeX and its readers have it: best after a comma or in a wide space,
// next at a relation, then at plus and minus, then at a product; outside brackets rather than inside. A line of text ends
// with the sign, a line of a displayed formula begins with it. Shorter formulas than this, in em, stay whole.
const SHORT = { line: 8, display: 12, cell: 8 };
const BIN = 2, REL = 3, OPEN = 4, CLOSE = 5, PUNCT = 6; // MathJax's names for TeX's classes
const QUAD = 0.9; // em

function signOf(node) {
  while (node.childNodes?.length === 1 && (node.isKind("TeXAtom") || node.isInferred)) node = node.childNodes[0];
  return node.isKind("mo") ? node.getText() : "";
}

function breaksIn(row, boxes, kind) {
  const parts = [];
  let depth = 0;
  for (const node of row.childNodes) {
    const { w, L, R } = boxes.get(node).getOuterBBox(), sign = signOf(node), { texClass } = node;
    if (texClass === CLOSE || ")]}⟩⌋⌉".includes(sign || " ")) depth--;
    const ends = texClass === PUNCT || (node.isKind("mspace") && w >= QUAD);
    const level = ends ? 0 : texClass === REL ? 1 : texClass !== BIN ? NaN : "+−±∓".includes(sign) ? 2 : 3;
    parts.push({ width: w + L + R, rank: 4 * Math.max(0, depth) + level, before: kind !== "line" && !ends });
    if (texClass === OPEN || "([{⟨⌊⌈".includes(sign || " ")) depth++;
  }
  const found = new Set(), most = 4 * parts.length;
  const split = (from, to, rank) => {
    const width = parts.slice(from, to).reduce((sum, part) => sum + part.width, 0);
    if (width <= SHORT[kind] || rank > most) return;
    const cuts = parts.flatMap((part, k) => (part.rank === rank ? [part.before ? k : k + 1] : []));
    const inside = cuts.filter(cut => cut > from && cut < to);
    inside.forEach(cut => found.add(cut));
    [from, ...inside].forEach((start, k) => split(start, inside[k] ?? to, rank + 1));
  };
  split(0, parts.length, 0);
  return [...found].map(cut => row.childNodes[cut]);
}

function allowBreaks({ math, nodeMap, adaptor }) {
  const top = math.root.childNodes[0], rows = [[top, math.display ? "display" : "line"]];
  if (math.display) top.walkTree(node => { if (node.isKind("mtd")) rows.push([node.childNodes[0], "cell"]); });
  for (const [row, kind] of rows) {
    for (const node of breaksIn(row, nodeMap, kind)) adaptor.insert(adaptor.node("wbr"), nodeMap.get(node).chtml);
  }
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
