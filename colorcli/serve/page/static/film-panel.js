// Films: choosing one, keeping frames for its shots, and having it colored.
import { alertUser, at, button, element } from "./elements.js";
import { Film, clock } from "./film.js";
import { saveBlob, copyText } from "./saving.js";
import { text } from "./text.js";

const POLL = 1000; // milliseconds between requests while the server works
const percent = (part) => Math.round(100 * part);
const active = (run) => run?.state === "waiting" || run?.state === "running";

export class FilmPanel {
  // page: { initial(), lay(frames), grown(), current(), report(error) }
  constructor(page) {
    this.page = page;
    this.film = null;
    at("keep").textContent = text("keep");
    at("replace-text").textContent = text("replace", { name: "" });
    const press = (id, action) => at(id).addEventListener("click", () => Promise.resolve(action()).catch(page.report));
    for (const id of ["films", "choose-film"]) press(id, () => this.choose());
    for (const id of ["close-film", "stop-waiting"]) press(id, () => this.leave());
    press("keep", () => this.keep());
    press("forget", () => this.forget());
    press("use-for-film", () => this.useForFilm());
    press("color-film", () => this.color());
    press("stop-film", () => this.stop());
    press("copy-film", () => this.copyCommand());
    press("download-film", () => this.download());
    at("moment").addEventListener("input", () => { at("moment-value").textContent = clock(Number(at("moment").value)); });
    addEventListener("focus", () => { if (this.film) this.follow().catch(page.report); }); // back from a spreadsheet
    at("moment").addEventListener("change", () => {
      page.current().moveTo(Number(at("moment").value));
      page.grown();
    });
  }

  // Choosing

  async choose() {
    const { folder, films, left_out: leftOut } = await Film.list();
    at("film-left-out").replaceChildren(...leftOut.map((reason) => element("p", {}, reason)));
    at("film-folder").textContent = text(films.length ? "films_in" : "no_films", { folder });
    at("film-entries").replaceChildren(...films.map((film) => element("li", {}, button(
      { class: "wide", onclick: () => { at("film-list").close(); this.open(film.key).catch(this.page.report); } },
      element("span", {}, film.name), element("span", { class: "muted small" }, this.stateOf(film)),
    ))));
    at("film-list").showModal();
  }

  stateOf({ bytes, pictures, colored, run }) {
    if (active(run)) return text(run.state === "waiting" ? "film_queued" : "film_busy");
    const size = Math.max(1, Math.round(bytes / 1e6));
    const large = bytes === null ? text("pictures", { count: pictures ?? "?" }) : text("megabytes", { size });
    return [large, ...(colored ? [text("film_colored")] : [])].join(" · ");
  }

  async open(key) {
    this.leave();
    const film = await Film.open(key, this.page.initial());
    this.film = film;
    at("replace").checked = false;
    at("film-facts").textContent = [
      film.name, ...(film.duration ? [clock(film.duration).slice(0, -4)] : []),
      text("film_facts", { width: film.width, height: film.height, rate: Math.round(1000 * film.rate) / 1000 }), ...film.remarks,
    ].join(" · ");
    this.page.lay(film.frames);
    await this.follow(film);
  }

  leave() {
    clearTimeout(this.timer);
    if (!this.film) return;
    this.film = null;
    this.page.lay(null);
  }

  // Ask the server for its progress, repeatedly while it works.
  async follow(film = this.film) {
    clearTimeout(this.timer);
    const shown = this.page.current();
    const news = await film.follow();
    if (film !== this.film) return;
    if (news) this.page.grown(shown);
    this.draw();
    if (film.problem && !film.told) alertUser(film.problem.message, film.problem.hint);
    film.told = Boolean(film.problem);
    const working = (!film.complete && !film.problem) || active(film.run);
    if (working) this.timer = setTimeout(() => this.follow(film).catch(this.page.report), POLL);
  }

  // What is on the page

