// The state machine, in plain words why it does not fly, and the numbers that a pilot asks for first.

import { $, make, refill, say, withCode } from "./dom.js";
import { DASH, metres, percent, plain, seconds } from "./words.js";

const STATES = ["disabled", "monitor", "ready", "engaged", "yielded"];
const SILENT = new Set(["not_due"]); // nothing that anybody should do about
const LITTLE_DISK = 0.05; // of the disk that the flight log is written to
const HOT_C = 85; // a Jetson slows itself down a little above
const GPS = { believed: "good", absent: "news", lost: "warning", doubted: "warning" };

export function showState(status, about) {
  const chips = STATES.map((state) => make("span", { textContent: state, className: state }));
  refill($("state"), "chips", () => chips);
  for (const chip of $("state").children) {
    const now = chip.textContent === status.state;
    chip.classList.toggle("now", now);
    if (now) chip.setAttribute("aria-current", "true");
    else chip.removeAttribute("aria-current");
  }
  document.body.dataset.state = status.state;
  const phase = status.phase === "none" ? "" : `: ${plain(status.phase)}`;
  say($("answer-title"), status.state.toUpperCase() + phase + (status.dry_run ? " (dry run)" : ""));
  say($("sentence"), sentence(about.phases[status.phase] || about.states[status.state]));
  showCountdowns(status);
  showReasons(status, about);
}

function sentence(text) {
  return text ? text[0].toUpperCase() + text.slice(1) + "." : "";
}

function showCountdowns(status) {
  const coast = status.navigation.coast_left_s;
  const consent = status.consent_left_s;
  const parts = [];
  if (consent !== null) parts.push(["consent", `${seconds(consent)} left for the pilot's switch`]);
  if (coast !== null) parts.push(["coast", `${seconds(coast)} left to coast without a fix`]);
  if (status.state === "engaged" && status.distance_m !== null) parts.push(["way", `${metres(status.distance_m)} to the target`]);
  refill($("countdowns"), JSON.stringify(parts), () =>
    parts.map(([kind, text]) => make("span", { className: kind, textContent: text })));
}

function showReasons(status, about) {
  const known = Object.keys(about.reasons); // in the order in which they are seen to: the pilot comes last
  const order = (reason) => known.indexOf(reason) + (about.waiting.includes(reason) ? known.length : 0);
  const reasons = status.reasons.filter((reason) => !SILENT.has(reason)).sort((a, b) => order(a) - order(b));
  const flying = status.state === "engaged";
  const waits = reasons.length > 0 && reasons.every((reason) => about.waiting.includes(reason));
  say($("reasons-title"), flying ? "What holds a command back now" : waits ? "What it waits for" : "Why it does not fly");
  $("reasons-title").hidden = flying && reasons.length === 0;
  refill($("reasons"), reasons.join(), () =>
    reasons.map((reason) => {
      const said = about.reasons[reason] ?? { meaning: plain(reason), remedy: "" };
      return make("li", { id: `reason-${reason}` },
        make("b", {}, ...withCode(sentence(said.meaning))),
        said.remedy ? make("span", {}, "→ ", ...withCode(said.remedy)) : null);
    }));
}

export function showNumbers(message) {
  const { status, computer, rates_hz: rates } = message;
  const { estimate, vehicle, navigation, fix } = status;
  const vision = navigation.vision;
  const tiles = [
    ["Position", estimate.position ? `± ${metres(estimate.sigma_m)}` : DASH,
      estimate.trusted ? `by ${whose(estimate.source)}` : estimate.reason || plain(estimate.state),
      estimate.trusted ? "good" : "warning"],
    ["Camera", vision.position ? `± ${metres(vision.sigma_m)}` : DASH,
      vision.trusted ? "tracking" : vision.reason || plain(vision.state), vision.trusted ? "good" : "news"],
    ["Last fix", fix ? seconds(fix.age_s) : DASH,
      fix && fix.difference_m !== null ? `${metres(fix.difference_m)} from the autopilot` : "ago", ""],
    ["GPS", navigation.gps, gpsNote(navigation, vehicle), GPS[navigation.gps] ?? ""],
    ["Battery", percent(vehicle.battery), "left", ""],
    ["Height", metres(vehicle.height_takeoff_m), "above take-off", ""],
    ["Mode", vehicle.mode ?? DASH, vehicleNote(vehicle), vehicle.connected && !vehicle.failsafes.length ? "" : "warning"],
    ["Target", metres(status.distance_m), status.target ? "away" : "none confirmed", ""],
    ["Frames", rates.frames === undefined ? DASH : `${rates.frames.toFixed(1)} /s`, plain(status.camera),
      status.camera === "ok" ? "" : "warning"],
    ["Fixes", rates.fix === undefined ? DASH : `${rates.fix.toFixed(1)} /s`,
      rates.no_fix === undefined ? "" : `${rates.no_fix.toFixed(1)} /s not recognised`, ""],
    ["Temperature", computer.temperature_c === null ? DASH : `${Math.round(computer.temperature_c)} °C`,
      computer.load === null ? "" : `load ${computer.load.toFixed(1)}`, computer.temperature_c > HOT_C ? "warning" : ""],
    ["Disk free", percent(computer.disk_share_free), logNote(status.log),
      status.log.degraded || (computer.disk_share_free ?? 1) < LITTLE_DISK ? "warning" : ""],
  ];
  refill($("numbers"), "tiles", () => tiles.map(() =>
    make("div", {}, make("h3"), make("strong"), make("small"))));
  tiles.forEach(([name, value, note, severity], index) => {
    const tile = $("numbers").children[index];
    const [title, number, small] = tile.children;
    say(title, name);
    say(number, value);
    say(small, note);
    tile.className = severity;
  });
}

function whose(source) {
  return { vision: "the camera", autopilot: "the autopilot" }[source] ?? plain(source);
}

function gpsNote(navigation, vehicle) {
  if (navigation.alarm) return navigation.alarm.reason;
  const gps = vehicle.gps;
  return gps ? `${gps.satellites} satellites, ± ${metres(gps.sigma_m)}` : "no receiver";
}

function vehicleNote({ connected, armed, failsafes }) {
  if (!connected) return "not heard";
  const also = failsafes.length ? `, failsafe: ${plain(failsafes.join(", "))}` : "";
  return (armed ? "armed" : "disarmed") + also;
}

function logNote(log) {
  return log.degraded ? `log has lost ${log.lost_records} records` : "log is whole";
}
