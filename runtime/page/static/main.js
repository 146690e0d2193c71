// Wires the page: one stream of messages, and what each part makes of them.

import { showNumbers, showState } from "./answer.js";
import { Control } from "./control.js";
import { forgetEvents, showDetails, showEvents } from "./details.js";
import { $, say } from "./dom.js";
import { Ground } from "./ground.js";
import { FlightMap } from "./map.js";
import { Stream } from "./stream.js";
import { Targets } from "./targets.js";
import { Views } from "./views.js";
import { seconds } from "./words.js";

const RETRY_MS = 1000;
let parts = null;
let starting = false;

async function start() {
  if (starting) return;
  starting = true;
  for (let about = null; about === null;) {
    about = await fetch("/api/about").then((response) => response.json(), () => null).catch(() => null);
    if (about === null) await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    else if (parts && parts.about.run !== about.run) location.reload(); // another run: nothing of this one holds
    else parts ??= build(about);
  }
  starting = false;
}

function build(about) {
  const control = new Control(about);
  const map = new FlightMap(about);
  const made = {
    about, control, map, views: new Views(about.run), targets: new Targets(about.run, control), ground: new Ground(map),
    messages: 0,
  };
  say($("about"), `Homing ${about.version} · history ${about.history} · log ${about.log}${about.dry_run ? " · dry run" : ""}`);
  return made;
}

function onMessage(message) {
  if (!parts) return;
  if (message.first) {
    forgetEvents(); // a new stream tells everything again
    start(); // and may be another run's
  }
  showEvents(message);
  parts.map.take(message);
  if (!message.status) return;
  showState(message.status, parts.about);
  showNumbers(message);
  showDetails(message);
  parts.control.show(message.status);
  parts.targets.show(message);
  parts.views.show(message);
  parts.ground.look(message.status);
}

function onState({ kind, silentS }) {
  document.body.classList.toggle("waiting", kind === "waiting");
  document.body.classList.toggle("lost", kind === "lost" || kind === "stopped");
  say($("alarm"), {
    waiting: "Waiting for the daemon…",
    lost: `CONNECTION LOST, last seen ${seconds(silentS)} ago. Nothing below is live.`,
    stopped: `THE DAEMON IS SILENT, last seen ${seconds(silentS)} ago. Nothing below is live.`,
    live: "",
  }[kind]);
  document.title = kind === "live" ? `Homing: ${document.body.dataset.state ?? ""}` : "Homing: NOT LIVE";
  parts?.control.setLive(kind === "live");
}

await start();
new Stream("/api/live", onMessage, onState);
