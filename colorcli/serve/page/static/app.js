// The page: photographs, the one that is shown, and what happens when something is pressed.
import { alertUser, at, button, element } from "./elements.js";
import { FilmPanel } from "./film-panel.js";
import { isFilm, receiveFiles } from "./files.js";
import { listenToKeys } from "./keys.js";
import { Palette } from "./palette.js";
import { Panel } from "./panel.js";
import { Photo } from "./photo.js";
import { Samples } from "./samples.js";
import { copyCommand, saveAll, saveOne, stopSaving } from "./saving.js";
import { oneAtATime } from "./server.js";
import { Stage } from "./stage.js";
import { Strip } from "./strip.js";
import { text } from "./text.js";

const PREVIEWS = [125_000, 250_000, 500_000, 1_000_000, 2_000_000]; // pixels: the fewer, the quicker a change is seen
const THUMBNAIL = 30_000;
const RADIUS = 1; // percent of the longer side
const maxBytes = Number(document.body.dataset.maxBytes);

const album = []; // photographs
let photos = album; // or the shots of a film
let current = -1;
let before = null; // settings of the current photograph before a change, as JSON
let open = -1; // the hint whose palette is open
let fresh = null; // a place that was clicked and has no color yet
let failing = ""; // the last message about a preview, so that it is not repeated

const photo = () => photos[current];
const report = (error) => alertUser(error.message, error.hint);

const models = JSON.parse(at("models").textContent);
const initial = () => ({ model: models[0].name, strength: 1, options: {}, seed: null, recolor: true, hints: [] });

const stage = new Stage({
  place: (x, y) => (palette.isOpen && !fresh ? closePalette() : addHint(x, y)),
  open: openHint,
  move: (index, x, y) => {
    if (index >= photo().settings.hints.length) Object.assign(fresh, { x, y });
    else change((settings) => Object.assign(settings.hints[index], { x, y }), { marks: false });
    if (palette.isOpen) palette.position(stage, marked()[index]);
  },
  zoomed: () => preview(),
  moved: () => { commit(); drawMarks(); if (open >= 0) fillPalette(); },
  remove: removeHint,
});
const panel = new Panel(models, { change: (apply) => change(apply), commit });
const strip = new Strip({ show, remove: removePhoto, seen: () => openAll() });
const samples = new Samples({ choose: (seed) => { change((settings) => { settings.seed = seed; }); commit(); }, failed: report });
const filmPanel = new FilmPanel({ initial, lay, grown, current: photo, report });
const palette = new Palette({
  choose: (color, final) => chooseColor(color, final),
  size: (radius) => { if (!fresh) change((settings) => { settings.hints[open].radius = radius; }); },
  done: commit,
  remove: () => removeHint(open),
  close: closePalette,
});

// Photographs

async function add(files) {
  if (files.some((file) => !isFilm(file))) filmPanel.leave();
  const begin = photos.length;
  for (const file of files) {
    if (isFilm(file)) alertUser(text("is_film", { name: file.name }), at("films").hidden ? text("films_hint") : text("films_folder"));
    else if (file.size > maxBytes) alertUser(text("too_large", { name: file.name, size: maxBytes / 1e6 }));
    else photos.push(new Photo(file, photo()?.settings ? { ...photo().settings, seed: null, hints: [] } : initial()));
  }
  if (photos.length === begin || photos !== album) return;
  at("empty").hidden = true;
  at("work").hidden = false;
  if (current < 0 || begin > 0) show(begin);
  else strip.draw(photos, current);
  openAll();
}

const openAll = oneAtATime(async () => {
  const wanted = (each) => each?.state === "waiting" && (each.visible || each === photo());
  for (let next; (next = [photo(), ...photos].find(wanted));) {
    next.state = "opening";
    strip.draw(photos, current);
    try {
      if (next.key === null) await next.open();
      next.state = "ready";
      if (next === photo()) showOpened();
      await drawThumbnail(next);
    } catch (error) {
      next.state = "failed";
      next.problem = error;
      report(error);
    }
    if (next === photo() && next.state === "failed") showOpened();
    strip.draw(photos, current);
  }
});

async function drawThumbnail(which) {
  const blob = await which.blob(`preview?pixels=${THUMBNAIL}`, { json: which.wanted() });
  if (which.thumbnail) URL.revokeObjectURL(which.thumbnail);
  which.thumbnail = URL.createObjectURL(blob);
}

function show(index) {
  if (current >= 0) closePalette();
  current = Math.min(Math.max(index, 0), photos.length - 1);
  failing = "";
  before = JSON.stringify(photo().settings);
  at("name").textContent = photo().name;
  at("name").title = photo().name;
  at("status").textContent = "";
  stage.clear();
  for (const side of ["left", "right"]) delete shown[side];
  strip.draw(photos, current);
  strip.reveal(current);
  showOpened();
  openAll();
}

