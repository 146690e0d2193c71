// The marks of the map. Every line has a white edge: it must be seen over a dark forest and over a bright field.

const TWO_SIGMA_95 = 2.448; // half axes of the ellipse that holds 95 % of a two-dimensional Gaussian
export const COLOURS = { camera: "#0b3dd6", autopilot: "#3d3d3d", gps: "#b34700", target: "#c4001d", route: "#7a0fa8", area: "#111", home: "#111" };

function path(context, view, points) {
  context.beginPath();
  points.forEach((point, index) => {
    const { x, y } = view.pixels(point);
    if (index) context.lineTo(x, y);
    else context.moveTo(x, y);
  });
}

function stroke(context, colour, width, dash = []) {
  context.lineJoin = context.lineCap = "round";
  context.setLineDash([]);
  context.strokeStyle = "rgba(255,255,255,.85)";
  context.lineWidth = width + 3;
  context.stroke();
  context.setLineDash(dash);
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.stroke();
  context.setLineDash([]);
}

export function label(context, text, x, y, colour = "#111") {
  context.font = "bold 14px system-ui, sans-serif";
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.lineWidth = 4;
  context.strokeStyle = "#fff";
  context.strokeText(text, x, y);
  context.fillStyle = colour;
  context.fillText(text, x, y);
}

export function area(context, view, corners) {
  if (corners.length === 0) return;
  path(context, view, [...corners, corners[0]]);
  stroke(context, COLOURS.area, 2, [10, 6]);
}

// In runs by whose word was flown; dashed where it was not to be trusted.
export function track(context, view, points, here) {
  const all = here ? [...points, { ...here, bySight: points.at(-1)?.bySight, trusted: points.at(-1)?.trusted }] : points;
  let from = 0;
  for (let index = 1; index <= all.length; index += 1) {
    const same = index < all.length && all[index].bySight === all[from].bySight && all[index].trusted === all[from].trusted;
    if (same) continue;
    path(context, view, all.slice(from, Math.min(index + 1, all.length)));
    stroke(context, all[from].bySight ? COLOURS.camera : COLOURS.autopilot, 3, all[from].trusted ? [] : [4, 6]);
    from = index;
  }
}

export function route(context, view, here, corners) {
  if (!here || corners.length === 0) return;
  path(context, view, [here, ...corners]);
  stroke(context, COLOURS.route, 3, [2, 7]);
}

export function home(context, view, point) {
  if (!point) return;
  const { x, y } = view.pixels(point);
  label(context, "H", x, y);
  context.beginPath();
  context.arc(x, y, 11, 0, 2 * Math.PI);
  stroke(context, COLOURS.home, 2);
}

export function gps(context, view, point, sigmaM, standing) {
  const { x, y } = view.pixels(point);
  context.beginPath();
  context.arc(x, y, Math.max(7, (sigmaM ?? 0) * view.scale), 0, 2 * Math.PI);
  stroke(context, COLOURS.gps, 3, standing === "believed" ? [] : [3, 5]);
  label(context, standing === "believed" ? "GPS" : `GPS ${standing}`, x, y - 20, COLOURS.gps);
}

export function target(context, view, point, confirmed) {
  const { x, y } = view.pixels(point);
  context.beginPath();
  context.arc(x, y, 12, 0, 2 * Math.PI);
  for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
    context.moveTo(x + 6 * dx, y + 6 * dy);
    context.lineTo(x + 19 * dx, y + 19 * dy);
  }
  stroke(context, COLOURS.target, 3, confirmed ? [] : [4, 4]);
  if (!confirmed) label(context, "confirm?", x, y - 28, COLOURS.target);
}

export function candidate(context, view, point, number) {
  const { x, y } = view.pixels(point);
  context.beginPath();
  context.rect(x - 10, y - 10, 20, 20);
  context.fillStyle = "rgba(255,255,255,.9)";
  context.fill();
  stroke(context, COLOURS.target, 1.5);
  label(context, String(number), x, y, COLOURS.target);
}

// The eigenvectors of [[north², north·east], [north·east, east²]].
export function ellipse(context, view, point, covariance) {
  const [[nn, ne], [, ee]] = covariance ?? [[null, null], [null, null]];
  if (nn === null || ee === null || ne === null) return;
  const mean = (nn + ee) / 2;
  const apart = Math.hypot((nn - ee) / 2, ne);
  const major = Math.sqrt(Math.max(mean + apart, 0)) * TWO_SIGMA_95 * view.scale;
  const minor = Math.sqrt(Math.max(mean - apart, 0)) * TWO_SIGMA_95 * view.scale;
  const bearing = 0.5 * Math.atan2(2 * ne, nn - ee); // of the longer axis, clockwise from north
  const { x, y } = view.pixels(point);
  context.beginPath();
  context.ellipse(x, y, major, minor, bearing - Math.PI / 2, 0, 2 * Math.PI);
  context.fillStyle = "rgba(11,61,214,.18)";
  context.fill();
  stroke(context, COLOURS.camera, 1.5);
}

export function aircraft(context, view, point, headingDeg) {
  const { x, y } = view.pixels(point);
  context.save();
  context.translate(x, y);
  context.beginPath();
  if (headingDeg === null) {
    context.arc(0, 0, 7, 0, 2 * Math.PI);
  } else {
    context.rotate((headingDeg * Math.PI) / 180);
    [[0, -15], [10, 12], [0, 6], [-10, 12]].forEach(([dx, dy], index) => (index ? context.lineTo(dx, dy) : context.moveTo(dx, dy)));
    context.closePath();
  }
  context.fillStyle = "#ffd400";
  context.fill();
  stroke(context, "#111", 2);
  context.restore();
}

export function scaleBar(context, view) {
  const [metres, pixels] = view.bar(Math.min(150, view.width / 3));
  const [x, y] = [14, view.height - 14];
  context.fillStyle = "rgba(255,255,255,.85)";
  context.fillRect(x - 8, y - 28, pixels + 16, 36);
  context.beginPath();
  context.moveTo(x, y - 7);
  context.lineTo(x, y);
  context.lineTo(x + pixels, y);
  context.lineTo(x + pixels, y - 7);
  context.strokeStyle = "#111";
  context.lineWidth = 2.5;
  context.stroke();
  label(context, metres >= 1000 ? `${metres / 1000} km` : `${metres} m`, x + pixels / 2, y - 15);
}

export function north(context, view) {
  const [x, y] = [26, 34];
  context.beginPath();
  [[0, -20], [8, 6], [0, 1], [-8, 6]].forEach(([dx, dy], index) => (index ? context.lineTo(x + dx, y + dy) : context.moveTo(x + dx, y + dy)));
  context.closePath();
  context.fillStyle = "#111";
  context.fill();
  stroke(context, "#111", 1);
  label(context, "N", x, y + 17);
}
