// The playground of the course: a descent over a surface, its loss and its learning rate.
//
// One module without dependencies, used by anywidget in Jupyter and by a plain page, as it stands:
//
//     import playground from "./page.js";
//     const leave = playground.render({model, el});      // leave() takes everything back
//
// `model` holds the settings: get(name), set(name, value), save_changes(), and, where it can tell
// of changes, on("change:NAME", f) and off("change:NAME", f). A setting that it lacks has its
// default. Part 1 computes and knows no page (Node tests it); part 2 draws; part 3 is the page.
//
// The numbers are those of lrcourse/playground.py: the same formulas in the same order of
// operations, so that they differ by rounding at most.

// == Part 1: numbers ============================================================================

const bowl = (a, b) => ({
  height: (x, y) => (a * (x * x) + b * (y * y)) / 2,
  gradient: (x, y) => [a * x, b * y],
  hessian: () => [a, 0, b], // second derivatives: xx, xy, yy
});

const ravine = (flat, steep) => {
  const along = (x, y) => 0.8 * x + 0.6 * y;
  const across = (x, y) => 0.8 * y - 0.6 * x;
  return {
    height(x, y) {
      const p = along(x, y), q = across(x, y);
      return (flat * (p * p) + steep * (q * q)) / 2;
    },
    gradient(x, y) {
      const a = flat * along(x, y), b = steep * across(x, y);
      return [0.8 * a - 0.6 * b, 0.6 * a + 0.8 * b];
    },
    hessian: () => [0.64 * flat + 0.36 * steep, 0.48 * (flat - steep), 0.36 * flat + 0.64 * steep],
  };
};

const doubleWell = {
  height: (x, y) => ((x * x - 1) * (x * x - 1)) / 4 + (y * y) / 2,
  gradient: (x, y) => [x * x * x - x, y],
  hessian: (x) => [3 * x * x - 1, 0, 1],
};

const rosenbrock = {
  height(x, y) {
    const ahead = 1 - x, off = y - x * x;
    return ahead * ahead + 100 * (off * off);
  },
  gradient(x, y) {
    const pull = 200 * (y - x * x);
    return [-2 * (1 - x) - 2 * x * pull, pull];
  },
  hessian: (x, y) => [2 - 400 * (y - 3 * x * x), -400 * x, 200],
};

// limits: left, right, bottom, top of the picture. noise: the gradient's own. bend: contours lie at
// equal steps of height ** bend.
export const SURFACES = {
  bowl: {
    label: "Bowl", ...bowl(1, 2), limits: [-3, 3, -2, 2], start: [-2.4, 1.5], peak_lr: 0.1,
    noise: 0, quadratic: true, minima: [[0, 0]], bend: 0.5,
  },
  ravine: {
    label: "Ravine", ...ravine(1, 20), limits: [-3, 3, -2, 2], start: [-2.6, -1.2], peak_lr: 0.09,
    noise: 0, quadratic: true, minima: [[0, 0]], bend: 0.5,
  },
  saddle: {
    label: "Saddle", ...doubleWell, limits: [-2.1, 2.1, -1.4, 1.4], start: [0.02, 1.2],
    peak_lr: 0.2, noise: 0, quadratic: false, minima: [[-1, 0], [1, 0]], bend: 0.5,
  },
  rosenbrock: {
    label: "Rosenbrock", ...rosenbrock, limits: [-2.1, 2.1, -0.9, 1.9], start: [-1.2, 1],
    peak_lr: 0.001, noise: 0, quadratic: false, minima: [[1, 1]], bend: 0.25,
  },
  "noisy-bowl": {
    label: "Noisy bowl", ...bowl(1, 1), limits: [-3, 3, -2, 2], start: [-2.4, 1.5], peak_lr: 0.1,
    noise: 1, quadratic: true, minima: [[0, 0]], bend: 0.5,
  },
};

// An optimizer is made for one coordinate: (w, gradient, lr, t) -> the next w.
const heavyBall = (beta) => {
  let v = 0;
  return (w, g, lr) => w - lr * (v = beta * v + g);
};
const sgd = () => (w, g, lr) => w - lr * g;

export const OPTIMIZERS = {
  sgd: { label: "SGD", make: sgd },
  momentum: {
    label: "Momentum",
    usesMomentum: true,
    formula: "2(1+β)/λ",
    make: (beta) => (beta > 0 ? heavyBall(beta) : sgd()),
  },
  nesterov: {
    label: "Nesterov",
    usesMomentum: true,
    formula: "2(1+β)/((1+2β)λ)",
    make(beta) {
      let v = 0;
      return (w, g, lr) => w - lr * (g + beta * (v = beta * v + g));
    },
  },
  adagrad: {
    label: "AdaGrad",
    adaptive: true,
    make() {
      let s = 0;
      return (w, g, lr) => w - (lr * g) / (Math.sqrt((s = s + g * g)) + 1e-10);
    },
  },
  rmsprop: {
    label: "RMSProp",
    adaptive: true,
    make() {
      let s = 0;
      return (w, g, lr) => {
        s = 0.99 * s + (1 - 0.99) * (g * g);
        return w - (lr * g) / (Math.sqrt(s) + 1e-8);
      };
    },
  },
  adam: {
    label: "Adam",
    adaptive: true,
    usesMomentum: true,
    make(beta) {
      let m = 0, s = 0;
      return (w, g, lr, t) => {
        m = beta * m + (1 - beta) * g;
        s = 0.999 * s + (1 - 0.999) * (g * g);
        const scale = Math.sqrt(1 - Math.pow(0.999, t + 1));
        return w - ((lr / (1 - Math.pow(beta, t + 1))) * m) / (Math.sqrt(s) / scale + 1e-8);
      };
    },
  },
};

