// The page: controls become settings, settings go to the worker, what it reports is drawn.

import { asDigit, EXAMPLES } from "./handwriting.js";
import {
  colours,
  drawBoundary,
  drawCells,
  drawCurve,
  drawDigit,
  drawPlanes,
  drawStrokes,
  drawWeights,
} from "./pictures.js";
import { pythonOf } from "./python.js";
import {
  CHOICES,
  DATA,
  defaultsOf,
  fromHash,
  isDigits,
  MOST_EPOCHS,
  MOST_LAYERS,
  MOST_SEED,
  MOST_UNITS,
  toHash,
  whole,
} from "./settings.js";
import { percent, seenInCurves, seenInNorms } from "./sentences.js";
import { stepOf, written } from "./steps.js";

const $ = (id) => document.getElementById(id);
const LABELS = {
  data: (name) => DATA[name].name,
  init: (name) => ({ default: "by activation", tiny: "tiny (0.01)" })[name] ?? name,
  batch: (rows) => (rows ? String(rows) : "all"),
  pace: (pace) => (pace === "full" ? "full speed" : `${pace} epochs/s`),
};
const SPOKEN_GAP = 4000; // Milliseconds between two sentences of a screen reader.
const MISTAKES_SHOWN = 30;
const SMALL = 3; // Layers of a network whose numbers are all open.

const worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;

let settings = fromHash(location.hash);
let number = 0; // Of the training; older ones' reports are dropped.
let running = false;
let seen = null,
  rows = null; // The last report, and the rows of the data.
let costs = [],
  accuracies = [],
  before = { costs: [], accuracies: [] };
let strokes = [],
  sample = { row: 0 };
let stepped = null; // The last step's numbers.
let unsaid = false, // Is there a report that has not been spoken about?
  spoken = 0;
let palette = colours();

// ---- settings -----------------------------------------------------------------------------------

function begin(run) {
  before = costs.length > 2 ? { costs, accuracies } : before;
  [costs, accuracies, seen, stepped] = [[], [], null, null];
  const hash = `#${toHash(settings)}`;
  if (location.hash !== hash) history.replaceState(null, "", hash);
  showSettings();
  worker.postMessage({ type: "start", settings, number: ++number, run, calm });
}

function changed(change, run = running) {
  if (change.data && change.data !== settings.data) before = { costs: [], accuracies: [] };
  settings = { ...settings, ...change };
  begin(run);
}

function fillChoices() {
  for (const [name, values] of Object.entries(CHOICES)) {
    const label = LABELS[name] ?? String;
    $(name).replaceChildren(...values.map((value) => new Option(label(value), value)));
  }
  $("meant").replaceChildren(new Option("not told", ""));
}

function showSettings() {
  for (const name of Object.keys(CHOICES)) {
    const value = String(settings[name]);
    const known = [...$(name).options].some((option) => option.value === value);
    if (!known) $(name).add(new Option(value, value)); // A link may bring another rate.
    $(name).value = value;
  }
  for (const name of ["epochs", "seed"]) $(name).value = settings[name];
  showUnits();
  const { classes } = DATA[settings.data];
  const digits = isDigits(settings);
  for (const id of ["draw", "mistakes", "input-picture"]) $(id).hidden = !digits;
  $("boundary").hidden = digits;
  $("meant").replaceChildren(
    new Option("not told", ""),
    ...classes.map((name, label) => new Option(name, label)),
  );
}

function showUnits() {
  const { layers } = settings;
  $("layer-count").value = layers.length;
  $("fewer").disabled = layers.length === 1;
  $("more").disabled = layers.length === MOST_LAYERS;
  if ($("units").childElementCount !== layers.length)
    $("units").replaceChildren(...layers.map((_, l) => unitsInput(l)));
  layers.forEach((units, l) => {
    $("units").children[l].value = units;
  });
}

function unitsInput(l) {
  const input = Object.assign(document.createElement("input"), {
    type: "number",
    min: 1,
    max: MOST_UNITS,
    inputMode: "numeric",
  });
  input.setAttribute("aria-label", `units of hidden layer ${l + 1}`);
  input.addEventListener("change", () => {
    const units = whole(input.value, 1, MOST_UNITS);
    if (units === null) return showUnits();
    changed({ layers: settings.layers.with(l, units) });
  });
  return input;
}

