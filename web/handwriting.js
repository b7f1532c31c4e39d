// Strokes of a pen become a picture as MNIST's are: scaled to 20 x 20, centred by mass in 28 x 28.

const SIDE = 28,
  BOX = 20,
  GREYS = 15;
const PEN = 2.6; // Pixels: how wide MNIST's strokes are.

const distance = (x, y, [ax, ay], [bx, by]) => {
  const dx = bx - ax,
    dy = by - ay,
    square = dx * dx + dy * dy;
  const along = square && Math.min(1, Math.max(0, ((x - ax) * dx + (y - ay) * dy) / square));
  return Math.hypot(x - ax - along * dx, y - ay - along * dy);
};

/** Ink at each pixel, 0 to 1: an edge is as grey as the pen covers the pixel. */
function inked(strokes) {
  const X = new Float32Array(SIDE * SIDE);
  for (const stroke of strokes)
    stroke.forEach((point, i) => {
      const before = stroke[Math.max(0, i - 1)];
      for (let p = 0; p < X.length; p++) {
        const far = distance((p % SIDE) + 0.5, Math.floor(p / SIDE) + 0.5, before, point);
        X[p] = Math.max(X[p], Math.min(1, Math.max(0, PEN / 2 + 0.5 - far)));
      }
    });
  return X;
}

const moved = (strokes, scale, dx, dy) =>
  strokes.map((stroke) => stroke.map(([x, y]) => [x * scale + dx, y * scale + dy]));

/**
 * The picture of a drawing.
 * @param {number[][][]} strokes each a list of points [x, y], in any unit, y downwards
 * @returns {Float32Array | null} 784 pixels of sixteen greys as the packed digits; null without ink
 */
export function asDigit(strokes) {
  const points = strokes.flat();
  if (!points.length) return null;
  const xs = points.map(([x]) => x),
    ys = points.map(([, y]) => y);
  const left = Math.min(...xs),
    top = Math.min(...ys);
  const size = Math.max(Math.max(...xs) - left, Math.max(...ys) - top);
  const scale = size ? (BOX - PEN) / size : 1;
  const start = (SIDE - BOX + PEN) / 2;
  const placed = moved(strokes, scale, start - left * scale, start - top * scale);
  const [cx, cy] = centre(inked(placed));
  return inked(moved(placed, 1, SIDE / 2 - cx, SIDE / 2 - cy)).map(
    (value) => Math.round(value * GREYS) / GREYS,
  );
}

/** The centre of mass. */
function centre(X) {
  let mass = 0,
    x = 0,
    y = 0;
  X.forEach((ink, p) => {
    mass += ink;
    x += ink * ((p % SIDE) + 0.5);
    y += ink * (Math.floor(p / SIDE) + 0.5);
  });
  return [x / mass, y / mass];
}

// For those who cannot draw, or will not: a 5 and an 8 as a hand writes them, a little slanted.
const along = (points, place) =>
  Array.from({ length: points + 1 }, (_, i) => place((i / points) * 2 * Math.PI));
const slanted = (strokes) =>
  strokes.map((stroke) => stroke.map(([x, y]) => [x + 0.2 * (50 - y), y]));
const bowl = along(24, (angle) => [47 + 21 * Math.sin(angle), 63 - 18 * Math.cos(angle)]).slice(
  0,
  19,
);

/** Strokes of digits, in a square of 100. */
export const EXAMPLES = {
  5: slanted([[[66, 18], [38, 18], [36, 46], ...bowl]]),
  8: slanted([along(48, (angle) => [50 + 16 * Math.sin(2 * angle), 50 - 34 * Math.cos(angle)])]),
};
