// What is drawn: curves, pictures of digits and weights, cells of numbers, the plane.

/** Colours of the page, dark or light, as [red, green, blue]. */
export function colours() {
  const style = getComputedStyle(document.documentElement);
  const found = {};
  for (const name of ["paper", "ground", "ink", "quiet", "line", "plus", "minus", "pale"]) {
    const digits = style.getPropertyValue(`--${name}`).trim().slice(1);
    const pairs = digits.length === 3 ? [...digits].map((d) => d + d) : digits.match(/../g);
    found[name] = pairs.map((pair) => parseInt(pair, 16));
  }
  return found;
}

const css = (colour) => `rgb(${colour.join(" ")})`;
const mixed = (from, to, share) =>
  from.map((value, i) => Math.round(value + share * (to[i] - value)));

/** The colour of a number of -1 to 1: paper is zero. */
function signed(palette, value) {
  const share = Math.min(1, Math.abs(value));
  return mixed(
    palette.paper,
    value < 0 ? palette.minus : palette.plus,
    Number.isNaN(share) ? 0 : share,
  );
}

/** A context whose unit is a pixel of CSS, sharp on every screen. */
function sharp(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, { width: w, height: h });
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}

const small = document.createElement("canvas");

/** Squares of numbers: colourOf(i) of side x side pixels, as a picture at a place. */
function stamp(context, side, colourOf, x, y, size, smooth = false) {
  Object.assign(small, { width: side, height: side });
  const pencil = small.getContext("2d");
  const image = pencil.createImageData(side, side);
  for (let i = 0; i < side * side; i++) image.data.set([...colourOf(i), 255], 4 * i);
  pencil.putImageData(image, 0, 0);
  context.imageSmoothingEnabled = smooth;
  context.drawImage(small, x, y, size, size);
}

/** A digit of 28 x 28, ink on paper. */
export function drawDigit(canvas, X, palette) {
  Object.assign(canvas, { width: 28, height: 28 });
  canvas.style.imageRendering = "pixelated";
  stamp(canvas.getContext("2d"), 28, (i) => mixed(palette.paper, palette.ink, X[i]), 0, 0, 28);
}

const GAP = 4;

/** The side of squares so that so many of them fill a width in few rows. */
function tiling(width, count, most, least) {
  const columns = Math.max(Math.ceil(width / (most + GAP)), 1);
  const wanted = count > 60 ? Math.ceil(width / (least + GAP)) : columns;
  return { columns: wanted, size: (width - (wanted - 1) * GAP) / wanted };
}

/** Weights from the pixels into each hidden unit. */
export function drawWeights(canvas, { weights, inputs, outputs }, palette) {
  const width = canvas.parentElement.clientWidth;
  const { columns, size } = tiling(width, outputs, 64, 34);
  const height = Math.ceil(outputs / columns) * (size + GAP) - GAP;
  canvas.style.height = `${height}px`;
  const context = sharp(canvas, width, height);
  for (let o = 0; o < outputs; o++) {
    let most = 1e-30;
    for (let i = 0; i < inputs; i++) most = Math.max(most, Math.abs(weights[i * outputs + o]));
    const x = (o % columns) * (size + GAP),
      y = Math.floor(o / columns) * (size + GAP);
    stamp(context, 28, (i) => signed(palette, weights[i * outputs + o] / most), x, y, size);
    context.strokeStyle = css(palette.line);
    context.strokeRect(x + 0.5, y + 0.5, size - 1, size - 1);
  }
}

const UNITS_SHOWN = 16;

