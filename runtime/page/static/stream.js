// The live stream, and whether it is live. A message is expected twice a second; what is older than LOST_MS is not
// shown as if it were the present. The browser opens a broken stream again by itself; one that is only silent (a phone
// that left the network and came back) is closed here and opened anew.

const LOST_MS = 2500;
const REOPEN_MS = 5000;
const DAEMON_STALE_S = 2.0;

export class Stream {
  constructor(address, onMessage, onState) {
    this.address = address;
    this.onMessage = onMessage;
    this.onState = onState;
    this.heard = null;
    this.opened = 0;
    this.ageS = null;
    this.open();
    setInterval(() => this.look(), 250);
    document.addEventListener("visibilitychange", () => this.look());
    window.addEventListener("online", () => this.reopen());
  }

  open() {
    this.opened = Date.now();
    this.source = new EventSource(this.address);
    this.source.onmessage = (event) => {
      this.heard = Date.now();
      const message = JSON.parse(event.data);
      this.ageS = message.age_s;
      this.onMessage(message);
      this.look();
    };
  }

  reopen() {
    this.source.close();
    this.open();
  }

  // {kind: "waiting" | "live" | "lost" | "stopped", silentS}
  state() {
    if (this.heard === null) return { kind: "waiting", silentS: null };
    const silentMs = Date.now() - this.heard;
    if (silentMs > LOST_MS) return { kind: "lost", silentS: silentMs / 1000 + (this.ageS ?? 0) };
    if (this.ageS === null) return { kind: "waiting", silentS: null };
    if (this.ageS > DAEMON_STALE_S) return { kind: "stopped", silentS: this.ageS };
    return { kind: "live", silentS: 0 };
  }

  look() {
    const silentMs = Date.now() - Math.max(this.heard ?? 0, this.opened);
    if (document.visibilityState === "visible" && silentMs > REOPEN_MS) this.reopen();
    this.onState(this.state());
  }
}