  draw() {
    const { film } = this;
    for (const id of ["filming", "film-saving"]) at(id).hidden = !film?.frames.length;
    at("film-waiting").hidden = !film || film.frames.length > 0;
    at("saving").hidden = Boolean(film);
    if (!film) return;
    const looked = film.looked == null ? "" : text("looked", { percent: percent(film.looked) });
    at("film-searching").textContent = text("searching", { name: film.name, looked });
    const count = film.frames.length;
    const kept = film.frames.filter((frame) => frame.reference).length;
    at("film-shots").textContent = film.complete ? text("shots", { count, kept }) : text("shots_so_far", { count, looked });
    at("film-usual").textContent = text("film_usual", { model: film.settings.model, percent: percent(film.settings.strength) });
    this.drawFrame();
    this.drawRun();
  }

  drawFrame() {
    const frame = this.page.current();
    if (!frame?.film) return;
    const isKept = frame.reference !== null && !frame.changed;
    at("keep").textContent = text(isKept ? "kept" : "keep");
    at("keep").disabled = isKept || !frame.info;
    at("forget").disabled = !frame.reference?.settings;
    const moment = at("moment");
    Object.assign(moment, { min: frame.start, max: Math.max(frame.start, frame.end - 1 / frame.film.rate), step: "any" });
    if (document.activeElement !== moment) moment.value = frame.time;
    moment.setAttribute("aria-valuetext", clock(frame.time));
    at("moment-value").textContent = clock(frame.time);
  }

  drawRun() {
    const { run, colored, numbered } = this.film;
    at("replace-row").hidden = !colored || active(run);
    at("replace-text").textContent = text("replace", { name: colored });
    at("download-film").hidden = !colored || numbered || active(run);
    at("color-film").disabled = active(run);
    at("film-progress").hidden = !active(run);
    if (run?.total && run.frames) at("film-bar").value = run.frames / run.total;
    else at("film-bar").removeAttribute("value");
    at("film-status").className = run?.state === "failed" ? "small bad" : "small muted";
    at("film-status").textContent = run ? this.words(run) : "";
  }

  words({ state, frames, total, fps, output, remarks, problem }) {
    if (state === "failed") return `${problem.message} ${problem.hint}`;
    if (state === "done") return [text("film_done", { output }), ...remarks].join(" · ");
    if (state === "stopped") return text("film_stopped");
    if (state === "waiting") return text("film_waits");
    return frames ? text("film_running", { frames, total: total ?? "?", fps: fps ?? 0 }) : text("film_begins");
  }

  // What is done with it

  async keep(frame = this.page.current()) {
    at("keep").disabled = true;
    try {
      await frame.keep();
      at("status").textContent = text("is_kept", { name: frame.reference.name });
    } finally {
      this.page.grown();
      this.draw();
    }
  }

  async forget() {
    await this.page.current().forgetReference();
    this.page.grown();
    this.draw();
    at("status").textContent = text("is_forgotten");
  }

  // The settings of this shot become those of the film, and of all shots that have no others.
  useForFilm() {
    const { hints, seed, ...rest } = structuredClone(this.page.current().settings);
    const { film } = this;
    film.settings = { ...this.page.initial(), ...rest };
    for (const frame of film.frames) {
      if (frame.reference || (frame.changed && frame !== this.page.current())) continue;
      frame.settings = structuredClone({ ...film.settings, hints: frame.settings.hints, seed: frame.settings.seed });
      if (!frame.settings.hints.length && frame.settings.seed === null) frame.rebase();
      if (frame.state === "ready" && frame !== this.page.current()) frame.state = "waiting"; // for another thumbnail
    }
    this.page.grown();
    this.draw();
  }

  async color() {
    const { film } = this;
    at("color-film").disabled = true;
    try {
      for (const frame of film.frames.filter((each) => each.changed && each.info)) await this.keep(frame);
      await film.request("/run", { json: film.wanted(at("replace").checked) });
      at("replace").checked = false;
    } finally {
      at("color-film").disabled = false;
      await this.follow(film);
    }
  }

  async stop() {
    await this.film.request("/run", { method: "DELETE" });
    await this.follow();
  }

  async copyCommand() {
    const json = this.film.wanted(at("replace").checked);
    const { command } = await (await this.film.request("/command", { json })).json();
    await copyText(command);
  }

  async download() {
    const { film } = this;
    const response = await film.request("/file", { method: "GET" });
    saveBlob(await response.blob(), film.colored);
    alertUser(text("saved", { name: film.colored }), "", true);
  }
}
