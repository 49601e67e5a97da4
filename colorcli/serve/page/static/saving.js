// Saving: one photograph or all of them, as files of the browser's downloads; and the command line that does the same.
import { alertUser, at, element } from "./elements.js";
import { text } from "./text.js";

const withFormat = (photo) => {
  const format = at("format").value;
  return format ? { ...photo.wanted(), format } : photo.wanted();
};

// What the server says about a file: what it could not keep.
function remarksOf(response) {
  const header = response.headers.get("Colorcli-Remarks");
  return header ? JSON.parse(decodeURIComponent(header)) : [];
}

function nameOf(response) {
  const [, name] = /filename\*=UTF-8''([^;]+)/.exec(response.headers.get("Content-Disposition"));
  return decodeURIComponent(name);
}

export function saveBlob(blob, name) {
  const url = URL.createObjectURL(blob);
  const link = element("a", { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

async function save(photo) {
  const response = await photo.request("file", { json: withFormat(photo) });
  const name = nameOf(response);
  saveBlob(await response.blob(), name);
  return { name, remarks: remarksOf(response) };
}

const sentences = (remarks) => remarks.map((remark) => `${remark[0].toUpperCase()}${remark.slice(1)}.`).join(" ");

export async function saveOne(photo) {
  at("download").disabled = true;
  try {
    const { name, remarks } = await save(photo);
    alertUser(text("saved", { name }), sentences(remarks), true);
  } catch (error) {
    alertUser(error.message, error.hint);
  } finally {
    at("download").disabled = false;
  }
}

let stopped = false;

export function stopSaving() {
  stopped = true;
}

export async function saveAll(photos) {
  stopped = false;
  at("download-all").disabled = true;
  at("progress").hidden = false;
  const total = photos.length;
  let count = 0;
  for (const [done, photo] of photos.entries()) {
    at("bar").value = done / total;
    at("status").textContent = text("saving", { done: done + 1, total });
    if (stopped) break;
    try {
      await save(photo);
      count++;
    } catch (error) {
      alertUser(`${photo.name}: ${error.message}`, error.hint);
    }
  }
  at("progress").hidden = true;
  at("download-all").disabled = false;
  at("status").textContent = "";
  alertUser(stopped ? text("stopped", { done: count, total }) : text("saved_all", { count }), "", true);
}

export async function copyCommand(photo) {
  let command = "";
  try {
    ({ command } = await (await photo.request("command", { json: withFormat(photo) })).json());
  } catch (error) {
    alertUser(error.message, error.hint);
    return;
  }
  await copyText(command);
}

export async function copyText(command) {
  try {
    await navigator.clipboard.writeText(command);
    alertUser(text("copied", { command }), "", true);
  } catch { // on other computers' pages without TLS, browsers have no clipboard
    alertUser(text("copy_failed", { command }), "");
  }
}