// A schedule is made for the updates after the warmup: t -> factor of the peak LR.
const halfCosine = (progress) => (1 + Math.cos(Math.PI * progress)) / 2;
const blend = (low, share) => low + (1 - low) * share;

export const SCHEDULES = {
  constant: { label: "Constant", make: () => () => 1 },
  step: {
    label: "Steps of 1/10",
    make(rest) {
      const every = Math.ceil(rest / 3);
      return (t) => Math.pow(0.1, Math.floor(t / every));
    },
  },
  linear: { label: "Linear", make: (rest) => (t) => (t >= rest ? 0 : 1 - t / rest) },
  cosine: { label: "Cosine", make: (rest) => (t) => (t >= rest ? 0 : halfCosine(t / rest)) },
  restarts: {
    label: "Cosine, restarted",
    make(rest) {
      const first = Math.ceil(rest / 3);
      return (t) => halfCosine((t - first * Math.floor(t / first)) / first);
    },
  },
  triangular: {
    label: "Triangular cycles",
    make(rest) {
      const half = rest / 6;
      return (t) => {
        const cycle = Math.floor(1 + t / (2 * half));
        return blend(0.1, 1 - Math.min(1, Math.abs(t / half - 2 * cycle + 1)));
      };
    },
  },
  "one-cycle": { label: "One cycle" },
};

function oneCycle(total, share) {
  const peak =
    share === 0 || total === 2 ? 0 : Math.min(Math.max(Math.round(share * total) - 1, 1), total - 2);
  const last = total - 1;
  return (t) => {
    if (t >= last) return 4e-6;
    if (t < peak) return blend(1 / 25, 1 - halfCosine(t / peak));
    return blend(4e-6, halfCosine((t - peak) / (last - peak)));
  };
}

/** The learning rate of every update that is asked for, the warmup, (t + 1) / W, included. */
export function rates({ schedule, peak_lr, warmup, updates }) {
  const shape =
    schedule === "one-cycle"
      ? oneCycle(updates, Math.min(1, warmup / updates))
      : SCHEDULES[schedule].make(Math.max(1, updates - warmup));
  const whole = schedule === "one-cycle" ? 0 : warmup;
  return Float64Array.from({ length: updates }, (_, t) =>
    peak_lr * (t < whole ? Math.min(1, (t + 1) / whole) : shape(t - whole)));
}

/** The last step of Austin Appleby's MurmurHash3, which mixes 32 bits. */
export function mix(word) {
  word = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  word = Math.imul(word ^ (word >>> 13), 0xc2b2ae35);
  return (word ^ (word >>> 16)) >>> 0;
}

let drawn = { seed: null, numbers: new Float64Array(0) };

/** Nearly normal numbers, two an update: each the sum of twelve uniform ones, minus 6. */
export function normals(seed, updates) {
  if (drawn.seed !== seed || drawn.numbers.length < 2 * updates) {
    const key = mix(seed + 1);
    const numbers = Float64Array.from({ length: 2 * updates }, (_, n) => {
      let sum = 0;
      for (let k = 12 * n; k < 12 * n + 12; k++) sum += mix((mix(k) ^ key) >>> 0);
      return sum / 4294967296 - 6;
    });
    drawn = { seed, numbers };
  }
  return drawn.numbers;
}

export const LIMIT = 1e9; // a loss above it, or NaN, ends the run

/** Descend. Points as xs and ys, losses, lr of the updates made, planned, divergedAt or null. */
export function simulate(setting) {
  const place = SURFACES[setting.surface];
  const { updates, momentum } = setting;
  const planned = rates(setting);
  const spread = place.noise + setting.noise;
  const noise = spread ? normals(setting.seed, updates) : null;
  const [stepX, stepY] = [0, 1].map(() => OPTIMIZERS[setting.optimizer].make(momentum));
  const [xs, ys, losses] = [0, 1, 2].map(() => new Float64Array(updates + 1));
  let [x, y] = setting.start;
  let made = 0;
  let divergedAt = null;
  [xs[0], ys[0], losses[0]] = [x, y, place.height(x, y)];
  while (made < updates && divergedAt === null) {
    let [gx, gy] = place.gradient(x, y);
    if (noise) {
      gx += spread * noise[2 * made];
      gy += spread * noise[2 * made + 1];
    }
    x = stepX(x, gx, planned[made], made);
    y = stepY(y, gy, planned[made], made);
    made += 1;
    [xs[made], ys[made], losses[made]] = [x, y, place.height(x, y)];
    if (!(losses[made] <= LIMIT)) divergedAt = made;
  }
  return {
    setting, planned, divergedAt, made,
    xs: xs.subarray(0, made + 1),
    ys: ys.subarray(0, made + 1),
    losses: losses.subarray(0, made + 1),
    lr: planned.subarray(0, made),
  };
}

