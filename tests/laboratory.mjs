/**
 * Runs the laboratory's experiments under Node. Reads { folder, state, experiments: [{ key: value }], seeds } and writes what each
 * comes to for each seed: energy, conditioning and accuracy of its runs, accuracies on a new task, and the lines of Python.
 */
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const { folder, state, experiments, seeds } = JSON.parse(readFileSync(0, "utf8")), url = pathToFileURL(`${folder}/`);
const { openRun } = await import(new URL("runs.js", url)), { inPython, possible, statesOf } = await import(new URL("laboratory.js", url));
const found = experiments.map((changes) => seeds.map((seed) => {
  const asked = possible({ ...state, ...changes, seed });
  const runs = statesOf(asked.state).map((one) => {
    const run = openRun(one);
    while (run.training.rounds < asked.state.rounds) run.round();
    while (run.predict());
    const last = Object.fromEntries(Object.entries(run.history).map(([name, values]) => [name, values.at(-1) ?? null]));
    const kernel = Array.from(run.look().kernel), K = Math.sqrt(kernel.length);
    return {
      ...last, start: run.history.energy[0], theory: run.theory.energy, trace: run.history.energy, transfer: run.transfer(asked.state.new_task, asked.state.examples),
      away: Math.max(...kernel.filter((_, n) => n % (K + 1)).map(Math.abs)),
    };
  });
  return { runs, notes: asked.notes, python: inPython(statesOf(asked.state)) };
}));
process.stdout.write(JSON.stringify(found));
