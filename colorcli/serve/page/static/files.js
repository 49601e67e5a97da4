// Files that are chosen, pasted or dropped.
import { at } from "./elements.js";

const PICTURE = /\.(jpe?g|jpe|jfif|a?png|tiff?|webp|bmp|dib|gif|avifs?|hei[cf]|hif)$/i;

const FILM = /\.(mp4|m4v|mov|mkv|webm|avi|mxf|mpe?g|m2ts|mts|wmv|flv|ogv|3gp|vob|dv)$/i;

export const isFilm = (file) => file.type.startsWith("video/") || FILM.test(file.name);

// Pass every file to `add`, one list at a time.
export function receiveFiles(add) {
  at("files").addEventListener("change", () => { add([...at("files").files]); at("files").value = ""; });
  addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length) add(files);
  });

  const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
  addEventListener("dragover", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    at("drop").hidden = false;
  });
  addEventListener("dragleave", (event) => { if (!event.relatedTarget) at("drop").hidden = true; });
  addEventListener("drop", async (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    at("drop").hidden = true;
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
    if (!entries.some((entry) => entry.isDirectory)) return add([...event.dataTransfer.files]);
    add((await Promise.all(entries.map((entry) => filesIn(entry)))).flat());
  });
}

// The files of a dropped folder; files that are not pictures are left out, unless they were dropped themselves.
async function filesIn(entry, inside = false) {
  if (entry.isFile) {
    if (inside && !PICTURE.test(entry.name)) return [];
    return [await new Promise((resolve, reject) => entry.file(resolve, reject))];
  }
  const reader = entry.createReader();
  const found = [];
  for (let batch; (batch = await new Promise((resolve, reject) => reader.readEntries(resolve, reject))).length;) {
    for (const each of batch) found.push(...(await filesIn(each, true)));
  }
  return found.sort((one, other) => one.name.localeCompare(other.name, undefined, { numeric: true }));
}
