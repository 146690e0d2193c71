// Drag to move, two fingers or the wheel to zoom, arrows and + − on a keyboard.

const STEP_PX = 60;

export class Gestures {
  constructor(canvas, view, { moved, changed }) {
    this.view = view;
    this.moved = moved;
    this.changed = changed;
    this.pointers = new Map();
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.pointers.set(event.pointerId, at(event));
    });
    canvas.addEventListener("pointermove", (event) => this.drag(event));
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, (event) => this.pointers.delete(event.pointerId));
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      view.zoom(Math.exp(-event.deltaY / 400), event.offsetX, event.offsetY);
      changed();
    }, { passive: false });
    canvas.addEventListener("keydown", (event) => this.key(event));
  }

  drag(event) {
    if (!this.pointers.has(event.pointerId)) return;
    const before = this.grip();
    this.pointers.set(event.pointerId, at(event));
    const after = this.grip();
    this.view.move(after.x - before.x, after.y - before.y);
    if (before.spread && after.spread) this.view.zoom(after.spread / before.spread, after.x, after.y);
    this.moved();
    this.changed();
  }

  // The middle of the fingers, and how far apart they are.
  grip() {
    const [a, b] = [...this.pointers.values()];
    if (!b) return { x: a.x, y: a.y, spread: 0 };
    return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, spread: Math.hypot(a.x - b.x, a.y - b.y) };
  }

  key(event) {
    const moves = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    const move = moves[event.key];
    if (move) {
      this.view.move(move[0] * STEP_PX, move[1] * STEP_PX);
      this.moved();
    } else if (event.key === "+" || event.key === "=") this.view.zoom(1.6);
    else if (event.key === "-") this.view.zoom(1 / 1.6);
    else return;
    event.preventDefault();
    this.changed();
  }
}

function at(event) {
  return { x: event.offsetX, y: event.offsetY };
}