function listenToSettings() {
  $("data").addEventListener("change", () => {
    sample = { row: 0 };
    changed(defaultsOf($("data").value));
  });
  for (const name of ["hidden", "init", "optimizer"])
    $(name).addEventListener("change", () => changed({ [name]: $(name).value }));
  $("batch").addEventListener("change", () => changed({ batch: Number($("batch").value) }));
  const limits = { epochs: [1, MOST_EPOCHS], seed: [0, MOST_SEED] };
  for (const [name, [least, most]] of Object.entries(limits))
    $(name).addEventListener("change", () => {
      const value = whole($(name).value, least, most);
      if (value === null) return showSettings();
      if (name === "seed") return changed({ seed: value });
      settings.epochs = value;
      remember();
    });
  $("rate").addEventListener("change", () => onTheWay({ rate: Number($("rate").value) }));
  $("pace").addEventListener("change", () => onTheWay({ pace: $("pace").value }));
  $("fewer").addEventListener("click", () => changed({ layers: settings.layers.slice(0, -1) }));
  $("more").addEventListener("click", () =>
    changed({ layers: [...settings.layers, settings.layers.at(-1)] }),
  );
  addEventListener("hashchange", () => {
    if (!location.hash.includes("=")) return remember(); // It led to a place of this page.
    const told = fromHash(location.hash);
    if (toHash(told) === toHash(settings)) return;
    if (told.data !== settings.data) sample = { row: 0 };
    changed(told, true);
  });
  document.querySelector("form").addEventListener("submit", (event) => event.preventDefault());
}

/** Learning rate and pace hold from the next epoch on. */
function onTheWay(change) {
  settings = { ...settings, ...change };
  const [type] = Object.keys(change);
  worker.postMessage({ type, ...change });
  remember();
}

const remember = () => history.replaceState(null, "", `#${toHash(settings)}`);

// ---- training -----------------------------------------------------------------------------------

function listenToButtons() {
  const run = (epochs) => {
    running = true;
    showRunning();
    worker.postMessage({ type: "run", epochs });
  };
  $("train").addEventListener("click", () =>
    running ? worker.postMessage({ type: "pause" }) : run(settings.epochs),
  );
  $("epoch").addEventListener("click", () => run(1));
  $("reset").addEventListener("click", () => begin(false));
  $("share").addEventListener("click", () => copy($("share"), location.href));
  $("copy").addEventListener("click", () => copy($("copy"), $("lines").textContent));
  $("previous").addEventListener("click", () => look({ row: besides(-1) }));
  $("following").addEventListener("click", () => look({ row: besides(1) }));
  $("show-step").addEventListener("click", () => worker.postMessage({ type: "step" }));
  $("take-step").addEventListener("click", () => worker.postMessage({ type: "step", take: true }));
  $("fresh-step").addEventListener("click", () =>
    worker.postMessage({ type: "step", fresh: true }),
  );
}

async function copy(button, text) {
  const name = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    prompt("Copy this:", text); // A page without a secure connection may not reach the clipboard.
  }
  setTimeout(() => {
    button.textContent = name;
  }, 1500);
}

function showRunning() {
  $("train").textContent = running ? "Pause" : "Train";
  $("train").disabled = false;
  for (const id of ["epoch", "show-step", "take-step", "fresh-step"]) $(id).disabled = running;
  $("reset").disabled = false;
}

const HEARD = {
  here: () => begin(false),
  rows(message) {
    rows = message;
    $("alert").hidden = true;
    worker.postMessage({ type: "look", sample });
  },
  seen(message) {
    seen = message;
    running = message.running;
    costs.push(...message.costs);
    accuracies.push(...message.accuracies);
    if (seen.final && stepped) worker.postMessage({ type: "step", fresh: true });
    unsaid = true;
    redraw();
  },
  looked({ flow }) {
    seen.flow = flow;
    if (!running) $("live").textContent = answerText(flow);
    if (stepped) worker.postMessage({ type: "step" });
    redraw();
  },
  stepped(message) {
    stepped = message;
    showStep();
  },
};

worker.onmessage = ({ data: message }) => {
  if (message.type === "failed") return fail(message.text);
  if (message.number !== undefined && message.number !== number) return;
  HEARD[message.type](message);
};
worker.onerror = (event) =>
  fail(`This does not work here: ${event.message ?? "no worker starts"}.`);

function fail(text) {
  running = false;
  showRunning();
  $("alert").hidden = false;
  $("alert").textContent = text;
}

// ---- pictures -----------------------------------------------------------------------------------