// Draw what is known of the photograph by now.
function showOpened() {
  const { info, problem, settings } = photo();
  at("facts").textContent = problem ? text("failed") : info ? facts(info) : text("opening");
  at("problem").textContent = problem ? `${problem.message} ${problem.hint}` : "";
  at("problem").hidden = !problem;
  at("window").hidden = Boolean(problem);
  for (const id of ["download", "copy", "add-hint", "show-samples"]) at(id).disabled = !info;
  stage.busy(!info && !problem);
  filmPanel.drawFrame();
  panel.show(settings, info);
  if (!info) return;
  stage.resize(info.width, info.height);
  drawAll();
}

// Show the shots of a film instead of the photographs, or the photographs again.
function lay(frames) {
  if (current >= 0) closePalette();
  photos = frames ?? album;
  current = -1;
  at("work").hidden = !photos.length;
  at("empty").hidden = frames !== null || photos.length > 0;
  if (photos.length) show(0);
  filmPanel.draw();
}

// Draw shots that were found, or that are opened anew; `shown` stays in view if it is still there.
function grown(shown = photo()) {
  const place = photos.indexOf(shown);
  if (place < 0) { // also if its shot was edited away, with its hints
    [current, open, fresh] = [-1, -1, null];
    palette.close();
  } else current = place;
  if (place < 0 || shown.state === "waiting") {
    at("work").hidden = false;
    show(Math.max(place, 0));
  }
  strip.draw(photos, current);
  strip.draw(photos, current);
  openAll();
}

function facts({ width, height, format, bits, pages, tone, remarks }) {
  const words = [text("facts", { width, height, format, bits })];
  if (pages > 1) words.push(text("pages", { pages }));
  if (tone === "tinted") words.push(text("tinted"));
  return [...words, ...remarks].join(" · ");
}

function removePhoto(index) {
  const [removed] = photos.splice(index, 1);
  removed.forget();
  at("status").textContent = text("removed_photo", { name: removed.name });
  if (!photos.length) {
    current = -1;
    at("work").hidden = true;
    at("empty").hidden = false;
  } else if (index === current) {
    current = -1;
    show(Math.min(index, photos.length - 1));
  } else {
    if (index < current) current--;
    strip.draw(photos, current);
  }
}

// Settings

function change(apply, { marks = true } = {}) {
  if (current < 0) return;
  apply(photo().settings);
  drawAll(marks);
}

// End a change: it can be undone from now on.
function commit() {
  if (current < 0) return;
  photo().remember(before);
  const now = JSON.stringify(photo().settings);
  if (now === before) return;
  before = now;
  drawButtons();
  filmPanel.drawFrame();
  redrawThumbnail(photo());
}

const redrawThumbnail = oneAtATime(async (which) => {
  if (which.state !== "ready" || (photos.length < 2 && !which.film)) return;
  await drawThumbnail(which).catch(report);
  strip.draw(photos, current);
});

function travel(step) {
  if (current < 0) return;
  if (palette.isOpen) closePalette();
  if (!photo()[step]()) return;
  before = JSON.stringify(photo().settings);
  at("status").textContent = text(step === "undo" ? "undone" : "redone");
  drawAll();
  filmPanel.drawFrame();
  redrawThumbnail(photo());
}

function drawButtons() {
  at("undo").disabled = !photo().past.length;
  at("redo").disabled = !photo().future.length;
}

function drawAll(marks = true) {
  const { settings, info } = photo();
  panel.show(settings, info);
  drawButtons();
  if (marks) drawMarks();
  if (!info) return;
  stage.tag(at("compare").value || text("original"), settings.model);
  preview();
  if (panel.models.get(settings.model).samples) samples.follow(photo());
}

// The two versions on the stage

const shown = {}; // what each side shows

const preview = oneAtATime(async () => {
  const which = photo();
  if (!which?.info) return;
  const began = performance.now();
  let changed = false;
  const { model } = which.settings;
  const pixels = PREVIEWS.find((each) => each >= stage.pixels()) ?? PREVIEWS.at(-1);
  const other = at("compare").value;
  const left = other ? { action: "preview", json: which.wanted(other) } : { action: "original", method: "GET" };
  const right = { action: "preview", json: which.wanted() };
  const busy = setTimeout(() => { stage.busy(true); at("status").textContent = text("coloring"); }, 250);
  try {
    for (const [side, { action, ...request }] of Object.entries({ right, left })) {
      const state = JSON.stringify([which.name, photos.indexOf(which), action, request]);
      if (shown[side]?.state === state && shown[side].pixels >= pixels) continue;
      const blob = await which.blob(`${action}?pixels=${pixels}`, request);
      if (which !== photo()) return;
      const url = URL.createObjectURL(blob);
      const words = action === "original" ? text("alt_original", which) : text("alt_colored", { name: which.name, model: side === "right" ? model : other });
      await stage.show(side, url, words);
      URL.revokeObjectURL(url);
      shown[side] = { state, pixels };
      changed = true;
    }
    const seconds = ((performance.now() - began) / 1000).toFixed(2);
    if (changed || at("status").textContent === text("coloring")) at("status").textContent = text("colored", { model, seconds });
    failing = "";
  } catch (error) {
    if (error.message !== failing) report(error);
    failing = error.message;
    at("status").textContent = "";
  } finally {
    clearTimeout(busy);
    stage.busy(false);
  }
});

