// Making elements. Texts are set as text, never as HTML: names of files may be anything.
import { text } from "./text.js";

export const at = (id) => document.getElementById(id);

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key.startsWith("--")) made.style.setProperty(key, value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value != null) made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

export const button = (attributes, ...children) => element("button", { type: "button", ...attributes }, ...children);

// Show a message until it is dismissed; a note goes by itself.
export function alertUser(message, hint = "", note = false) {
  const close = button({ "aria-label": text("dismiss"), onclick: () => box.remove() }, "×");
  const words = element("div", {}, element("p", {}, message));
  if (hint) words.append(element("p", { class: "muted small" }, hint));
  const box = element("div", { class: note ? "alert note" : "alert" }, words, close);
  at("alerts").append(box);
  while (at("alerts").children.length > 4) at("alerts").firstChild.remove();
  if (note) setTimeout(() => box.remove(), 6000);
}
