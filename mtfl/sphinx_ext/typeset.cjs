// Typesets formulas for mtfl.sphinx_ext.mathematics: one JSON line in, one out.
// [tex, display] is answered with {"html": ...} or {"error": ...}, and null with {"css": ...} for all formulas so far.
// Arguments: the folder of MathJax, and the address of its fonts as the style sheet names it.

const [folder, fontURL] = process.argv.slice(2);

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
  const adaptor = MathJax.startup.adaptor;
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
