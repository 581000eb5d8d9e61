/**
 * The pictures that a figure to move begins with, drawn without a browser.
 *
 * Reads { script, state, seed } and writes the figure's pictures and its sentence as HTML. What the script does to its page it
 * does to the few parts of one that stand here; what is missing is an error.
 */
"use strict";
const { readFileSync } = require("node:fs");
const vm = require("node:vm");

const escaped = (text) => String(text).replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);

class Element {
  constructor(tag) {
    Object.assign(this, { tag, attributes: new Map(), children: [], dataset: {}, style: { setProperty() {} } });
    this.classList = { add: (...names) => (this.className = [this.className, ...names].join(" ").trim()) };
  }

  setAttribute(name, value) { this.attributes.set(name, String(value)); }
  getAttribute(name) { return this.attributes.get(name) ?? null; }
  removeAttribute(name) { this.attributes.delete(name); }
  get className() { return this.getAttribute("class") ?? ""; }
  set className(value) { this.setAttribute("class", value); }
  get textContent() { return this.children.map((child) => child.textContent ?? child).join(""); }
  set textContent(text) { this.children = [String(text)]; }
  append(...nodes) { this.children.push(...nodes.map((node) => (node instanceof Element ? node : String(node)))); }
  replaceChildren(...nodes) {
    this.children = [];
    this.append(...nodes);
  }

  addEventListener() {}
  removeEventListener() {}
  closest() { return null; }

  /** It and all elements in it, in the order of the page. */
  *all() {
    yield this;
    for (const child of this.children) if (child instanceof Element) yield* child.all();
  }

  toString() {
    const attributes = [...this.attributes].map(([name, value]) => ` ${name}="${escaped(value)}"`).join("");
    const inside = this.children.map((child) => (child instanceof Element ? child : escaped(child))).join("");
    return `<${this.tag}${attributes}>${inside}</${this.tag}>`;
  }
}

const { script, state, seed } = JSON.parse(readFileSync(0, "utf8"));
const source = script.slice(0, script.lastIndexOf("\n{\n  const box"));
const el = new Element("div");
const model = { get: (key) => state[key], set: (key, value) => (state[key] = value), save_changes() {}, on() {}, off() {} };
const page = {
  document: {
    createElement: (tag) => new Element(tag),
    createElementNS: (_, tag) => new Element(tag),
    querySelectorAll: () => [],
    addEventListener() {},
    removeEventListener() {},
  },
  matchMedia: () => ({ matches: true }), // no motion
  setTimeout() {}, clearTimeout() {}, setInterval() {}, clearInterval() {},
  requestAnimationFrame() {}, cancelAnimationFrame() {},
  performance, URLSearchParams, queueMicrotask,
};
// Names within a picture are drawn: the same in each build, others for each figure.
const draw = `{ let n = ${seed}; Math.random = () => (n = (n + 0.618034) % 1); }`;
vm.runInNewContext(`${draw}\n${source}\nrender`, page)({ model, el });
const pictures = [...el.all()].filter((node) => node.tag === "svg" && node.getAttribute("role") === "img");
const words = [...el.all()].find((node) => node.className === "mtfl-words");
words.removeAttribute("aria-hidden");
const told = words.textContent;
for (const node of pictures) if (node.getAttribute("aria-label") === told) { // the sentence stands below
  node.removeAttribute("role");
  node.removeAttribute("aria-label");
  node.setAttribute("aria-hidden", "true");
}
process.stdout.write(`${pictures.join("")}${words}`);
