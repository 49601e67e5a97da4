"use strict";
// Dark or light follows the system until the reader chooses; the choice is remembered where the browser allows it.
(() => {
  const root = document.documentElement;
  const key = "colorcli-theme";
  const isDark = () => (root.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const change = () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    try { localStorage.setItem(key, root.dataset.theme); } catch { /* it lasts as long as the page is open */ }
  };
  try {
    const remembered = localStorage.getItem(key);
    if (remembered) root.dataset.theme = remembered;
  } catch { /* follow the system */ }
  addEventListener("DOMContentLoaded", () => document.getElementById("theme").addEventListener("click", change));
  addEventListener("keydown", (event) => {
    const writing = event.target.closest?.("input, textarea, select");
    if (event.key === "d" && !event.ctrlKey && !event.metaKey && !event.altKey && !writing) change();
  });
})();
