// Requests to the server.
import { text } from "./text.js";

const token = new URLSearchParams(location.search).get("token") ?? "";
const ATTEMPTS = 5;

export class ServerError extends Error {
  constructor(status, message, hint = "") {
    super(message);
    this.status = status;
    this.hint = hint;
  }
}

const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, 1000 * seconds));

// Send a request, again if the server is busy; throws a ServerError that says why it was refused.
export async function ask(path, { method = "POST", json, body } = {}, attempt = 1) {
  const headers = { Authorization: `Bearer ${token}` };
  if (json !== undefined) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(path, { method, headers, body: json === undefined ? body : JSON.stringify(json) });
  } catch {
    throw new ServerError(0, text("unreachable"), text("unreachable_hint"));
  }
  if (response.ok) return response;
  if (response.status === 503 && response.headers.has("Retry-After") && attempt < ATTEMPTS) {
    await pause(Number(response.headers.get("Retry-After")) * attempt);
    return ask(path, { method, json, body }, attempt + 1);
  }
  const { error } = await response.json().catch(() => ({}));
  throw new ServerError(response.status, error?.message ?? response.statusText, error?.hint);
}

// Let work run once at a time: while it runs, only the last of further calls is remembered.
export function oneAtATime(work) {
  let running = false;
  let wanted = null;
  return async (...call) => {
    wanted = call;
    if (running) return;
    running = true;
    try {
      while (wanted) {
        const now = wanted;
        wanted = null;
        await work(...now);
      }
    } finally {
      running = false;
    }
  };
}
