// Other plausible colorings of a photograph, as thumbnails.
import { at, button, element } from "./elements.js";
import { text } from "./text.js";

const MORE = 5;
const PIXELS = 40_000;

export class Samples {
  // handlers: { choose(seed), failed(error) }
  constructor(handlers) {
    this.handlers = handlers;
    this.seeds = []; // null for the default coloring
    this.photo = null;
    this.turn = 0;
    at("show-samples").addEventListener("click", () => this.more());
  }

  // Show the thumbnails of a photograph if they were requested, with its settings.
  follow(photo) {
    if (photo !== this.photo) this.seeds = [];
    this.photo = photo;
    const { seed } = photo.settings;
    if (seed !== null && !this.seeds.includes(seed)) this.seeds = [null, ...Array(MORE).keys(), ...(seed < MORE ? [] : [seed])];
    const button_ = at("show-samples");
    button_.textContent = this.seeds.length ? button_.dataset.more : (button_.dataset.first ??= button_.textContent);
    const state = JSON.stringify([photo.wanted(), this.seeds, photo.key], (key, value) => (key === "seed" ? undefined : value));
    if (state !== this.state) this.draw();
    this.state = state;
    this.mark();
  }

  more() {
    const last = Math.max(-1, ...this.seeds.filter((seed) => seed !== null));
    const next = Array.from({ length: MORE + (this.seeds.length ? 1 : 0) }, (_, index) => last + 1 + index);
    this.seeds = [...(this.seeds.length ? this.seeds : [null]), ...next];
    this.follow(this.photo);
  }

  mark() {
    for (const [index, sample] of [...at("samples").children].entries()) {
      sample.setAttribute("aria-pressed", String(this.seeds[index] === this.photo.settings.seed));
    }
  }

  // The thumbnails of the photograph: those on the page, while they still belong to it, so that none is blank in the meantime.
  tiles() {
    const shown = JSON.stringify([this.photo.key, this.seeds]);
    if (shown === this.shown) return [...at("samples").children];
    this.shown = shown;
    for (const image of at("samples").querySelectorAll("img")) URL.revokeObjectURL(image.src);
    at("samples").replaceChildren(...this.seeds.map((seed) => {
      const label = seed === null ? text("usual") : text("sample", { number: seed + 1 });
      return button({ class: "sample", "aria-label": label, onclick: () => this.handlers.choose(seed) }, element("span", {}, seed === null ? label : seed + 1));
    }));
    return [...at("samples").children];
  }

  async draw() {
    const turn = ++this.turn;
    const { photo } = this;
    const tiles = this.tiles();
    for (const [index, seed] of this.seeds.entries()) {
      const wanted = photo.wanted();
      delete wanted.seed;
      if (seed !== null) wanted.seed = seed;
      try {
        const blob = await photo.blob(`preview?pixels=${PIXELS}`, { json: wanted });
        if (turn !== this.turn) return; // others have been requested since
        const [former] = tiles[index].getElementsByTagName("img");
        if (former) URL.revokeObjectURL(former.src);
        former?.remove();
        tiles[index].prepend(element("img", { src: URL.createObjectURL(blob), alt: "" }));
      } catch (error) {
        this.handlers.failed(error);
        return;
      }
    }
  }
}