/** The rate above which descent climbs where the curvature is that at the start; null if none. */
export function edge({ surface, start, optimizer, momentum: b }) {
  const [xx, xy, yy] = SURFACES[surface].hessian(...start);
  const curvature = (xx + yy) / 2 + Math.hypot((xx - yy) / 2, xy);
  if (curvature <= 0) return null;
  if (optimizer === "momentum") return (2 * (1 + b)) / curvature;
  if (optimizer === "nesterov") return (2 * (1 + b)) / ((1 + 2 * b) * curvature);
  return 2 / curvature;
}

/** A number with three digits, as a reader likes it: 0.0123, 45.6, 1.2e-5. */
export function figure(number) {
  if (number === 0) return "0";
  const exponent = Number(number.toExponential(20).split("e")[1]);
  if (exponent >= -4 && exponent < 4) return String(Number(number.toPrecision(3)));
  const [digits, power] = number.toExponential(1).split("e");
  return `${Number(digits)}e${Number(power)}`;
}

const counted = (count) => `${count} update${count === 1 ? "" : "s"}`;

/** Two or three sentences: whether it diverged, and when; where it ended; the edge. λ is the largest
 * curvature at the start. */
export function verdict(run) {
  return [ending(run), well(run), aboutEdge(run)].filter(Boolean).join(" ");
}

function ending({ losses, made, divergedAt }) {
  const [first, last] = [losses[0], losses[made]];
  if (divergedAt !== null) return `Diverges: after ${counted(made)} the loss is above a billion.`;
  if (first === 0) return `Starts at a minimum; after ${made} updates the loss is ${figure(last)}.`;
  const change = `${figure(last)} after ${made} updates, from ${figure(first)}.`;
  if (last > first) return `Climbs: the loss is ${change}`;
  const reached = losses.findIndex((loss) => loss <= first / 1000);
  if (reached < 0) return `Ends at a loss of ${change} It never has a thousandth of that.`;
  return `Ends at a loss of ${change} It has a thousandth of that after ${counted(reached)}.`;
}

function well({ setting, xs, made, divergedAt }) {
  if (setting.surface !== "saddle" || divergedAt !== null) return "";
  if (Math.abs(xs[made]) < 0.5) return "It has not left the saddle.";
  return `It ends on the ${xs[made] < 0 ? "left" : "right"}.`;
}

function aboutEdge({ setting, lr }) {
  const at = edge(setting);
  if (at === null) return "At the start no direction curves upward: there is no edge.";
  const { label, adaptive, formula = "2/λ" } = OPTIMIZERS[setting.optimizer];
  const name = adaptive ? `edge ${formula} of SGD` : `edge ${formula}`;
  const here = SURFACES[setting.surface].quadratic ? `The ${name}` : `At the start the ${name}`;
  if (adaptive) return `${here} is ${figure(at)}; ${label} scales its own steps.`;
  const above = lr.findIndex((rate) => rate > at);
  if (above < 0) return `${here} is ${figure(at)}; the rate stays below it.`;
  if (above === 0) return `${here} is ${figure(at)}; the rate is above it from the first update on.`;
  return `${here} is ${figure(at)}; the rate first passes it in update ${above + 1}.`;
}

// == Part 2: drawing ============================================================================

const CONTOURS = 16;
const FLOOR = 1e-12; // of the losses that are drawn

