// Degrees to metres about one place, and metres to the pixels of a canvas that can be moved and zoomed.

const RADIUS_M = 6371008.8;
const DEGREE_M = (RADIUS_M * Math.PI) / 180;
const NEAREST = 100; // pixels a metre
const FARTHEST = 0.002;
const LEAST_SPAN_M = 150;

export class Projection {
  constructor() {
    this.origin = null;
    this.east = 0; // of the middle, metres from the origin
    this.north = 0;
    this.scale = 2; // pixels a metre
    this.width = 1;
    this.height = 1;
  }

  metres(latitude, longitude) {
    if (!this.origin) this.origin = { latitude, longitude };
    const east = (longitude - this.origin.longitude) * DEGREE_M * Math.cos((this.origin.latitude * Math.PI) / 180);
    return { east, north: (latitude - this.origin.latitude) * DEGREE_M };
  }

  pixels({ east, north }) {
    return { x: this.width / 2 + (east - this.east) * this.scale, y: this.height / 2 - (north - this.north) * this.scale };
  }

  under(x, y) {
    return { east: this.east + (x - this.width / 2) / this.scale, north: this.north - (y - this.height / 2) / this.scale };
  }

  move(dx, dy) {
    this.east -= dx / this.scale;
    this.north += dy / this.scale;
  }

  centre({ east, north }) {
    this.east = east;
    this.north = north;
  }

  // Zooms about a pixel: what lies under the finger stays there.
  zoom(factor, x = this.width / 2, y = this.height / 2) {
    const before = this.under(x, y);
    this.scale = Math.min(NEAREST, Math.max(FARTHEST, this.scale * factor));
    const after = this.under(x, y);
    this.east += before.east - after.east;
    this.north += before.north - after.north;
  }

  // Zooms out, if need be, until a place is seen from the middle.
  reach({ east, north }) {
    const away = Math.max(Math.abs(east - this.east) / this.width, Math.abs(north - this.north) / this.height);
    this.scale = Math.max(FARTHEST, Math.min(this.scale, 0.42 / Math.max(away, 1e-6)));
  }

  fit(points) {
    if (points.length === 0) return;
    const easts = points.map((point) => point.east);
    const norths = points.map((point) => point.north);
    const [west, east] = [Math.min(...easts), Math.max(...easts)];
    const [south, north] = [Math.min(...norths), Math.max(...norths)];
    this.centre({ east: (west + east) / 2, north: (south + north) / 2 });
    const span = Math.max((east - west) / this.width, (north - south) / this.height, LEAST_SPAN_M / this.width);
    this.scale = Math.min(NEAREST, Math.max(FARTHEST, 0.85 / span));
  }

  // A round length of at most `pixels`: [metres, pixels].
  bar(pixels) {
    const most = pixels / this.scale;
    const decade = 10 ** Math.floor(Math.log10(most));
    const metres = [5, 2, 1].map((step) => step * decade).find((step) => step <= most) ?? decade;
    return [metres, metres * this.scale];
  }
}
