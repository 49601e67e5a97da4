// The strip of photographs below the stage, which is also the queue.
import { at, button, element } from "./elements.js";
import { text } from "./text.js";

export class Strip {
  // handlers: { show(index), remove(index), seen() }
  constructor(handlers) {
    this.handlers = handlers;
    this.observed = new Map(); // the items of photographs that are opened when they come into view
    this.observer = new IntersectionObserver((entries) => {
      const seen = entries.filter((entry) => entry.isIntersecting);
      for (const { target } of seen) {
        this.observer.unobserve(target);
        this.observed.get(target).visible = true;
      }
      if (seen.length) handlers.seen();
    });
  }

  draw(photos, current) {
    const inFilm = Boolean(photos[0]?.film);
    at("strip").hidden = photos.length < 2 && !inFilm;
    at("several").hidden = photos.length < 2;
    const list = at("photos");
    this.observer.disconnect();
    this.observed.clear();
    const focused = [...list.children].findIndex((item) => item.contains(document.activeElement));
    list.replaceChildren(...photos.map((photo, index) => this.item(photo, index, index === current)));
    if (focused >= 0) list.children[Math.min(focused, photos.length - 1)]?.querySelector(".photo").focus({ preventScroll: true });
    const open = photos.filter((photo) => photo.state === "waiting" || photo.state === "opening").length;
    at("queue").textContent = open && photos.length > 1 && !inFilm ? text("count", { done: photos.length - open, total: photos.length }) : "";
  }

  item(photo, index, current) {
    const states = [...(photo.state === "ready" ? [] : [text(photo.state)]), ...(photo.reference ? [text("kept")] : [])];
    const words = [photo.name, ...states].join(", ");
    const image = photo.thumbnail ? element("img", { src: photo.thumbnail, alt: "" }) : text(photo.state === "ready" ? "opening" : photo.state);
    const chosen = button({
      class: photo.state === "failed" ? "photo failed" : "photo", title: photo.name, "aria-label": words,
      "aria-current": current && "true", onclick: () => this.handlers.show(index),
    }, image, photo.reference ? element("span", { class: "badge", "aria-hidden": "true" }, "\u2713") : "");
    if (photo.film) {
      const shot = element("li", {}, chosen);
      if (!photo.visible) {
        this.observed.set(shot, photo);
        this.observer.observe(shot);
      }
      return shot;
    }
    chosen.addEventListener("keydown", (event) => {
      if (event.key === "Delete") this.handlers.remove(index);
    });
    const remove = button({
      class: "remove", "aria-label": text("remove_photo", { name: photo.name }), onclick: () => this.handlers.remove(index),
    }, "×");
    return element("li", {}, chosen, remove);
  }

  reveal(index) {
    const item = at("photos").children[index];
    if (!item) return;
    const list = at("photos"); // not scrollIntoView, which would scroll the page as well
    list.scrollTo({ left: item.offsetLeft - list.offsetLeft - (list.clientWidth - item.offsetWidth) / 2 });
  }
}
