// The stage: two versions of a photograph under a slider, zoom, and the marks of hints.
import { at, button, element } from "./elements.js";
import { text } from "./text.js";

const FARTHEST = 8;
const STILL = 5; // pixels that a click may move
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

export class Stage {
  // handlers: { zoomed(), place(x, y), open(index), move(index, x, y), moved(), remove(index) }
  constructor(handlers) {
    this.handlers = handlers;
    this.stage = at("stage");
    this.pane = at("window");
    this.cut = 50;
    this.whole = false;
    this.view = { zoom: 1, x: 0, y: 0 }; // a point p of the picture, 0..1, is shown at zoom * p + x
    this.tags = { left: "", right: "" };
    this.listen();
    this.slideTo(50);
    this.zoomTo(1);
  }

  // Show a version on one side once it is decoded.
  async show(side, url, alt) {
    const image = new Image();
    image.alt = alt;
    image.src = url;
    await image.decode().catch(() => {});
    at(side).querySelector(".layer").replaceChildren(image);
  }

  clear() {
    for (const side of ["left", "right"]) at(side).querySelector(".layer").replaceChildren();
  }

  resize(width, height) {
    this.stage.style.setProperty("--aspect", width / height);
    this.zoomTo(1);
  }

  tag(left, right) {
    this.tags = { left, right };
    at("left-tag").textContent = left;
    at("right-tag").textContent = right;
    this.slideTo(this.cut);
  }

  busy(is) {
    this.pane.classList.toggle("busy", is);
    this.pane.setAttribute("aria-busy", String(is));
  }

  // The slider

  slideTo(percent) {
    this.cut = clamp(percent, 0, 100);
    this.pane.style.setProperty("--cut", `${this.cut}%`);
    const handle = at("handle");
    const rounded = Math.round(this.cut);
    handle.setAttribute("aria-label", text("divider"));
    handle.setAttribute("aria-valuenow", rounded);
    handle.setAttribute("aria-valuetext", text("divider_text", { percent: rounded, ...this.tags }));
  }

  setWhole(whole) {
    this.whole = whole;
    this.pane.classList.toggle("whole", whole);
    at("handle").tabIndex = whole ? -1 : 0;
    at("slider").setAttribute("aria-pressed", String(!whole));
    at("left-tag").hidden = whole;
  }

  hold(held) {
    this.pane.classList.toggle("held", held);
  }

  // Zoom

  zoomTo(zoom, px = 0.5, py = 0.5) {
    const next = clamp(zoom, 1, FARTHEST);
    const grown = next / this.view.zoom;
    this.view.zoom = next;
    this.moveTo(px - (px - this.view.x) * grown, py - (py - this.view.y) * grown);
  }

  moveTo(x, y) {
    const { view } = this;
    view.x = clamp(x, 1 - view.zoom, 0);
    view.y = clamp(y, 1 - view.zoom, 0);
    for (const [name, value] of Object.entries(view)) this.pane.style.setProperty(`--${name}`, value);
    this.pane.classList.toggle("zoomed", view.zoom > 1);
    at("zoom").textContent = `${Math.round(view.zoom * 100)}\u2009%`;
    at("out").disabled = view.zoom === 1;
    at("in").disabled = view.zoom === FARTHEST;
    clearTimeout(this.zooming);
    this.zooming = setTimeout(() => this.handlers.zoomed(), 200);
  }

  // How many pixels of the screen the whole picture would take
  pixels() {
    const { width, height } = this.pane.getBoundingClientRect();
    return width * height * (devicePixelRatio * this.view.zoom) ** 2;
  }

  closer() { this.zoomTo(this.view.zoom * 1.5); }
  farther() { this.zoomTo(this.view.zoom / 1.5); }
  pan(x, y) { this.moveTo(this.view.x + x, this.view.y + y); }

  // Where an event is in the window, 0..1, and in the picture
  place(event) {
    const box = this.pane.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  }

  inPicture(event) {
    const [px, py] = this.place(event);
    const { zoom, x, y } = this.view;
    return [clamp((px - x) / zoom, 0, 1), clamp((py - y) / zoom, 0, 1)];
  }

  // Where a place of the picture is on the screen, in pixels of the stage
  onStage(x, y) {
    const box = this.pane.getBoundingClientRect();
    const outer = this.stage.getBoundingClientRect();
    const { view } = this;
    return [box.left - outer.left + box.width * (view.zoom * x + view.x), box.top - outer.top + box.height * (view.zoom * y + view.y)];
  }

  // Marks of hints; one without a color is new

  mark(hints, open) {
    const marks = at("marks");
    const focused = [...marks.children].indexOf(document.activeElement);
    marks.replaceChildren(...hints.map((hint, index) => this.made(hint, index, index === open)));
    if (focused >= 0) marks.children[Math.min(focused, marks.children.length - 1)]?.focus();
  }

