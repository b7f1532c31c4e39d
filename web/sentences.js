// What pictures show, in a sentence each.

import { written } from "./steps.js";

export const percent = (share) => `${(100 * share).toFixed(1)} %`;

// A fall of the accuracy that is more than chance on 500 rows: two standard deviations at 95 %.
const WORSE = 0.02;

/**
 * @param {{costs: number[], accuracies: number[], kinds: number}} what epoch, value, epoch, value,
 *   ..., accuracies from epoch 0 on, and how many classes there are
 */
export function seenInCurves({ costs, accuracies, kinds }) {
  if (!costs.length) return "Nothing is learnt yet: the weights are random.";
  const guessing = `ln ${kinds} = ${Math.log(kinds).toFixed(2)}`;
  const first = costs[1],
    last = costs.at(-1);
  const best = accuracies.filter((_, i) => i % 2).reduce((a, b) => Math.max(a, b));
  if (last > 1.2 * Math.log(kinds))
    return (
      `The cost, ${written(last)}, is above ${guessing}, that of guessing: steps this large ` +
      "jump over the valley."
    );
  if (last > 1.2 * first)
    return `The cost has grown from ${written(first)} to ${written(last)}: the steps are too large.`;
  if (last > 0.97 * Math.log(kinds))
    return `The cost stays near ${guessing}, that of guessing: nothing is learnt so far.`;
  if (best - accuracies.at(-1) > WORSE)
    return (
      `The cost is down to ${written(last)}, but test rows were told better before, ` +
      `${percent(best)}: it learns its own rows by heart.`
    );
  return `The cost fell from ${written(first)} to ${written(last)}; guessing would be ${guessing}.`;
}

/** The mean lengths of the deltas of each layer, the first one first. */
export function seenInNorms(norms) {
  const ratio = norms.at(-1) / norms[0];
  if (norms[0] === 0)
    return "No error reaches the first layer: its units are dead for all of these rows.";
  if (ratio >= 20)
    return (
      `δ is ${Math.round(ratio).toLocaleString("en")} times shorter in the first layer than ` +
      "in the last: it hardly learns. The gradient vanishes."
    );
  const there = ratio < 1 ? "even longer" : `only ${ratio.toPrecision(2)} times shorter`;
  return `The error reaches the first layer: δ is ${there} there.`;
}
