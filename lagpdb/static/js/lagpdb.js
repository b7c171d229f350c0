// Behaviour that every page shares. Pages work without it; it adds the theme switch, shortcuts and copy buttons.
"use strict";
(() => {
  const root = document.documentElement;

  // --- Theme: Auto, Light, Dark -------------------------------------------------------------------------------------
  function setTheme(theme) {
    root.dataset.theme = theme;
    try {
      localStorage.setItem("lagpdb-theme", theme);
    } catch {
      // Not remembered where storage is switched off.
    }
    showTheme();
    document.dispatchEvent(new CustomEvent("lagpdb:theme"));
  }

  function showTheme() {
    for (const choice of document.querySelectorAll("[data-theme-choice]")) {
      choice.checked = choice.dataset.themeChoice === root.dataset.theme;
    }
  }

  function startThemeSwitch() {
    showTheme();
    for (const choice of document.querySelectorAll("[data-theme-choice]")) {
      choice.addEventListener("change", () => setTheme(choice.dataset.themeChoice));
    }
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      document.dispatchEvent(new CustomEvent("lagpdb:theme"));
    });
  }

  // --- Saying things to screen readers -------------------------------------------------------------------------------
  function say(text) {
    const live = document.getElementById("live");
    if (live) live.textContent = text;
  }

  // --- Copy buttons: <button data-copy="#id"> copies that element's text, <button data-copy-text="…"> its own -----------
  async function copy(button) {
    const source = button.dataset.copy ? document.querySelector(button.dataset.copy) : null;
    const text = source ? source.textContent : button.dataset.copyText;
    const words = button.dataset.words || button.textContent;
    button.dataset.words = words;
    try {
      await navigator.clipboard.writeText(text.trim());
      button.textContent = "Copied";
    } catch {
      button.textContent = "Select and copy by hand";
    }
    say(button.textContent);
    setTimeout(() => { button.textContent = words; }, 2000);
  }

  // --- Shortcuts: / for the search field, "g" then d, p, c, u, i, m for pages. Never inside a field. ----------------------
  const places = { d: "/", p: "/pellets/", c: "/cells/", u: "/upload/", i: "/inbox/", m: "/measurements/" };
  let waitsForPlace = false;

  function isTyping(target) {
    return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
  }

  function onKey(event) {
    if (isTyping(event.target) || event.ctrlKey || event.metaKey || event.altKey) return;
    if (waitsForPlace && places[event.key]) {
      location.href = places[event.key];
    } else if (event.key === "/") {
      const field = document.querySelector(".find input");
      if (field) {
        event.preventDefault();
        field.focus();
        field.select();
      }
    }
    waitsForPlace = event.key === "g";
  }

  // --- Forms: one press, one submission; the pressed button says so within the same moment --------------------------------
  function onSubmit(event) {
    const form = event.target;
    if (event.defaultPrevented || form.method !== "post" || form.hasAttribute("hx-post")) return;
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "1";
    if (event.submitter) event.submitter.classList.add("htmx-request");
    setTimeout(() => { delete form.dataset.sent; }, 4000);
  }

  document.addEventListener("DOMContentLoaded", startThemeSwitch);
  document.addEventListener("keydown", onKey);
  document.addEventListener("submit", onSubmit);
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy], [data-copy-text]");
    if (button) copy(button);
    const opener = event.target.closest("[data-opens]");
    if (opener) {
      const details = document.querySelector(opener.dataset.opens);
      if (details) {
        details.open = true;
        details.querySelector("input, select, textarea, button")?.focus();
      }
    }
  });
  // An address that names a field in folded lines leads to the field.
  const unfold = () => {
    const field = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const details = field && field.closest("details");
    if (!details) return;
    details.open = true;
    field.focus();
    field.scrollIntoView({ block: "center" });
  };
  window.addEventListener("hashchange", unfold);
  window.addEventListener("pageshow", unfold);
  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
  });
  window.lagpdb = { say };
})();
