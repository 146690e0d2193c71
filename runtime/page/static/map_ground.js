// The ground that the history covers: its pictures where there is room for them, else their outlines, else dots.

const PICTURE_FROM_PX = 36; // sides shorter than this on the screen show nothing
const MOST_PICTURES = 120; // kept and drawn
const MOST_FETCHED = 4; // at once: the live view has to come through as well
const OUTLINE_FROM_PX = 5;

export class GroundLayer {
  constructor(run, changed) {
    this.run = run;
    this.changed = changed;
    this.pictures = true;
    this.keyframes = [];
    this.images = new Map(); // by keyframe; the last used at the end
    this.fetching = 0;
  }

  add(keyframes, view) {
    for (const [id, latitude, longitude, side] of keyframes) {
      this.keyframes.push({ id, side, ...view.metres(latitude, longitude) });
    }
  }

  draw(context, view) {
    const seen = this.keyframes.filter((keyframe) => this.isSeen(keyframe, view));
    if (this.pictures) this.drawPictures(context, view, seen);
    context.strokeStyle = "rgba(20,80,60,.45)";
    context.fillStyle = "rgba(20,80,60,.8)";
    context.lineWidth = 1;
    for (const keyframe of seen) {
      const { x, y } = view.pixels(keyframe);
      const side = keyframe.side * view.scale;
      if (side >= OUTLINE_FROM_PX && !(this.pictures && side >= PICTURE_FROM_PX)) context.strokeRect(x - side / 2, y - side / 2, side, side);
      else context.fillRect(x - 1, y - 1, 2, 2);
    }
  }

  isSeen(keyframe, view) {
    const { x, y } = view.pixels(keyframe);
    const half = (keyframe.side * view.scale) / 2;
    return x > -half && y > -half && x < view.width + half && y < view.height + half;
  }

  // Oldest first, so that the newest lies on top; those nearest to the middle are fetched first.
  drawPictures(context, view, seen) {
    const large = seen.filter((keyframe) => keyframe.side * view.scale >= PICTURE_FROM_PX);
    const away = (keyframe) => Math.hypot(keyframe.east - view.east, keyframe.north - view.north);
    const near = large.sort((a, b) => away(a) - away(b)).slice(0, MOST_PICTURES);
    for (const keyframe of near) this.want(keyframe.id);
    for (const keyframe of near.reverse()) {
      const image = this.images.get(keyframe.id);
      if (!image?.complete || image.naturalWidth === 0) continue;
      const { x, y } = view.pixels(keyframe);
      const side = keyframe.side * view.scale;
      context.drawImage(image, x - side / 2, y - side / 2, side, side);
    }
  }

  want(id) {
    if (this.images.has(id) || this.fetching >= MOST_FETCHED) return;
    const image = new Image();
    this.images.set(id, image);
    this.fetching += 1;
    image.onload = image.onerror = () => { this.fetching -= 1; this.changed(); };
    image.src = `/keyframe/${id}.jpg?px=160&run=${this.run}`;
    if (this.images.size > 2 * MOST_PICTURES) this.images.delete(this.images.keys().next().value);
  }
}