let waiting = false;
function redraw() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    if (!seen || !rows) return;
    showRunning();
    showNumbers();
    showCurves();
    showViews();
    showFlow();
    if (isDigits(settings)) showMistakes();
    showDrawing();
    showPython();
    if (unsaid) speak();
    unsaid = false;
  });
}

function showNumbers() {
  $("at-epoch").textContent = seen.epoch;
  $("at-cost").textContent = seen.cost === null ? "–" : written(seen.cost);
  $("at-accuracy").textContent = percent(seen.accuracy);
}

/** One calm sentence now and then, and one at each end, for those who hear the page. */
function speak() {
  const now = performance.now();
  if (seen.cost === null || (!seen.final && now - spoken < SPOKEN_GAP)) return;
  spoken = now;
  $("live").textContent =
    `${seen.final ? "Paused at epoch" : "Epoch"} ${seen.epoch}: cost ` +
    `${written(seen.cost)}, ${percent(seen.accuracy)} of the test rows right.`;
  $("cost-curve").ariaLabel =
    `Cost: ${written(costs[1])} in epoch 1, ${written(seen.cost)} in epoch ` + `${seen.epoch}`;
  $("accuracy-curve").ariaLabel =
    `Right answers: ${percent(accuracies[1])} at the start, ` +
    `${percent(seen.accuracy)} after epoch ${seen.epoch}`;
}

function showCurves() {
  drawCurve($("cost-curve"), { points: costs, before: before.costs, log: true }, palette);
  const what = { points: accuracies, before: before.accuracies, percent: true };
  drawCurve($("accuracy-curve"), what, palette);
  const kinds = DATA[settings.data].classes.length;
  $("curves-note").textContent = seenInCurves({ costs, accuracies, kinds });
}

const VIEWS = {
  weights: [
    "What the hidden units look for",
    "Each tile holds the weights from the 784 pixels into one unit of the first hidden layer. Ink " +
      "on orange pixels speaks for the unit, on blue ones against it. At the start they are " +
      "noise; then strokes appear.",
  ],
  planes: [
    "What the units say about the plane",
    "The large picture is the answer at each place, with the points learnt from. Each tile is one " +
      "hidden unit: units of the first layer draw a line, later ones bend and join them.",
  ],
};

function showViews() {
  const { views } = seen,
    units = $("units-picture");
  [$("views-title").textContent, $("views-note").textContent] = VIEWS[views.kind];
  if (views.kind === "weights") {
    units.style.width = "100%";
    units.ariaLabel =
      `Weights of the ${views.outputs} units of the first hidden layer, ` +
      "as pictures of 28 by 28 pixels";
    return drawWeights(units, views, palette);
  }
  const point = seen.flow.row === null ? null : seen.flow.x;
  $("boundary").ariaLabel =
    "The plane, coloured by the network's answer; " +
    `it tells ${percent(seen.accuracy)} of the test points right`;
  units.ariaLabel = "What each hidden unit says about the plane";
  drawBoundary($("boundary"), views, rows.train, point, palette);
  drawPlanes(units, views, palette);
}

// ---- a sample's way -----------------------------------------------------------------------------

const besides = (by) => {
  const { n } = rows.test;
  return ((sample.row ?? 0) + by + n) % n;
};

function look(what) {
  sample = what;
  worker.postMessage({ type: "look", sample });
}

const className = (label) => DATA[settings.data].classes[label];

/** How sure the answer is, as a share. */
function sureness({ activations, answer }) {
  const A = activations.at(-1);
  return A.length > 1 ? A[answer] : answer ? A[0] : 1 - A[0];
}

function answerText(flow) {
  const point = isDigits(settings) ? "" : `(${flow.x[0].toFixed(2)}, ${flow.x[1].toFixed(2)}) is `;
  const told = `Answer: ${point}${className(flow.answer)}, ${percent(sureness(flow))} sure`;
  if (flow.label === null) return told;
  const right = flow.label === flow.answer;
  return `${told}. ${right ? "Right" : `Wrong, it is ${className(flow.label)}`}.`;
}

