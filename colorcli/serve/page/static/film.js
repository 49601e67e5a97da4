// A film on the page: its shots, each worked on as a photograph of one of its frames, and what the server makes of it.
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

  // Take the settings for what is kept, or for those of the film.
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
    this.references = references; // of shots that are not known yet
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

  // Ask how far the server is; true if it found more shots.
  async follow() {
    const { shots, ...told } = await (await this.request(`?after=${this.frames.length}`, { method: "GET" })).json();
    Object.assign(this, told);
    for (const shot of shots) this.frames.push(this.framed(shot));
    return shots.length > 0;
  }

  framed(shot) {
    const reference = this.references.find(({ time }) => shot.start <= time && time < shot.end);
    const kept = reference?.settings && readSettings(reference.settings);
    const frame = new Frame(this, { ...shot, time: reference?.time ?? shot.time }, kept || this.settings);
    frame.reference = reference ?? null;
    return frame;
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
