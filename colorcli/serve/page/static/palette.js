// The palette of a place: the colors that are likely there, any other color, and the size of the hint.
import { at, button } from "./elements.js";
import { text } from "./text.js";

const GAP = 22; // pixels between a mark and the palette

export class Palette {
  // handlers: { choose(color), size(radius), done(), remove(), close() }
  constructor(handlers) {
    this.handlers = handlers;
    this.box = at("palette");
    at("other").addEventListener("input", () => handlers.choose(at("other").value, false));
    at("other").addEventListener("change", () => handlers.done());
    at("radius").addEventListener("input", () => handlers.size(Number(at("radius").value)));
    at("radius").addEventListener("change", () => handlers.done());
    at("remove-hint").addEventListener("click", () => handlers.remove());
    at("close-palette").addEventListener("click", () => handlers.close());
    this.box.addEventListener("keydown", (event) => {
      if (event.key === "Escape") handlers.close();
      event.stopPropagation(); // keys of the page do not apply to the palette
    });
    for (const name of ["pointerdown", "mousedown"]) this.box.addEventListener(name, (event) => event.stopPropagation());
  }

  get isOpen() { return !this.box.hidden; }

  open(stage, hint, radius) {
    this.box.hidden = false;
    at("swatches").replaceChildren();
    at("radius").value = radius;
    if (hint.color) at("other").value = hint.color;
    this.position(stage, hint);
  }

  // Beside the mark, inside the stage
  position(stage, { x, y }) {
    const [left, top] = stage.onStage(x, y);
    const outer = at("stage").getBoundingClientRect();
    const { width, height } = this.box.getBoundingClientRect();
    const beside = left + GAP + width <= outer.width ? left + GAP : left - GAP - width;
    this.box.style.left = `${Math.max(0, beside)}px`;
    this.box.style.top = `${Math.min(Math.max(0, top - height / 2), Math.max(0, outer.height - height))}px`;
  }

  fill({ colors, source, model }, chosen) {
    at("palette-source").textContent = text(source === "model" ? "from_model" : "from_picture", { model });
    at("swatches").replaceChildren(...colors.map(({ color, share }) => {
      const label = share == null ? text("swatch_plain", { color }) : text("swatch", { color, share: Math.round(100 * share) });
      return button({
        class: "swatch", "aria-label": label, title: label, "--color": color, "aria-pressed": String(color === chosen), "data-color": color,
        onclick: () => this.handlers.choose(color, true),
      });
    }));
    if (this.box.contains(document.activeElement) || document.activeElement === document.body) at("swatches").firstChild?.focus();
  }

  mark(chosen) {
    for (const swatch of at("swatches").children) swatch.setAttribute("aria-pressed", String(swatch.dataset.color === chosen));
    if (chosen) at("other").value = chosen;
  }

  close() { this.box.hidden = true; }
}