function showFlow() {
  const { flow, norms } = seen;
  $("sample-name").textContent =
    flow.row === null ? "your drawing" : `test sample ${flow.row + 1} of ${rows.test.n}`;
  $("sample-answer").textContent = answerText(flow);
  if (isDigits(settings)) {
    drawDigit($("input-picture"), flow.x, palette);
    $("input-picture").ariaLabel =
      `The sample: ${flow.label === null ? "your drawing" : `a ${className(flow.label)}`}`;
  }
  const units = flow.activations.map((A) => A.length);
  if ($("layers").dataset.units !== `${units} ${settings.hidden}`) makeLayers(units);
  $("flow-note").textContent = seenInNorms(norms);
  flow.activations.forEach((A, l) =>
    showLayer($("layers").children[l], A, flow.deltas?.[l], norms[l]),
  );
}

function makeLayers(units) {
  $("layers").dataset.units = `${units} ${settings.hidden}`;
  $("layers").replaceChildren(
    ...units.map((count, l) => {
      const last = l === units.length - 1;
      const output = count > 1 ? "softmax" : "sigmoid";
      const row = document.createElement("tr");
      row.innerHTML = `<th scope="row"></th>
      <td data-name="activations"><canvas role="img"></canvas></td>
      <td data-name="δ"><canvas role="img"></canvas></td>
      <td data-name="mean ‖δ‖"><div class="bar"><div><div></div></div><span></span></div></td>`;
      row.firstChild.textContent = last
        ? `output: ${count} ${output}`
        : `hidden ${l + 1}: ${count} ${settings.hidden}`;
      return row;
    }),
  );
}

// The bar's seven parts are powers of ten, from 10^-6 to 10.
const barWidth = (norm) => Math.min(1, Math.max(0, (Math.log10(norm) + 6) / 7));

const range = (V) =>
  `${V.length} numbers from ${written(Math.min(...V))} to ${written(Math.max(...V))}`;

function showLayer(row, A, D, norm) {
  const [forward, back] = row.querySelectorAll("canvas");
  drawCells(forward, A, palette);
  forward.ariaLabel = `Activations: ${range(A)}`;
  drawCells(back, D ?? new Float32Array(A.length), palette);
  back.ariaLabel = D ? `Deltas: ${range(D)}` : "Deltas: none without a true answer";
  const bar = row.querySelector(".bar > div > div");
  bar.style.width = `${100 * barWidth(norm)}%`;
  row.querySelector(".bar span").textContent =
    norm && norm < 0.001 ? norm.toExponential(1) : String(+norm.toPrecision(2));
}

// ---- mistakes -----------------------------------------------------------------------------------

function showMistakes() {
  const { wrong, tested } = seen,
    list = $("mistakes-list");
  const shown = wrong.slice(0, MISTAKES_SHOWN);
  $("mistakes-note").textContent =
    `${wrong.length} of ${tested} test digits are told wrong` +
    `${wrong.length > shown.length ? `; the first ${shown.length} are here` : ""}. ` +
    "Each says what it is, and what the network takes it for; choose one to see its way through " +
    "the network.";
  while (list.childElementCount < shown.length) list.append(mistakeButton());
  [...list.children].forEach((button, i) => {
    button.hidden = i >= shown.length;
    if (!button.hidden) showMistake(button, shown[i]);
  });
}

function mistakeButton() {
  const button = document.createElement("button");
  button.append(document.createElement("canvas"), document.createElement("span"));
  button.addEventListener("click", () => {
    look({ row: Number(button.dataset.row) });
    $("flow").scrollIntoView({ block: "nearest", behavior: calm ? "auto" : "smooth" });
  });
  return button;
}

function showMistake(button, { row, answer, label }) {
  const told = `${row} ${answer} ${palette.paper}`;
  if (button.dataset.told === told) return;
  Object.assign(button.dataset, { told, row });
  drawDigit(button.firstChild, rows.test.X.subarray(784 * row, 784 * (row + 1)), palette);
  button.lastChild.textContent = `${className(label)} → ${className(answer)}`;
  button.ariaLabel =
    `${button.lastChild.textContent}: test sample ${row + 1}, ` +
    `a ${className(label)} taken for ${className(answer)}`;
}

// ---- a drawing ----------------------------------------------------------------------------------