/** A canvas's 2-D context, scaled so that one unit is one CSS pixel, and its size in them. */
function fitted(canvas) {
  const density = Math.min(2, globalThis.devicePixelRatio || 1);
  const width = canvas.clientWidth, height = canvas.clientHeight;
  const [across, down] = [Math.round(width * density), Math.round(height * density)];
  if (canvas.width !== across || canvas.height !== down) [canvas.width, canvas.height] = [across, down];
  const context = canvas.getContext("2d");
  context.setTransform(density, 0, 0, density, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}

const channels = (colour) => colour.match(/[0-9a-f]{2}/gi).map((pair) => parseInt(pair, 16));

/** The surface as a picture: bands from low to high, and a line of even width between two. */
function paintSurface(place, width, height, colours) {
  const picture = Object.assign(document.createElement("canvas"), { width, height });
  const context = picture.getContext("2d");
  const image = context.createImageData(width, height);
  const [left, right, bottom, top] = place.limits;
  const corners = [left, right].flatMap((x) => [bottom, top].map((y) => place.height(x, y)));
  const scale = CONTOURS / Math.pow(Math.max(...corners), place.bend);
  const [low, high, line] = [colours.low, colours.high, colours.contour].map(channels);
  const level = (i, j) => scale * Math.pow(
    place.height(left + ((i + 0.5) / width) * (right - left), top - ((j + 0.5) / height) * (top - bottom)),
    place.bend);
  let above = Float64Array.from({ length: width + 1 }, (_, i) => level(i, -1));
  for (let j = 0, k = 0; j < height; j++) {
    const here = Float64Array.from({ length: width + 1 }, (_, i) => level(i, j));
    for (let i = 0; i < width; i++, k += 4) {
      const steepness = Math.hypot(here[i + 1] - here[i], here[i] - above[i]);
      const pixels = Math.abs(here[i] - Math.round(here[i])) / (steepness + 1e-9);
      const ink = here[i] < 0.5 ? 0 : 0.75 * Math.min(1, Math.max(0, 1.1 - pixels));
      const share = Math.min(1, Math.floor(here[i]) / CONTOURS);
      for (let c = 0; c < 3; c++) {
        const ground = low[c] + share * (high[c] - low[c]);
        image.data[k + c] = ground + ink * (line[c] - ground);
      }
      image.data[k + 3] = 255;
    }
    above = here;
  }
  context.putImageData(image, 0, 0);
  return picture;
}

/** Where a point of the plane lies in a picture of that size, in pixels. */
function toPixels([left, right, bottom, top], width, height) {
  const x = (value) => ((value - left) / (right - left)) * width;
  const y = (value) => ((top - value) / (top - bottom)) * height;
  return [x, y];
}

const within = (value, low, high) => Math.min(high, Math.max(low, value));

/** The path of the first `made` updates over the surface's picture. */
function drawPath({ context, width, height }, run, made, picture, colours) {
  const place = SURFACES[run.setting.surface];
  const [px, py] = toPixels(place.limits, width, height);
  const x = (k) => within(px(run.xs[k]) || 0, -9e4, 9e4);
  const y = (k) => within(py(run.ys[k]) || 0, -9e4, 9e4);
  context.drawImage(picture, 0, 0, width, height);
  context.strokeStyle = colours.contour;
  context.lineWidth = 1.5;
  for (const [mx, my] of place.minima) {
    const [cx, cy] = [px(mx), py(my)];
    context.beginPath();
    for (const [dx, dy] of [[5, 0], [0, 5]]) {
      context.moveTo(cx - dx, cy - dy);
      context.lineTo(cx + dx, cy + dy);
    }
    context.stroke();
  }
  context.lineJoin = "round";
  context.strokeStyle = context.fillStyle = colours.path;
  context.lineWidth = made > 300 ? 1.2 : 1.6;
  const inside = (k) => x(k) >= 0 && x(k) <= width && y(k) >= 0 && y(k) <= height;
  context.beginPath();
  for (let k = 1, drawn = false; k <= made; k++) { // leaps from outside to outside are left out
    const shown = inside(k - 1) || inside(k);
    if (shown && !drawn) context.moveTo(x(k - 1), y(k - 1));
    if (shown) context.lineTo(x(k), y(k));
    drawn = shown;
  }
  context.stroke();
  if (made <= 300) {
    for (let k = 1; k <= made; k++) {
      context.beginPath();
      context.arc(x(k), y(k), 2.2, 0, 7);
      context.fill();
    }
  }
  const [endX, endY] = [x(made), y(made)];
  const [seenX, seenY] = [within(endX, 7, width - 7), within(endY, 7, height - 7)];
  context.strokeStyle = colours.ground;
  context.beginPath();
  if (Math.abs(endX - seenX) + Math.abs(endY - seenY) < 8) {
    context.arc(endX, endY, 5, 0, 7);
  } else { // outside: an arrow at the border
    const turn = Math.atan2(endY - seenY, endX - seenX);
    for (const [angle, size] of [[0, 7], [2.4, 9], [-2.4, 9]]) {
      context.lineTo(seenX + size * Math.cos(turn + angle), seenY + size * Math.sin(turn + angle));
    }
    context.closePath();
  }
  context.fill();
  context.stroke();
}

/** Axes of a chart over the updates. `ticks`: [value, label]; y maps a value to a pixel. */
function drawAxes({ context, width, height }, title, updates, ticks, y, colours) {
  const frame = { left: 54, right: width - 10, top: 24, bottom: height - 20 };
  context.font = `12px ${colours.font}`;
  context.lineWidth = 1;
  context.strokeStyle = colours.grid;
  context.fillStyle = colours.text;
  context.textAlign = "left";
  context.textBaseline = "alphabetic";
  context.fillText(title, 4, 13);
  context.textAlign = "right";
  context.textBaseline = "middle";
  for (const [value, label] of ticks) {
    const at = Math.round(y(value, frame)) + 0.5;
    context.beginPath();
    context.moveTo(frame.left, at);
    context.lineTo(frame.right, at);
    context.stroke();
    context.fillText(label, frame.left - 6, at);
  }
  context.textBaseline = "alphabetic";
  for (const share of [0, 0.5, 1]) {
    context.textAlign = ["left", "center", "right"][2 * share];
    const x = frame.left + share * (frame.right - frame.left);
    context.fillText(String(Math.round(share * updates)), x, height - 5);
  }
  return frame;
}

/** The losses on a log axis; the path's colour, as it is the same run. */
function drawLosses(canvas, run, made, colours) {
  let [low, high] = [Infinity, -Infinity];
  for (const loss of run.losses) {
    const seen = Math.log10(within(loss, FLOOR, LIMIT) || FLOOR);
    [low, high] = [Math.min(low, seen), Math.max(high, seen)];
  }
  [low, high] = [Math.floor(low), Math.max(Math.ceil(high), Math.floor(low) + 1)];
  const stride = Math.ceil((high - low) / 4);
  const ticks = [];
  for (let power = high; power >= low; power -= stride) {
    const label = power > 3 || power < -3 ? `1e${power}` : String(Number(`1e${power}`));
    ticks.push([10 ** power, label]);
  }
  const y = (value, frame) => {
    const share = (Math.log10(within(value, 1e-99, LIMIT)) - low) / (high - low);
    return frame.bottom - share * (frame.bottom - frame.top);
  };
  const { updates } = run.setting;
  const frame = drawAxes(canvas, "loss after each update", updates, ticks, y, colours);
  const { context } = canvas;
  context.strokeStyle = context.fillStyle = colours.path;
  context.lineWidth = 1.6;
  const x = (k) => frame.left + (k / updates) * (frame.right - frame.left);
  const value = (k) => (run.losses[k] >= 0 ? run.losses[k] : LIMIT);
  context.save(); // what lies below the floor leaves at the foot
  context.beginPath();
  context.rect(frame.left, frame.top - 2, frame.right, frame.bottom - frame.top + 4);
  context.clip();
  context.beginPath();
  for (let k = 0; k <= made; k++) context.lineTo(x(k), y(value(k), frame));
  context.stroke();
  context.restore();
  if (run.divergedAt !== null && made === run.made) {
    context.font = `bold 13px ${colours.font}`;
    context.textAlign = x(made) > frame.left + 0.65 * (frame.right - frame.left) ? "right" : "left";
    context.textBaseline = "top";
    const gap = context.textAlign === "right" ? -16 : 8;
    context.fillText("✕ diverged", x(made) + gap, frame.top + 4);
  }
}

/** The rates, those of updates that were not made dotted, and the edge where it is near. */
function drawRates(canvas, run, made, at, colours) {
  const { context } = canvas;
  const { updates, peak_lr, optimizer } = run.setting;
  const binds = at !== null && !OPTIMIZERS[optimizer].adaptive && at < 4 * peak_lr;
  const top = Math.max(1.12 * peak_lr, binds ? 1.35 * at : 0);
  const y = (value, frame) => frame.bottom - (value / top) * (frame.bottom - frame.top);
  const ticks = [[0, "0"], [peak_lr, figure(peak_lr)]];
  const frame = drawAxes(canvas, "learning rate of each update", updates, ticks, y, colours);
  const x = (t) => frame.left + (t / updates) * (frame.right - frame.left);
  if (binds) {
    const height = y(at, frame);
    context.strokeStyle = context.fillStyle = colours.edge;
    context.lineWidth = 1.4;
    context.setLineDash([6, 4]);
    context.beginPath();
    context.moveTo(frame.left, height);
    context.lineTo(frame.right, height);
    context.stroke();
    context.textAlign = "right";
    const beyond = peak_lr > at; // then the room is below the line
    context.textBaseline = beyond ? "top" : "bottom";
    context.fillText(`edge ${figure(at)}`, frame.right, height + (beyond ? 4 : -3));
  }
  context.strokeStyle = colours.rate;
  const steps = (from, to) => {
    context.beginPath();
    for (let t = from; t < to; t++) {
      context.lineTo(x(t), y(run.planned[t], frame));
      context.lineTo(x(t + 1), y(run.planned[t], frame));
    }
    context.stroke();
  };
  context.lineWidth = 1.2;
  context.setLineDash([2, 4]);
  steps(made, updates);
  context.setLineDash([]);
  context.lineWidth = 2;
  steps(0, made);
}

// == Part 3: the page ===========================================================================

export const DEFAULTS = {
  surface: "ravine", start: null, optimizer: "sgd", schedule: "constant", peak_lr: null,
  momentum: 0.9, warmup: 0, updates: 100, noise: 0, seed: 0,
};

// Told apart by colour-blind readers; light and dark.
const COLOURS = {
  light: {
    low: "fdfdfb", high: "a9c4dc", contour: "#5d7c99", path: "#b34000", rate: "#00694d",
    edge: "#6a3d9a", grid: "#8888884d",
  },
  dark: {
    low: "33485c", high: "141c25", contour: "#7f9db8", path: "#ffa04d", rate: "#4fd1a5",
    edge: "#cfa8ff", grid: "#9999994d",
  },
};

// In mdBook and in JupyterLab the ground and the text are theirs, elsewhere the theme's own: a page
// may be light although the reader's system is dark.
const STYLE = `
.lrp { --bg-own: #fff; --fg-own: #1d1d1f; container-type: inline-size; color-scheme: light;
  font-family: var(--jp-ui-font-family, system-ui, sans-serif); font-size: 15px; line-height: 1.4;
  background: var(--bg-own); color: var(--fg-own); text-align: left; }
.lrp[data-around] { background: var(--bg, var(--jp-layout-color0, var(--bg-own)));
  color: var(--fg, var(--jp-content-font-color0, var(--fg-own))); }
.lrp[data-theme=dark] { --bg-own: #16181c; --fg-own: #e8e8e8; color-scheme: dark; }
.lrp *, .lrp *::before { box-sizing: border-box; }
.lrp-body { padding: 12px; border: 1px solid #8888; border-radius: 8px; }
.lrp-pictures { display: grid; grid-template-columns: 3fr 2fr; gap: 12px; }
.lrp-surface { position: relative; aspect-ratio: 3 / 2; border-radius: 6px; overflow: hidden;
  cursor: crosshair; touch-action: pan-y; }
.lrp-surface canvas, .lrp-charts canvas { position: absolute; inset: 0; width: 100%; height: 100%; }
.lrp-charts { display: grid; grid-template-rows: 3fr 2fr; gap: 8px; }
.lrp-charts > div { position: relative; min-height: 90px; }
.lrp .lrp-handle { position: absolute; width: 44px; height: 44px; margin: -22px 0 0 -22px;
  padding: 0; border: 0; border-radius: 50%; background: none; cursor: grab; touch-action: none; }
.lrp .lrp-handle::before { content: ""; position: absolute; inset: 13px; border-radius: 50%;
  background: #fff; border: 4px solid #111; box-shadow: 0 0 0 2px #fff; }
.lrp .lrp-handle:active { cursor: grabbing; }
.lrp .lrp-said { margin: 10px 0; min-height: 2.8em; font-size: 15px; }
.lrp[data-diverged=true] .lrp-said { font-weight: 600; }
.lrp-controls { display: grid; grid-template-columns: repeat(auto-fit, minmax(170px, 1fr));
  gap: 10px 18px; align-items: end; }
.lrp label { display: flex; justify-content: space-between; gap: 8px; font-size: 14px; }
.lrp output { font-variant-numeric: tabular-nums; font-weight: 600; }
.lrp select, .lrp input, .lrp .lrp-button { display: block; width: 100%; height: 32px; margin: 0;
  font: inherit; font-size: 15px; color: inherit; accent-color: #0072b2; }
.lrp[data-theme=dark] input { accent-color: #56b4e9; }
.lrp select, .lrp input[type=number], .lrp .lrp-button { padding: 2px 8px;
  background: transparent; border: 1px solid #808080; border-radius: 6px; }
.lrp select option { background: var(--bg-own); color: var(--fg-own); }
.lrp .lrp-button { cursor: pointer; white-space: nowrap; padding: 2px; }
.lrp .lrp-pair { display: grid; grid-template-columns: 1fr 1fr; gap: 8px; }
.lrp .lrp-buttons { grid-template-columns: 2fr 3fr; }
.lrp :disabled { opacity: 0.55; cursor: default; }
.lrp [hidden] { display: none; }
.lrp :focus-visible { outline: 3px solid #0072b2; outline-offset: 2px; }
.lrp[data-theme=dark] :focus-visible { outline-color: #7cc7f5; }
.lrp .lrp-handle:focus-visible { outline-offset: -8px; outline-color: #0072b2; }
@container (max-width: 620px) {
  .lrp-body { padding: 8px; }
  .lrp-pictures { grid-template-columns: 1fr; }
  .lrp-charts { grid-template-rows: 150px 110px; }
  .lrp-controls { grid-template-columns: repeat(auto-fit, minmax(138px, 1fr)); gap: 10px 14px; }
}`;

let instances = 0;

function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null) node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

