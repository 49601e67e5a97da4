// A film on the page: its shots, each worked on as a photograph of one of its frames, and its state on the server.
import { Photo } from "./photo.js";
import { ask } from "./server.js";

const HINT = /^([\d.]+)%,([\d.]+)%=(#[\da-f]{6})(?:@([\d.]+)%)?$/;

// 3723.5 -> 1:02:03.500
export function clock(seconds) {
  const thousandths = Math.round(1000 * seconds);
  const [whole, rest] = [Math.floor(thousandths / 1000), thousandths % 1000];
  const two = (number) => String(number).padStart(2, "0");
  return `${Math.floor(whole / 3600)}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}.${String(rest).padStart(3, "0")}`;
}

export class Frame extends Photo {
  constructor(film, { start, end, time }, settings) {
    super({ name: "" }, settings);
    this.film = film;
    this.start = start;
    this.end = end;
    this.visible = false; // a film may have thousands of shots: those that are seen are opened
    this.reference = null; // what the server keeps for this shot
    this.moveTo(time);
    this.rebase();
  }

  // Show another frame of the shot.
  moveTo(time) {
    this.time = time;
    this.name = `${this.film.name} ${clock(time)}`;
    this.key = null;
    this.state = "waiting";
  }

  send() {
    return this.film.request("/frames", { json: { time: this.time } });
  }

  async open() {
    await super.open();
    this.info.tone = "gray"; // frames are always colored anew
  }

  // Show what the folder of references has for this shot by now, unless its settings were changed on the page; true if
  // that is something new.
  refer(reference) {
    const [former, changed] = [this.reference, this.changed];
    this.reference = reference;
    if (reference?.name === former?.name) return false;
    if (!changed && reference) this.begin(reference);
    return true;
  }

  // Begin with a reference: its frame, and the settings that it was colored with.
  begin({ time, settings }) {
    const kept = settings && readSettings(settings);
    if (kept) this.settings = structuredClone(kept);
    this.moveTo(time);
    this.rebase();
  }

  // Treat the settings as those of the reference, or of the film.
  rebase() {
    this.base = JSON.stringify(this.settings);
  }

  get changed() {
    return JSON.stringify(this.settings) !== this.base || (this.reference !== null && this.reference.time !== this.time);
  }

  async keep() {
    const settings = JSON.stringify(this.settings);
    const former = this.reference;
    const json = { ...this.wanted(), time: this.time };
    this.reference = await (await this.film.request("/references", { json })).json();
    this.base = settings;
    if (former?.settings && former.name !== this.reference.name) await this.film.removeReference(former);
  }

  async forgetReference() {
    await this.film.removeReference(this.reference);
    this.reference = null;
  }
}

export class Film {
  constructor({ references, ...described }, settings) {
    Object.assign(this, described);
    this.references = references;
    this.settings = settings; // of shots without a reference
    this.frames = [];
    this.complete = false;
  }

  static async list() {
    return (await ask("api/films", { method: "GET" })).json();
  }

  static async open(key, settings) {
    return new Film(await (await ask(`api/films/${key}`)).json(), settings);
  }

  // A server that was started anew has not opened the film.
  async request(action, options) {
    const path = `api/films/${this.key}`;
    try {
      return await ask(path + action, options);
    } catch (error) {
      if (error.status !== 404) throw error;
      await ask(path);
      return ask(path + action, options);
    }
  }

  // Ask the server for its progress. True if there are more shots, or others: somebody may have edited their list, or put
  // other references beside the film.
  async follow() {
    const known = new URLSearchParams({ after: this.frames.length, version: this.version });
    const { shots, first, references, ...told } = await (await this.request(`?${known}`, { method: "GET" })).json();
    Object.assign(this, told);
    this.references = references ?? this.references;
    const former = this.frames.splice(first);
    let news = former.length > shots.length;
    for (const shot of shots) {
      const same = former.find(({ start, end }) => start === shot.start && end === shot.end);
      const frame = same ?? new Frame(this, shot, this.settings);
      const reference = this.references.find(({ time }) => shot.start <= time && time < shot.end) ?? null;
      this.frames.push(frame);
      news = frame.refer(reference) || !same || news;
    }
    return news;
  }

  removeReference({ name }) {
    return this.request(`/references/${encodeURIComponent(name)}`, { method: "DELETE" });
  }

  // Settings as the server reads them
  wanted(overwrite) {
    const { model, strength, options } = this.settings;
    return { model, strength, options: options[model] ?? {}, overwrite };
  }
}

// Settings as the page has them; null if others have written hints that it cannot show.
function readSettings({ model, strength, options, seed, hints }) {
  const read = hints.map((hint) => HINT.exec(hint));
  if (!model || read.includes(null)) return null;
  const places = read.map(([, x, y, color, radius]) => ({ x: x / 100, y: y / 100, color, ...(radius && { radius: Number(radius) }) }));
  return { model, strength, options: { [model]: options }, seed, recolor: true, hints: places };
}
