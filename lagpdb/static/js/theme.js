// Runs in <head> before anything is painted: takes the remembered theme, so that the page never flashes.
"use strict";
(() => {
  const root = document.documentElement;
  root.classList.add("js");
  let theme = "auto";
  try {
    theme = localStorage.getItem("lagpdb-theme") || "auto";
  } catch {
    // Storage may be switched off; the system's theme is used then.
  }
  root.dataset.theme = ["light", "dark"].includes(theme) ? theme : "auto";
})();