/** "dark" or "light", and whether mdBook or JupyterLab says so; else it is the reader's system. */
function themeOf() {
  const classes = document.documentElement.classList;
  if (["navy", "coal", "ayu"].some((name) => classes.contains(name))) return ["dark", true];
  if (["light", "rust"].some((name) => classes.contains(name))) return ["light", true];
  const lab = document.body.dataset.jpThemeLight;
  if (lab) return [lab === "false" ? "dark" : "light", true];
  return [matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light", false];
}

const rounded = (number) => Number(number.toFixed(3)) || 0;

function render({ model, el }) {
  const id = `lrp${++instances}`;
  const read = (name) => model.get(name) ?? DEFAULTS[name];
  function setting() {
    const found = Object.fromEntries(Object.keys(DEFAULTS).map((name) => [name, read(name)]));
    const place = SURFACES[found.surface];
    return { ...found, start: found.start ?? place.start, peak_lr: found.peak_lr ?? place.peak_lr };
  }
  function change(values) {
    for (const [name, value] of Object.entries(values)) model.set(name, value);
    unsaved = true;
    redraw();
  }

  // The controls: each shows a setting and changes it.
  const shown = [];
  function control(name, title, input, show) {
    input.id = `${id}-${name}`;
    input.dataset.setting = name;
    const output = make("output", { for: input.id, "aria-hidden": "true" });
    shown.push((now) => show(now, input, output));
    return make("div", {}, make("label", { for: input.id }, title, output), input);
  }
  function choice(name, title, known, chosen = (value) => ({ [name]: value })) {
    const options = Object.entries(known).map(([value, { label }]) => make("option", { value }, label));
    const input = make("select", {}, ...options);
    input.addEventListener("change", () => change(chosen(input.value)));
    return control(name, title, input, (now) => (input.value = now[name]));
  }
  function slider(name, title, [min, max, step], options = {}) {
    const { into = Number, back = Number, told = String, off = () => "" } = options;
    const input = make("input", { type: "range", min, max, step });
    input.addEventListener("input", () => change({ [name]: into(Number(input.value)) }));
    return control(name, title, input, (now, _, output) => {
      if (name === "warmup") input.max = Math.max(now.updates, now.warmup);
      const why = off(now);
      // A slider that the reader holds stays where it is held, between two of its steps.
      if (into(Number(input.value)) !== now[name]) input.value = back(now[name]);
      input.disabled = Boolean(why);
      output.textContent = why || told(now[name]);
      input.setAttribute("aria-valuetext", output.textContent);
    });
  }
  function coordinate(axis, title) {
    const input = make("input", { type: "number", min: -5, max: 5, step: 0.05 });
    input.addEventListener("input", () => {
      if (!input.value || !input.validity.valid && Math.abs(input.valueAsNumber) > 5) return;
      const start = [...setting().start];
      start[axis] = input.valueAsNumber;
      change({ start });
    });
    return control(`start-${"xy"[axis]}`, title, input, (now) => {
      if (Number(input.value) !== now.start[axis]) input.value = rounded(now.start[axis]);
    });
  }
  function button(text, pressed) {
    const node = make("button", { type: "button", class: "lrp-button" }, text);
    node.addEventListener("click", pressed);
    return node;
  }
  const atItsOwn = (surface) => {
    const { start, peak_lr } = SURFACES[surface];
    return { surface, start: [...start], peak_lr };
  };
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const play = button("Play", () => (playedFrom === null ? begin() : end()));
  const again = button("New noise", () => change({ seed: (setting().seed + 1) % 2147483647 }));
  const surface = make("canvas", { role: "img" });
  const losses = make("canvas", { role: "img" });
  const lr = make("canvas", { role: "img" });
  const handle = make("button", {
    type: "button", class: "lrp-handle", "data-setting": "start",
    "aria-roledescription": "draggable point",
  });
  const plane = make("div", { class: "lrp-surface" }, surface, handle);
  const said = make("p", { class: "lrp-said", role: "status" });
  const root = make("div", { class: "lrp" }, make("style", {}, STYLE), make(
    "div", { class: "lrp-body", role: "group", "aria-label": "Playground: descent on a surface" },
    make("div", { class: "lrp-pictures" }, plane, make(
      "div", { class: "lrp-charts" }, make("div", {}, losses), make("div", {}, lr))),
    said,
    make("div", { class: "lrp-controls" },
      choice("surface", "Surface", SURFACES, atItsOwn),
      choice("optimizer", "Optimizer", OPTIMIZERS),
      choice("schedule", "Schedule", SCHEDULES),
      slider("peak_lr", "Peak LR", [-4, 1, 0.01], {
        into: (power) => Number((10 ** power).toPrecision(3)),
        back: (rate) => Math.log10(rate),
        told: figure,
      }),
      slider("momentum", "Momentum", [0, 0.99, 0.01], {
        told: (value) => String(rounded(value)),
        off: ({ optimizer }) => (OPTIMIZERS[optimizer].usesMomentum ? "" : "not used"),
      }),
      slider("updates", "Updates", [10, 2000, 10]),
      slider("warmup", "Warmup", [0, 100, 1], { told: counted }),
      slider("noise", "Batch noise", [0, 3, 0.05], {
        told: (value) => {
          const { noise } = SURFACES[setting().surface];
          return noise ? `${noise} + ${rounded(value)}` : String(rounded(value));
        },
      }),
      make("div", { class: "lrp-pair" }, coordinate(0, "Start x"), coordinate(1, "Start y")),
      make("div", { class: "lrp-pair lrp-buttons" }, play, again)),
  ));

  // The starting point: dragged, or moved by the arrow keys, faster with Shift.
  function moveTo(event) {
    const box = plane.getBoundingClientRect();
    const [left, right, bottom, top] = SURFACES[setting().surface].limits;
    const across = within((event.clientX - box.left) / box.width, 0, 1);
    const down = within((event.clientY - box.top) / box.height, 0, 1);
    change({ start: [rounded(left + across * (right - left)), rounded(top - down * (top - bottom))] });
  }
  let dragging = false;
  plane.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    dragging = true;
    plane.setPointerCapture(event.pointerId);
    handle.focus({ preventScroll: true, focusVisible: false });
    event.preventDefault();
    moveTo(event);
  });
  plane.addEventListener("pointermove", (event) => dragging && moveTo(event));
  for (const name of ["pointerup", "pointercancel"]) {
    plane.addEventListener(name, () => (dragging = false));
  }
  handle.addEventListener("keydown", (event) => {
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    const move = moves[event.key];
    if (!move) return;
    event.preventDefault();
    event.stopPropagation(); // in JupyterLab and in mdBook arrows turn pages
    const { surface: name, start } = setting();
    const [left, right] = SURFACES[name].limits;
    const step = ((right - left) / 120) * (event.shiftKey ? 6 : 1);
    change({ start: start.map((value, axis) => rounded(within(value + step * move[axis], -5, 5))) });
  });
  root.addEventListener("keydown", (event) => {
    if (event.key.startsWith("Arrow")) event.stopPropagation();
  });

  // Drawing: at most once a frame, all from one simulation.
  let frame = 0, unsaved = false, playedFrom = null, pictured = "", picture = null, said_at = 0;
  let late = 0;
  const redraw = () => (frame ||= requestAnimationFrame(draw));
  const begin = () => ((playedFrom = performance.now()), redraw());
  const end = () => ((playedFrom = null), redraw());
  function tell(text) {
    clearTimeout(late);
    const wait = 120 - (performance.now() - said_at);
    if (wait > 0) {
      late = setTimeout(tell, wait, text);
    } else if (said.textContent !== text) {
      said.textContent = text;
      said_at = performance.now();
    }
  }
  function draw(now) {
    frame = 0;
    if (unsaved) model.save_changes();
    unsaved = false;
    const is = setting();
    const run = simulate(is);
    const at = edge(is);
    const text = verdict(run);
    for (const show of shown) show(is);
    const [theme, around] = themeOf();
    root.dataset.theme = theme;
    root.toggleAttribute("data-around", around);
    root.dataset.diverged = run.divergedAt !== null;
    again.disabled = !(SURFACES[is.surface].noise + is.noise);
    play.hidden = still.matches;
    const progress = playedFrom === null ? 1 : within((now - playedFrom) / 2500, 0, 1);
    if (progress === 1 || still.matches) playedFrom = null;
    play.textContent = playedFrom === null ? "Play" : "Stop";
    const made = playedFrom === null ? run.made : Math.round(progress ** 2 * run.made);
    tell(text);
    describe(is, run, text);
    if (!surface.clientWidth) return; // not in the page yet: the observer calls again
    const look = getComputedStyle(root);
    const colours = {
      ...COLOURS[theme], text: look.color, ground: look.backgroundColor, font: look.fontFamily,
    };
    const canvas = fitted(surface);
    const key = [is.surface, theme, surface.width, surface.height].join();
    if (key !== pictured) {
      picture = paintSurface(SURFACES[is.surface], surface.width, surface.height, colours);
      pictured = key;
    }
    drawPath(canvas, run, made, picture, colours);
    drawLosses(fitted(losses), run, made, colours);
    drawRates(fitted(lr), run, made, at, colours);
    if (playedFrom !== null) redraw();
  }
  function describe(is, run, text) {
    const [x, y] = is.start.map(figure);
    const { limits, label } = SURFACES[is.surface];
    const [px, py] = toPixels(limits, 100, 100);
    handle.style.left = `${within(px(is.start[0]), 0, 100)}%`;
    handle.style.top = `${within(py(is.start[1]), 0, 100)}%`;
    handle.setAttribute("aria-label", `Starting point, x ${x}, y ${y}; arrow keys move it`);
    const last = `x ${figure(run.xs[run.made])}, y ${figure(run.ys[run.made])}`;
    surface.setAttribute("aria-label", `${label}: path from x ${x}, y ${y} to ${last}. ${text}`);
    losses.setAttribute("aria-label", `Loss after each update, log axis: from ${figure(run.losses[0])} ` +
      `to ${figure(run.losses[run.made])} after ${counted(run.made)}`);
    lr.setAttribute("aria-label", `Learning rate of each update: first ${figure(run.planned[0])}, ` +
      `highest ${figure(Math.max(...run.planned))}, last ${figure(run.planned[is.updates - 1])}`);
  }

  // What can change from outside: the settings, the size, the theme.
  const names = Object.keys(DEFAULTS);
  for (const name of names) model.on?.(`change:${name}`, redraw);
  const sizes = new ResizeObserver(redraw);
  for (const canvas of [surface, losses, lr]) sizes.observe(canvas);
  const themes = new MutationObserver(redraw);
  themes.observe(document.documentElement, { attributeFilter: ["class"] });
  themes.observe(document.body, { attributeFilter: ["data-jp-theme-light", "class"] });
  const queries = [matchMedia("(prefers-color-scheme: dark)"), still];
  for (const query of queries) query.addEventListener("change", redraw);
  el.append(root);
  draw(0);
  return () => {
    for (const name of names) model.off?.(`change:${name}`, redraw);
    for (const query of queries) query.removeEventListener("change", redraw);
    sizes.disconnect();
    themes.disconnect();
    cancelAnimationFrame(frame);
    clearTimeout(late);
    root.remove();
  };
}

export default { render };