/** What each hidden unit says about the plane, a row of tiles a layer. */
export function drawPlanes(canvas, { side, sizes, activations }, palette) {
  const room = canvas.parentElement.clientWidth;
  const width = room < 420 ? room : room - 256; // Beside the large picture, or below it.
  const layers = sizes.slice(1, -1).map((units) => Math.min(units, UNITS_SHOWN));
  const size = 44,
    label = 16;
  const columns = Math.max(1, Math.floor((width + GAP) / (size + GAP)));
  const heights = layers.map((units) => label + Math.ceil(units / columns) * (size + GAP));
  const height = heights.reduce((a, b) => a + b, 0);
  canvas.style.height = `${height}px`;
  canvas.style.width = `${width}px`;
  const context = sharp(canvas, width, height);
  let top = 0;
  layers.forEach((units, l) => {
    context.fillStyle = css(palette.quiet);
    context.font = "12px system-ui, sans-serif";
    const more = sizes[l + 1] > units ? `, the first ${units}` : "";
    context.fillText(`hidden layer ${l + 1}${more}`, 0, top + 11);
    for (let u = 0; u < units; u++) {
      const A = activations[l],
        wide = sizes[l + 1];
      let low = Infinity,
        high = -Infinity;
      for (let i = u; i < A.length; i += wide)
        [low, high] = [Math.min(low, A[i]), Math.max(high, A[i])];
      const middle = (low + high) / 2,
        half = (high - low) / 2 || 1;
      const x = (u % columns) * (size + GAP);
      const y = top + label + Math.floor(u / columns) * (size + GAP);
      stamp(
        context,
        side,
        (i) => signed(palette, (A[i * wide + u] - middle) / half),
        x,
        y,
        size,
        true,
      );
      context.strokeStyle = css(palette.line);
      context.strokeRect(x + 0.5, y + 0.5, size - 1, size - 1);
    }
    top += heights[l];
  });
}

/** The network's answer at each place, and the points that it learns from and the one looked at. */
export function drawBoundary(canvas, { side, range, activations }, rows, point, palette) {
  const size = canvas.clientWidth || 240;
  const context = sharp(canvas, size, size);
  const A = activations.at(-1);
  stamp(context, side, (i) => signed(palette, A[i] - 0.5), 0, 0, size, true);
  const at = (value) => ((value + range) / (2 * range)) * size;
  const dot = (x, y, radius, fill, edge) => {
    context.beginPath();
    context.arc(at(x), size - at(y), radius, 0, 7);
    context.fillStyle = fill;
    context.fill();
    context.strokeStyle = edge;
    context.stroke();
  };
  context.lineWidth = 1;
  for (let row = 0; row < rows.n; row++) {
    const kind = rows.labels[row] ? palette.plus : palette.minus;
    dot(rows.X[2 * row], rows.X[2 * row + 1], 2.4, css(kind), css(palette.paper));
  }
  context.lineWidth = 2.5;
  if (point) dot(point[0], point[1], 6, "transparent", css(palette.ink));
}

const CELL = 9,
  TALL = 15,
  MOST_CELL = 20;
const IN_A_ROW = 40; // Layers of at most so many units are one row.

/** Numbers as cells of colour, which reach to the largest one's size. */
export function drawCells(canvas, values, palette) {
  const room = canvas.clientWidth;
  const wide = values.length > IN_A_ROW ? CELL : Math.min(MOST_CELL, room / values.length);
  const tall = values.length > IN_A_ROW ? CELL : TALL;
  const columns = Math.min(values.length, Math.floor(room / wide + 1e-6));
  const height = Math.ceil(values.length / columns) * tall;
  canvas.style.height = `${height}px`;
  const context = sharp(canvas, room, height);
  const most = values.reduce((m, v) => Math.max(m, Math.abs(v)), 1e-30);
  values.forEach((value, i) => {
    const x = (i % columns) * wide,
      y = Math.floor(i / columns) * tall;
    context.fillStyle = css(signed(palette, value / most));
    context.fillRect(x, y, wide - 1, tall - 1);
    context.strokeStyle = css(palette.line);
    context.strokeRect(x + 0.5, y + 0.5, wide - 2, tall - 2);
  });
}

/** Ticks of an axis: powers of ten, or some even steps. */
function ticks(low, high, log) {
  if (log && high > 3 * low) {
    const found = [];
    for (let p = Math.floor(Math.log10(low)); p <= Math.ceil(Math.log10(high)); p++)
      for (const m of [1, 2, 5]) found.push(m * 10 ** p);
    const inside = found.filter((v) => v >= low * 0.999 && v <= high * 1.001);
    return inside.length > 6 ? inside.filter((v) => /^1/.test(v.toExponential())) : inside;
  }
  const step = [1, 2, 5, 10]
    .map((m) => m * 10 ** Math.floor(Math.log10((high - low) / 4)))
    .find((s) => (high - low) / s <= 5);
  const first = Math.ceil(low / step - 1e-9);
  return Array.from(
    { length: Math.floor(high / step + 1e-9) - first + 1 },
    (_, i) => (first + i) * step,
  );
}