// Hints

const marked = () => (fresh ? [...photo().settings.hints, fresh] : photo().settings.hints);

function drawMarks() {
  stage.mark(marked(), open);
  drawHintList();
}

function addHint(x, y) {
  if (current < 0 || !photo().info) return;
  fresh = { x, y, color: "" };
  openHint(photo().settings.hints.length);
}

function openHint(index) {
  if (fresh && index < photo().settings.hints.length) fresh = null;
  open = index;
  drawMarks();
  palette.open(stage, marked()[index], marked()[index].radius ?? RADIUS);
  fillPalette();
}

async function fillPalette() {
  const [which, index] = [photo(), open];
  const { x, y } = marked()[index];
  const json = { ...which.wanted(), x, y };
  try {
    const found = await (await which.request("palette", { json })).json();
    if (which === photo() && index === open) palette.fill({ ...found, model: which.settings.model }, marked()[index]?.color);
  } catch (error) {
    report(error);
  }
}

function chooseColor(color, final) {
  if (open < 0) return;
  if (fresh) {
    const hint = { x: fresh.x, y: fresh.y, color, radius: Number(at("radius").value) };
    fresh = null;
    change((settings) => { settings.hints.push(hint); });
    at("status").textContent = text("hint_added", { number: photo().settings.hints.length, color });
  } else {
    change((settings) => { settings.hints[open].color = color; });
  }
  palette.mark(color);
  if (final) commit();
}

function closePalette() {
  const index = open;
  commit();
  [open, fresh] = [-1, null];
  palette.close();
  drawMarks();
  at("marks").children[index]?.focus({ preventScroll: true });
}

function removeHint(index) {
  const isNew = index >= photo().settings.hints.length;
  if (!isNew) change((settings) => { settings.hints.splice(index, 1); });
  [open, fresh] = [-1, null];
  closePalette();
  if (!isNew) at("status").textContent = text("hint_removed");
}

function drawHintList() {
  const { hints } = photo().settings;
  at("clear-hints").hidden = !hints.length;
  at("hint-list").replaceChildren(...hints.map((hint, index) => hintItem(hint, index)));
}

function hintItem(hint, index) {
  const words = text("hint", { number: index + 1, color: hint.color, x: Math.round(100 * hint.x), y: Math.round(100 * hint.y) });
  return element("li", {},
    button({ "aria-label": words, onclick: () => openHint(index) }, element("i", { "--color": hint.color }), hint.color),
    button({ "aria-label": text("hint_remove", { number: index + 1 }), onclick: () => removeHint(index) }, "×"));
}

// Buttons

const press = (id, action) => at(id).addEventListener("click", action);
press("undo", () => travel("undo"));
press("redo", () => travel("redo"));
press("keys", () => at("help").showModal());
press("add-hint", () => addHint(0.5, 0.5));
press("clear-hints", () => { change((settings) => { settings.hints = []; }); commit(); });
press("reset", () => {
  change((settings) => Object.assign(settings, { strength: 1, seed: null, options: {} }));
  commit();
  at("status").textContent = text("reset");
});
press("download", () => saveOne(photo()));
press("copy", () => copyCommand(photo()));
press("download-all", () => saveAll(photos.filter((each) => each.state !== "failed")));
press("stop", stopSaving);
press("apply-all", async () => {
  const { hints, ...rest } = photo().settings;
  for (const each of photos) {
    if (each === photo()) continue;
    const earlier = JSON.stringify(each.settings);
    Object.assign(each.settings, structuredClone(rest));
    each.remember(earlier);
  }
  alertUser(text("applied", { count: photos.length }), "", true);
  for (const each of photos) {
    if (each.state !== "ready") continue;
    await drawThumbnail(each).catch(report);
    strip.draw(photos, current);
  }
});
at("compare").addEventListener("change", () => drawAll());

listenToKeys({ stage, palette, photo, show: (step) => show(current + step), addHint, closePalette, travel });
addEventListener("resize", () => { preview(); if (palette.isOpen) palette.position(stage, marked()[open]); });

receiveFiles(add);
