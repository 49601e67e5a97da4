// A photograph on the page: its file, its settings and their history, and its state on the server.
import { ask } from "./server.js";

export class Photo {
  constructor(file, settings) {
    this.file = file;
    this.name = file.name || "picture.png";
    this.state = "waiting"; // opening, ready, failed
    this.visible = true; // whether it is opened without being chosen
    this.info = null; // what the server found in the file
    this.problem = null; // why it failed
    this.settings = structuredClone(settings); // model, strength, options by model, seed, recolor, hints
    this.past = []; // earlier settings, as JSON
    this.future = [];
    this.thumbnail = "";
    this.key = null;
    this.opening = null;
  }

  send() {
    return ask(`api/pictures?name=${encodeURIComponent(this.name)}`, { body: this.file });
  }

  // Send the file; the server forgets pictures that others crowd out, and then gets it again.
  open() {
    this.opening ??= (async () => {
      try {
        const { key, ...info } = await (await this.send()).json();
        this.key = key;
        this.info = info;
      } finally {
        this.opening = null;
      }
    })();
    return this.opening;
  }

  async request(action, { json, method = "POST" } = {}) {
    if (this.key === null) await this.open();
    const path = () => `api/pictures/${this.key}/${action}`;
    try {
      return await ask(path(), { method, json });
    } catch (error) {
      if (error.status !== 404) throw error;
      await this.open();
      return ask(path(), { method, json });
    }
  }

  async blob(action, request) {
    return (await this.request(action, request)).blob();
  }

  forget() {
    if (this.key !== null) ask(`api/pictures/${this.key}`, { method: "DELETE" }).catch(() => {});
    if (this.thumbnail) URL.revokeObjectURL(this.thumbnail);
  }

  // Settings as the server reads them; `model` may be another than the chosen one.
  wanted(model = this.settings.model) {
    const { strength, options, seed, recolor, hints } = this.settings;
    const wanted = { model, strength, options: options[model] ?? {}, recolor };
    if (seed !== null && model === this.settings.model) wanted.seed = seed;
    if (hints.length) wanted.hints = hints.map(written);
    return wanted;
  }

  // Remember the settings as they were before a change.
  remember(before) {
    const now = JSON.stringify(this.settings);
    if (before === now) return;
    this.past.push(before);
    this.future = [];
  }

  undo() {
    return this.step(this.past, this.future);
  }

  redo() {
    return this.step(this.future, this.past);
  }

  step(from, to) {
    if (!from.length) return false;
    to.push(JSON.stringify(this.settings));
    this.settings = JSON.parse(from.pop());
    return true;
  }
}

// A hint as --hint takes it.
function written({ x, y, color, radius }) {
  const percent = (value) => `${(100 * value).toFixed(2)}%`;
  return `${percent(x)},${percent(y)}=${color}${radius ? `@${radius}%` : ""}`;
}
