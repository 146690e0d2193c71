// Events, and the tables for whoever looks closer.

import { $, make, refill, say } from "./dom.js";
import { DASH, bytes, clock, plain } from "./words.js";

const MOST_EVENTS = 50;
const DROPS = /dropped|failed|failures|breaks|refused|withheld|not_recorded|foreign/;

export function showEvents(message) {
  const list = $("event-list");
  for (const event of message.events) {
    const when = new Date(Date.now() - (message.now_s - event.t_s) * 1000);
    list.prepend(make("li", { className: event.severity }, make("time", { textContent: clock(when) }), event.text));
  }
  while (list.children.length > MOST_EVENTS) list.lastChild.remove();
}

export function forgetEvents() {
  $("event-list").replaceChildren();
}

export function showDetails(message) {
  const { status, computer } = message;
  const counts = Object.entries(status.counts);
  const drops = [...counts.filter(([name, number]) => DROPS.test(name) && number > 0),
    ...Object.entries(status.frames_dropped_pose).map(([name, number]) => [`frames_dropped_${name}`, number])];
  const engine = status.engine;
  table("Rates now", Object.entries(message.rates_hz).map(([name, rate]) => [plain(name), `${rate.toFixed(1)} /s`]));
  table("Dropped and failed", drops.length ? drops.map(([name, number]) => [plain(name), String(number)]) : [["nothing", ""]]);
  table("Counted", counts.filter(([name]) => !DROPS.test(name)).map(([name, number]) => [plain(name), String(number)]));
  table("Took, p50 and p99", Object.entries(status.latency_ms).map(([name, spent]) =>
    [plain(name), `${spent.p50.toFixed(1)} · ${spent.p99.toFixed(1)} ms`]));
  table("Computer", [
    ["memory of the daemon", bytes(computer.resident_bytes)],
    ["disk free", bytes(computer.disk_free_bytes)],
    ["towers run by", engine ? `${engine.backend}, ${engine.precision}` : DASH],
    ["recording", status.recording ? "yes" : status.recording_failed ?? "no"],
    ["feeding the autopilot", plain(status.injection.state)],
  ]);
  const problems = [...status.vehicle.problems, ...(engine ? engine.warnings : [])];
  refill($("problems"), problems.join("\n"), () =>
    problems.map((problem) => make("p", { className: "problem", textContent: problem })));
}

function table(title, rows) {
  const id = `table-${title.replace(/\W+/g, "-").toLowerCase()}`;
  if (!$(id)) $("tables").append(make("div", { id }, make("h3", { textContent: title }), make("dl")));
  const list = $(id).lastChild;
  refill(list, rows.map(([name]) => name).join("\n"), () =>
    rows.flatMap(([name]) => [make("dt", { textContent: name }), make("dd")]));
  rows.forEach(([, value], index) => say(list.children[2 * index + 1], value));
}
