// The live view beside the keyframe that it was recognised by. A picture is asked for when there is a new one and the
// last has come; a slow link gets fewer, never older ones.

import { $, say } from "./dom.js";
import { metres, seconds } from "./words.js";

export class Views {
  constructor(run) {
    this.run = run;
    this.shown = new Map();
  }

  show(message) {
    const { status, frame, matched } = message;
    if (frame !== null && frame !== undefined) this.load("live", frame, `/view/live.jpg?frame=${frame}`);
    if (matched) {
      this.load("matched", matched.frame, `/view/matched.jpg?frame=${matched.frame}`);
      this.load("keyframe", matched.keyframe, `/keyframe/${matched.keyframe}.jpg?px=320&run=${this.run}`);
    }
    say($("live-note"), status.camera === "ok" ? "as the camera sees it" : status.camera_error ?? status.camera.replaceAll("_", " "));
    const fix = status.fix;
    say($("matched-note"), fix ? `${seconds(fix.age_s)} ago, laid on the keyframe's ground` : "");
    say($("keyframe-note"), fix ? `number ${fix.keyframe}, ${fix.inliers} points agree, ± ${metres(fix.sigma_m)}` : "");
  }

  load(id, version, address) {
    const last = this.shown.get(id) ?? { version: null, loading: false };
    if (last.loading || last.version === version) return;
    this.shown.set(id, { version, loading: true });
    const next = new Image();
    const done = (came) => {
      this.shown.set(id, { version: came ? version : null, loading: false });
      if (!came) return;
      const image = $(id);
      image.src = next.src;
      image.hidden = false;
      image.nextElementSibling.hidden = true;
    };
    next.onload = () => done(true);
    next.onerror = () => done(false);
    next.src = address;
  }
}