function listenToPad() {
  const pad = $("pad");
  const at = (event) => {
    const box = pad.getBoundingClientRect();
    return [
      ((event.clientX - box.left) / box.width) * pad.width,
      ((event.clientY - box.top) / box.height) * pad.height,
    ];
  };
  pad.addEventListener("pointerdown", (event) => {
    pad.setPointerCapture(event.pointerId);
    strokes.push([at(event)]);
    drawn();
  });
  pad.addEventListener("pointermove", (event) => {
    if (!pad.hasPointerCapture(event.pointerId)) return;
    for (const part of event.getCoalescedEvents?.() ?? [event]) strokes.at(-1).push(at(part));
    drawn();
  });
  const write = (digit) => () => {
    strokes = EXAMPLES[digit].map((stroke) => stroke.map(([x, y]) => [2.8 * x, 2.8 * y]));
    drawn();
  };
  $("draw5").addEventListener("click", write(5));
  $("draw8").addEventListener("click", write(8));
  $("clear").addEventListener("click", () => {
    strokes = [];
    drawn();
  });
  $("meant").addEventListener("change", drawn);
}

function drawn() {
  drawStrokes($("pad"), strokes, palette);
  const x = asDigit(strokes);
  if (!x) return look({ row: 0 });
  look({ x, label: $("meant").value === "" ? null : Number($("meant").value) });
}

function showDrawing() {
  const mine = seen.flow.row === null;
  for (const id of ["seen-digit", "drawn-layers"]) $(id).hidden = !mine;
  if (mine) {
    drawDigit($("seen-digit"), seen.flow.x, palette);
    showDrawnLayers(seen.flow.activations);
  }
  const text = mine ? answerText(seen.flow) : "Draw a digit with the pointer or a finger.";
  // A screen reader says what changes: while the network learns, only where the answer does.
  if (!running || text.slice(0, 10) !== $("drawn-answer").textContent.slice(0, 10))
    $("drawn-answer").textContent = text;
}

function showDrawnLayers(activations) {
  const list = $("drawn-layers");
  while (list.childElementCount < activations.length) {
    const canvas = document.createElement("canvas");
    canvas.role = "img";
    list.append(canvas);
  }
  while (list.childElementCount > activations.length) list.lastChild.remove();
  activations.forEach((A, l) => {
    drawCells(list.children[l], A, palette);
    list.children[l].ariaLabel = `Layer ${l + 1} of your drawing: ${range(A)}`;
  });
}

// ---- a step -------------------------------------------------------------------------------------

function saidOfStep(cost) {
  if (cost === undefined)
    return "Say what you meant by the drawing: without a target there is no error.";
  const { steps } = stepped;
  const when = steps ? `After ${steps} step${steps > 1 ? "s" : ""} on` : "Before a step on";
  return `${when} this sample: cost ${written(cost)}`;
}

function showStep() {
  const parts = stepOf(stepped);
  const cost = parts.find((part) => part.title === "Cost")?.cost;
  $("take-step").disabled = running || cost === undefined;
  $("step-cost").textContent = saidOfStep(cost);
  const open = [...$("step-parts").children].map((part) => part.open);
  $("step-parts").replaceChildren(...parts.map(partElement));
  // Whoever opened or closed a part finds it so after the next step.
  if (open.length === parts.length)
    open.forEach((was, i) => {
      $("step-parts").children[i].open = was;
    });
}

function partElement({ title, rule, lines, left }) {
  const part = document.createElement("details");
  part.open = stepped.layers.length <= SMALL;
  const add = (tag, text, to = part) => {
    const element = Object.assign(document.createElement(tag), { textContent: text });
    to.append(element);
    return element;
  };
  add("summary", title);
  add("p", rule).className = "rule";
  const list = add("ol", "");
  for (const line of left ? [...lines, left] : lines) add("li", line, list);
  return part;
}

// ---- Python -------------------------------------------------------------------------------------

function showPython() {
  $("fingerprint").textContent = seen.proof.fingerprint;
  const lines = pythonOf(settings, seen.proof.trained, seen.rowsLearnt);
  if ($("lines").textContent !== lines) $("lines").textContent = lines;
  $("kind").textContent =
    `Computed here by the ${seen.kind} kind of WebAssembly's vectors; ` +
    `${seen.seconds.toFixed(2)} s of training so far.`;
}

// ---- the start ----------------------------------------------------------------------------------

fillChoices();
showSettings();
listenToSettings();
listenToButtons();
listenToPad();
for (const id of ["settings", "try"]) $(id).open = matchMedia("(min-width: 48rem)").matches;
// On the published site the documentation is beside the page; elsewhere it is not.
if (!location.pathname.includes("/playground/"))
  for (const link of document.querySelectorAll("[data-site]")) link.removeAttribute("href");
addEventListener("resize", redraw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  palette = colours();
  drawStrokes($("pad"), strokes, palette);
  redraw();
});
