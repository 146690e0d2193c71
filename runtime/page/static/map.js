// The map: what is known, drawn over the history's own ground; nothing is fetched from elsewhere.

import { $ } from "./dom.js";
import { Gestures } from "./gestures.js";
import * as draw from "./map_marks.js";
import { GroundLayer } from "./map_ground.js";
import { Projection } from "./projection.js";
import { isAt } from "./words.js";

export class FlightMap {
  constructor(about) {
    this.canvas = $("map-canvas");
    this.context = this.canvas.getContext("2d");
    this.view = new Projection();
    this.area = about.polygon;
    this.track = [];
    this.layer = new GroundLayer(about.run, () => this.redraw());
    this.status = null;
    this.follow = true;
    this.fitted = false;
    this.waiting = false;
    new Gestures(this.canvas, this.view, { moved: () => this.setFollow(false), changed: () => this.redraw() });
    this.button("map-in", () => this.view.zoom(1.6));
    this.button("map-out", () => this.view.zoom(1 / 1.6));
    this.button("map-fit", () => { this.setFollow(false); this.fit(); });
    this.button("map-follow", () => this.setFollow(!this.follow));
    this.button("map-ground", () => {
      this.layer.pictures = !this.layer.pictures;
      $("map-ground").setAttribute("aria-pressed", String(this.layer.pictures));
    });
    new ResizeObserver(() => this.resize()).observe(this.canvas);
    this.resize();
  }

  button(id, action) {
    $(id).onclick = () => { action(); this.redraw(); };
  }

  setFollow(follow) {
    this.follow = follow;
    $("map-follow").setAttribute("aria-pressed", String(follow));
  }

  take(message) {
    if (message.track.anew) this.track = [];
    for (const [latitude, longitude, bySight, trusted] of message.track.points) {
      this.track.push({ ...this.view.metres(latitude, longitude), bySight, trusted });
    }
    if (message.status) this.status = message.status;
    this.lookAtTarget();
    if (!this.fitted && this.status?.estimate.position) {
      this.fit();
      this.fitted = true;
    }
    this.redraw();
  }

  // A new target is brought into view, while the map follows by itself.
  lookAtTarget() {
    const place = this.status?.pending_target?.place ?? this.status?.target;
    const key = JSON.stringify(place ?? null);
    if (key === this.targetSeen) return;
    this.targetSeen = key;
    const here = this.at(this.status?.estimate.position);
    if (!place || !here || !this.follow) return;
    this.view.centre(here);
    this.view.reach(this.at(place));
  }

  addGround(keyframes) {
    this.layer.add(keyframes, this.view);
    if (!this.fitted) this.fit();
    this.redraw();
  }

  at(point) {
    return point ? this.view.metres(point.latitude_deg, point.longitude_deg) : null;
  }

  fit() {
    const status = this.status;
    const points = status ? [status.estimate.position, status.target, status.pending_target?.place, status.vehicle.home,
      status.vehicle.gps?.position].map((point) => this.at(point)).filter(Boolean) : [];
    const area = points.length > 1 ? [] : this.area.map(([latitude, longitude]) => this.view.metres(latitude, longitude));
    this.view.fit([...points, ...this.track, ...area]);
  }

  resize() {
    const ratio = window.devicePixelRatio || 1;
    this.view.width = this.canvas.clientWidth || 1;
    this.view.height = this.canvas.clientHeight || 1;
    this.canvas.width = Math.round(this.view.width * ratio);
    this.canvas.height = Math.round(this.view.height * ratio);
    this.redraw();
  }

  redraw() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => { this.waiting = false; this.draw(); });
  }

  draw() {
    const { context, view, status } = this;
    const ratio = window.devicePixelRatio || 1;
    const here = this.at(status?.estimate.position);
    if (this.follow && here) view.centre(here);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.fillStyle = "#f4f2ea";
    context.fillRect(0, 0, view.width, view.height);
    this.layer.draw(context, view);
    draw.area(context, view, this.area.map(([latitude, longitude]) => view.metres(latitude, longitude)));
    draw.track(context, view, this.track, here);
    if (status) this.drawStatus(context, view, status, here);
    draw.scaleBar(context, view);
    draw.north(context, view);
    this.canvas.dataset.scale = view.scale;
    this.canvas.dataset.middle = `${view.north.toFixed(1)},${view.east.toFixed(1)}`;
  }

  drawStatus(context, view, status, here) {
    const { vehicle } = status;
    draw.route(context, view, here, status.route.map((corner) => this.at(corner)));
    draw.home(context, view, this.at(vehicle.home));
    const gps = this.at(vehicle.gps?.position);
    if (gps) draw.gps(context, view, gps, vehicle.gps.sigma_m, status.navigation.gps);
    const pending = status.pending_target;
    if (pending) {
      const chosen = isAt(pending.place, status.target); // then the other candidates are of no use any more
      if (!chosen) pending.candidates.forEach((candidate, index) => draw.candidate(context, view, this.at(candidate), index + 1));
      if (pending.place && !chosen) draw.target(context, view, this.at(pending.place), false);
    }
    if (status.target) draw.target(context, view, this.at(status.target), true);
    if (here) {
      draw.ellipse(context, view, here, status.estimate.covariance_m2);
      draw.aircraft(context, view, here, vehicle.heading_deg);
    }
  }
}
