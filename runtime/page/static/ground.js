// The ground that the history covers, fetched in pieces and then only what was added.

const AGAIN_MS = 10000;

export class Ground {
  constructor(map) {
    this.map = map;
    this.after = 0;
    this.busy = false;
    this.looked = 0;
    this.keyframes = null;
  }

  look(status) {
    const recorded = status.counts.keyframes ?? 0;
    const grown = recorded !== this.keyframes;
    if (this.busy || !grown || Date.now() - this.looked < AGAIN_MS) return;
    this.keyframes = recorded;
    this.fetchAll();
  }

  async fetchAll() {
    this.busy = true;
    try {
      for (let more = true; more;) {
        const response = await fetch(`/api/ground?after=${this.after}`);
        if (!response.ok) break;
        const found = await response.json();
        this.map.addGround(found.keyframes);
        more = found.more;
        if (found.keyframes.length) this.after = found.keyframes.at(-1)[0];
      }
    } catch {
      this.keyframes = null; // the next message tries again
    } finally {
      this.looked = Date.now();
      this.busy = false;
    }
  }
}