const told = (value) =>
  value && Math.abs(value) < 0.001 ? value.toExponential(0) : String(+value.toPrecision(4));

/**
 * A curve over epochs, the run before in grey.
 * @param {{points: number[], before: number[], log: boolean, percent: boolean}} what points are
 *   epoch, value, epoch, value, ...
 */
export function drawCurve(canvas, { points, before, log, percent }, palette) {
  const width = canvas.clientWidth,
    height = canvas.clientHeight;
  const context = sharp(canvas, width, height);
  const values = [...points, ...before].filter(
    (v, i) => i % 2 && Number.isFinite(v) && (!log || v > 0),
  );
  const last = Math.max(5, points.at(-2) ?? 0, before.at(-2) ?? 0);
  let low = values.reduce((a, b) => Math.min(a, b), percent ? 1 : Infinity);
  let high = values.reduce((a, b) => Math.max(a, b), percent ? 1 : -Infinity);
  if (!values.length) [low, high] = log ? [0.1, 1] : [0.5, 1];
  if (log) [low, high] = [low / 1.2, high * 1.2];
  else low = Math.max(0, Math.min(low, 0.98) - 0.02);
  const [left, right, top, bottom] = [44, 16, 8, 20];
  const scale = (v) => (log ? Math.log(v) : v);
  const x = (epoch) => left + (epoch / last) * (width - left - right);
  const y = (v) =>
    top + (1 - (scale(v) - scale(low)) / (scale(high) - scale(low) || 1)) * (height - top - bottom);
  context.font = "12px system-ui, sans-serif";
  context.lineWidth = 1;
  context.textBaseline = "middle";
  context.textAlign = "right";
  context.fillStyle = css(palette.quiet);
  for (const v of ticks(low, high, log)) {
    context.strokeStyle = css(palette.line);
    line(context, [
      [left, y(v)],
      [width - right, y(v)],
    ]);
    context.fillText(percent ? `${+(100 * v).toFixed(1)} %` : told(v), left - 6, y(v));
  }
  context.textAlign = "center";
  for (const v of ticks(0, last, false)) context.fillText(String(v), x(v), height - 8);
  for (const [series, colour] of [
    [before, palette.pale],
    [points, palette.minus],
  ]) {
    context.strokeStyle = css(colour);
    context.lineWidth = 2;
    context.lineJoin = "round";
    const shown = thinned(series, width);
    const way = shown
      .filter(([, v]) => Number.isFinite(v) && (!log || v > 0))
      .map(([e, v]) => [x(e), y(v)]);
    line(context, way);
    if (way.length && series === points) {
      context.beginPath();
      context.arc(...way.at(-1), 3.5, 0, 7);
      context.fillStyle = css(colour);
      context.fill();
    }
  }
}

/** About one point for each pixel, the last one among them. */
function thinned(series, width) {
  const count = series.length / 2,
    every = Math.max(1, Math.floor(count / width));
  const kept = [];
  for (let i = 0; i < count; i += every) kept.push([series[2 * i], series[2 * i + 1]]);
  if (count && (count - 1) % every) kept.push(series.slice(-2));
  return kept;
}

function line(context, way) {
  context.beginPath();
  way.forEach(([x, y], i) => (i ? context.lineTo(x, y) : context.moveTo(x, y)));
  context.stroke();
}

/** Strokes of the pad, in units of its 280 x 280. */
export function drawStrokes(canvas, strokes, palette) {
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, canvas.width, canvas.height);
  Object.assign(context, {
    lineWidth: 20,
    lineCap: "round",
    lineJoin: "round",
    strokeStyle: css(palette.ink),
  });
  for (const stroke of strokes) line(context, stroke.length > 1 ? stroke : [...stroke, ...stroke]);
}
