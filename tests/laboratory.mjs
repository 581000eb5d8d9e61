/**
 * Runs the laboratory's experiments under Node. Reads { folder, state, experiments: [{ key: value }], seeds } and writes what each
 * comes to for each seed: energy and conditioning of its runs, accuracies on a new task where heads are fitted, and the lines of Python.
 */
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const { folder, state, experiments, seeds } = JSON.parse(readFileSync(0, "utf8")), url = pathToFileURL(`${folder}/`), begun = new Map();
const { openRun } = await import(new URL("runs.js", url)), { inPython, possible, statesOf } = await import(new URL("laboratory.js", url));

/** A run of at least so many rounds; experiments that differ in nothing that trains share it. A new task asks for the last weights. */
function trained(state) {
  const key = JSON.stringify({ ...state, rounds: 0, against: "", fitted: "", examples: 0 }), before = begun.get(key);
  const run = before && (state.fitted !== "yes" || before.training.rounds <= state.rounds) ? before : openRun(state);
  begun.set(key, run);
  while (run.training.rounds < state.rounds) run.round();
  while (run.predict());
  return run;
}

const found = experiments.map((changes) => seeds.map((seed) => {
  const asked = possible({ ...state, ...changes, seed }), { rounds, fitted, new_task: task, examples } = asked.state;
  const runs = statesOf(asked.state).map((one) => {
    const run = trained(one), { energy, conditioning } = run.history;
    return {
      energy: energy[rounds], conditioning: conditioning[rounds], trace: energy.slice(0, rounds + 1), theory: run.theory.energy.slice(0, rounds + 1),
      transfer: fitted === "yes" ? run.transfer(task, examples) : null,
    };
  });
  return { runs, notes: asked.notes, python: inPython(statesOf(asked.state)) };
}));
process.stdout.write(JSON.stringify(found));
