// The keys of the page; those of a control that has the focus are the control's own.
import { at } from "./elements.js";

const PAN = { ArrowLeft: [0.1, 0], ArrowRight: [-0.1, 0], ArrowUp: [0, 0.1], ArrowDown: [0, -0.1] };

// page: { stage, palette, photo(), show(step), addHint(x, y), closePalette(), travel(step) }
export function listenToKeys({ stage, palette, photo, show, addHint, closePalette, travel }) {
  const actions = {
    ArrowLeft: () => show(-1), ArrowRight: () => show(1), s: () => stage.setWhole(!stage.whole),
    h: () => addHint(0.5, 0.5), k: () => photo().film && at("keep").click(), "+": () => stage.closer(), "=": () => stage.closer(),
    "-": () => stage.farther(), 0: () => stage.zoomTo(1),
  };
  addEventListener("keydown", (event) => {
    if (at("help").open || at("film-list").open || event.altKey) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const writing = event.target.closest?.("input:not([type=range]):not([type=checkbox]), select, textarea");
    if (event.ctrlKey || event.metaKey) {
      if (!photo() || writing) return;
      if (key === "z") travel(event.shiftKey ? "redo" : "undo");
      else if (key === "y") travel("redo");
      else if (key === "s") at(photo().film ? "keep" : "download").click();
      else return;
      event.preventDefault();
      return;
    }
    if (key === "?") at("help").showModal();
    if (!photo() || writing) return;
    const ranged = event.target.closest?.("input");
    if (key === "Escape" && palette.isOpen) closePalette();
    else if (key === "b") stage.hold(true);
    else if (event.shiftKey && PAN[key]) stage.pan(...PAN[key]);
    else if (actions[key] && !(ranged && key.startsWith("Arrow"))) actions[key]();
    else return;
    event.preventDefault();
  });
  addEventListener("keyup", (event) => { if (event.key.toLowerCase() === "b") stage.hold(false); });
  addEventListener("blur", () => stage.hold(false));
}