  made(hint, index, open) {
    const where = { x: Math.round(100 * hint.x), y: Math.round(100 * hint.y) };
    const label = hint.color ? text("hint", { number: index + 1, color: hint.color, ...where }) : text("hint_new", where);
    const mark = button({
      class: hint.color ? "mark" : "mark new", "aria-label": label, title: label, "aria-haspopup": "dialog", "aria-expanded": String(open),
      "--at-x": hint.x, "--at-y": hint.y, "--color": hint.color || "transparent",
    });
    mark.addEventListener("keydown", (event) => this.markKey(event, hint, index));
    mark.addEventListener("click", (event) => { if (event.detail === 0) this.handlers.open(index); }); // Enter or Space
    mark.addEventListener("contextmenu", (event) => { event.preventDefault(); this.handlers.remove(index); });
    mark.addEventListener("pointerdown", (event) => this.grab(event, mark, hint, index));
    return mark;
  }

  markKey(event, hint, index) {
    const step = event.shiftKey ? 0.05 : 0.01;
    const way = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[event.key];
    if (way) {
      this.handlers.move(index, clamp(hint.x + way[0], 0, 1), clamp(hint.y + way[1], 0, 1));
      this.handlers.moved();
    } else if (event.key === "Delete" || event.key === "Backspace") {
      this.handlers.remove(index);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  grab(event, mark, hint, index) {
    if (event.button !== 0) return;
    event.stopPropagation();
    event.preventDefault();
    mark.setPointerCapture(event.pointerId);
    const start = event;
    let dragged = false;
    const drag = (moving) => {
      dragged ||= Math.hypot(moving.clientX - start.clientX, moving.clientY - start.clientY) > STILL;
      if (!dragged) return;
      const [x, y] = this.inPicture(moving);
      mark.style.setProperty("--at-x", x);
      mark.style.setProperty("--at-y", y);
      this.handlers.move(index, x, y);
    };
    const drop = () => {
      mark.removeEventListener("pointermove", drag);
      mark.focus();
      if (dragged) this.handlers.moved();
      else this.handlers.open(index);
    };
    mark.addEventListener("pointermove", drag);
    mark.addEventListener("pointerup", drop, { once: true });
    mark.addEventListener("pointercancel", drop, { once: true });
  }

  // Mouse, pen and fingers

  listen() {
    const touching = new Map(); // id -> its last event
    let first = null; // the event that began the gesture
    let moved = false;
    const pane = this.pane;

    at("handle").addEventListener("keydown", (event) => {
      const to = {
        ArrowLeft: this.cut - 2, ArrowDown: this.cut - 2, ArrowRight: this.cut + 2, ArrowUp: this.cut + 2,
        PageDown: this.cut - 10, PageUp: this.cut + 10, Home: 0, End: 100,
      }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      event.stopPropagation();
      this.slideTo(to);
    });
    at("handle").addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      event.stopPropagation();
      at("handle").setPointerCapture(event.pointerId);
    });
    at("handle").addEventListener("pointermove", (event) => {
      if (at("handle").hasPointerCapture(event.pointerId)) this.slideTo(100 * this.place(event)[0]);
    });

    pane.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      touching.set(event.pointerId, event);
      pane.setPointerCapture(event.pointerId);
      if (touching.size === 1) [first, moved] = [event, false];
      else moved = true;
    });
    pane.addEventListener("pointermove", (event) => {
      const before = touching.get(event.pointerId);
      if (!before) return;
      const other = [...touching].find(([id]) => id !== event.pointerId)?.[1];
      moved ||= Math.hypot(event.clientX - first.clientX, event.clientY - first.clientY) > STILL;
      if (other) {
        const apart = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
        const [ax, ay] = this.place(event);
        const [bx, by] = this.place(other);
        this.zoomTo((this.view.zoom * apart(event)) / Math.max(1, apart(before)), (ax + bx) / 2, (ay + by) / 2);
      } else if (moved && this.view.zoom > 1) {
        const box = pane.getBoundingClientRect();
        pane.classList.add("panning");
        this.pan((event.clientX - before.clientX) / box.width, (event.clientY - before.clientY) / box.height);
      }
      touching.set(event.pointerId, event);
    });
    for (const end of ["pointerup", "pointercancel"]) {
      pane.addEventListener(end, (event) => {
        const ours = touching.delete(event.pointerId);
        pane.classList.remove("panning");
        if (ours && end === "pointerup" && !moved && !touching.size) this.handlers.place(...this.inPicture(event));
      });
    }
    pane.addEventListener("mousedown", (event) => event.preventDefault()); // neither selects text nor moves the focus
    pane.addEventListener("wheel", (event) => {
      if (!(event.ctrlKey || event.metaKey)) return; // the page scrolls
      event.preventDefault();
      this.zoomTo(this.view.zoom * Math.exp(-event.deltaY / (event.deltaMode ? 8 : 200)), ...this.place(event));
    }, { passive: false });
    const release = () => this.hold(false);
    at("hold").addEventListener("pointerdown", () => this.hold(true));
    for (const end of ["pointerup", "pointerleave", "pointercancel", "blur"]) at("hold").addEventListener(end, release);
    for (const [id, action] of Object.entries({ in: "closer", out: "farther" })) at(id).addEventListener("click", () => this[action]());
    at("fit").addEventListener("click", () => this.zoomTo(1));
    at("slider").addEventListener("click", () => this.setWhole(!this.whole));
  }
}
