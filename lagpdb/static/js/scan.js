// Hand scanners type like a keyboard, only faster, and end with Enter. A code that comes that way is caught on any page:
// in a field for codes it goes there; where codes are collected it joins them; elsewhere it opens its record. Slow typing
// is never touched. Fields for codes: [data-picker], [data-codes], those with a list of codes, those of forms of records.
"use strict";
(() => {
  const MEAN_GAP_MS = 50;      // eight letters at 50 ms are 240 words a minute: no hand types that
  const LONGEST_GAP_MS = 250;
  const BURST_MS = 60;         // from the second letter on, shortcuts of the page stay quiet
  const KEPT = 10;
  const STORE = "lagpdb-scans";
  // The end of what was typed: a code alone, or of an address. A keyboard of another country may bend its signs.
  const CODE = /(?:^|[^a-z0-9])(LOT|PBT|PEL|SPT|WIT|FLM|CNV|ELD|CEL|MEA|UPB|RCP)[^a-z0-9]?0*([0-9]{1,12})$/i;
  const PICKERS = "[data-picker], [data-codes], .picks input, form.record input[autocapitalize]";

  let letters = "";
  let times = [];
  let before = null;           // what stood in the field: { field, value }
  let isTouched = false;       // whether somebody has typed into a form of this page

  function codeIn(text) {
    const match = text.trim().match(CODE);
    if (!match) return "";
    const prefix = match[1].toUpperCase();
    return `${prefix}-${match[2].padStart(prefix === "MEA" ? 5 : 4, "0")}`;
  }

  function forget() {
    letters = "";
    times = [];
    before = null;
  }

  function isFast(end) {
    const all = [...times, end];
    const gaps = all.slice(1).map((time, number) => time - all[number]);
    return gaps.length > 4 && Math.max(...gaps) <= LONGEST_GAP_MS && gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length <= MEAN_GAP_MS;
  }

  const isField = (target) => target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement;

  function write(field, value) {
    field.value = value;
    field.dispatchEvent(new Event("input", { bubbles: true }));
    field.dispatchEvent(new Event("change", { bubbles: true }));
  }

  function isPicker(field) {
    if (field.matches(PICKERS)) return true;
    const options = field.list?.options ?? [];
    return options.length > 0 && [...options].slice(0, 3).some((option) => codeIn(option.value));
  }

  // --- Where a code goes --------------------------------------------------------------------------------------------------
  function fill(field, code, stood) {
    if (field.tagName === "TEXTAREA") {
      const lines = stood.split(/\s*\n\s*/).filter(Boolean);
      write(field, lines.includes(code) ? stood : [...lines, code].join("\n"));
    } else if (field.matches("[data-codes]")) {
      const codes = stood.split(/[\s,;]+/).filter(Boolean);
      write(field, `${[...codes.filter((each) => each.toUpperCase() !== code), code].join(" ")} `);
    } else {
      write(field, code);
    }
  }

  // A list of pickers without focus: its first empty line, or a new one.
  function join(code) {
    const list = document.querySelector(".picks, [data-picker-list]");
    if (list) {
      const fields = () => [...list.querySelectorAll("input:not([type=hidden], [type=checkbox], [type=radio])")].filter(isPicker);
      const empty = () => fields().find((input) => !input.value);
      if (fields().some((input) => codeIn(input.value) === code)) return true;
      if (!empty()) document.querySelector("[data-adds-pick], [data-adds-row]")?.click();
      const field = empty();
      if (!field) return false;
      write(field, code);
      field.focus();
      return true;
    }
    const field = document.querySelector("textarea[data-picker], input[data-codes]");
    if (!field) return false;
    fill(field, code, field.value);
    return true;
  }

  function keep(code) {
    try {
      const kept = JSON.parse(localStorage.getItem(STORE) || "[]").filter((each) => each.code !== code);
      localStorage.setItem(STORE, JSON.stringify([{ code, at: new Date().toISOString() }, ...kept].slice(0, KEPT)));
    } catch {
      // Not remembered where storage is switched off.
    }
  }

  function open(code) {
    keep(code);
    const address = `/s/${code}`;
    if (!isTouched) {
      location.href = address;
      return;
    }
    // Somebody is in the middle of a form: say it, and leave the page to them.
    const box = document.createElement("div");
    box.className = "msg info gap";
    box.id = "scanned";
    const words = document.createElement("div");
    const link = document.createElement("a");
    link.href = address;
    link.textContent = `Open ${code}`;
    words.append(`${code} was scanned. This page has entries that are not saved. `, link);
    box.append(words);
    document.getElementById("scanned")?.remove();
    document.getElementById("main").prepend(box);
    window.lagpdb.say(`${code} was scanned.`);
  }

  // --- Listening ----------------------------------------------------------------------------------------------------------
  function caught(event, code) {
    const field = isField(event.target) ? event.target : null;
    const stood = before && before.field === field ? before.value : "";
    if (field?.closest("table.rows") && document.querySelector(`tr[data-row="${code}"]`)) {
      // The rows jump to their pellet; what had been typed into the field before stays there.
      field.value = code;
      setTimeout(() => write(field, stood));
      keep(code);
      return;
    }
    const list = field?.closest(".picks, [data-picker-list]");
    if (field && isPicker(field) && !(list && stood)) {
      // The page knows what to do with a code and Enter in its own fields; it only gets the code in its usual form.
      fill(field, code, stood);
      keep(code);
      window.lagpdb.say(`${code} scanned`);
      if (field.tagName === "TEXTAREA" || field.matches("[data-picker]")) event.preventDefault();
      return;
    }
    event.preventDefault();
    event.stopImmediatePropagation();
    if (field) write(field, stood);
    if (join(code)) {
      keep(code);
      window.lagpdb.say(`${code} added`);
    } else {
      open(code);
    }
  }

  function onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.repeat) {
      forget();
      return;
    }
    if (event.key === "Enter") {
      const code = isFast(event.timeStamp) ? codeIn(letters) : "";
      if (code) caught(event, code);
      forget();
      return;
    }
    if (event.key.length !== 1) {
      if (event.key !== "Shift" && event.key !== "CapsLock") forget();
      return;
    }
    const gap = times.length ? event.timeStamp - times[times.length - 1] : Infinity;
    if (gap > LONGEST_GAP_MS) forget();
    if (!letters) before = isField(event.target) ? { field: event.target, value: event.target.value } : null;
    letters += event.key;
    times.push(event.timeStamp);
    if (gap <= BURST_MS && !isField(event.target) && event.target.tagName !== "SELECT") {
      event.preventDefault();
      event.stopImmediatePropagation();
    }
  }

  document.addEventListener("keydown", onKey, { capture: true });
  document.addEventListener("input", (event) => {
    if (event.isTrusted && event.target.closest("form[method=post]")) isTouched = true;
  });
  document.addEventListener("submit", () => { isTouched = false; });
  window.addEventListener("pageshow", () => { isTouched = false; });
  window.lagpdbScan = { codeIn, keep, STORE };
})();
