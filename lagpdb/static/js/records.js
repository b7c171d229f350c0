// Forms of records. Everything here also works without it: it only makes typing faster.
"use strict";
(() => {
  const form = () => document.getElementById("record-form");

  // --- "Use 801": put the value that was meant into its field -------------------------------------------------------------
  function useSuggestion(button) {
    const name = button.value.slice(0, button.value.indexOf("="));
    const field = form()?.elements.namedItem(name);
    if (!field) return false;
    field.value = button.dataset.use;
    field.classList.remove("err");
    field.focus();
    field.dispatchEvent(new Event("input", { bubbles: true }));
    return true;
  }

  // --- Rows: Enter moves down, a pasted column fills downward ---------------------------------------------------------------
  function below(input) {
    const row = input.closest("tr");
    const suffix = input.name.slice(input.name.lastIndexOf("-"));
    let next = row?.nextElementSibling;
    while (next) {
      const found = next.querySelector(`input[name$="${suffix}"]:not([type=hidden])`);
      if (found) return found;
      next = next.nextElementSibling;
    }
    return null;
  }

  // At the foot of a column: the head of the next column of numbers, at last nothing.
  function nextColumn(input) {
    const head = input.closest("tbody").querySelector("tr");
    const columns = [...head.querySelectorAll("td.num input:not([type=hidden])")];
    const suffix = input.name.slice(input.name.lastIndexOf("-"));
    return columns[columns.findIndex((column) => column.name.endsWith(suffix)) + 1] ?? null;
  }

  function onKey(event) {
    const input = event.target;
    if (event.key !== "Enter" || input.tagName !== "INPUT") return;
    if (input.matches("[data-pick]")) {                            // in a list of pickers a scan goes on to the next line
      event.preventDefault();
      nextPick(input);
      return;
    }
    const first = input.id === "id_count" && document.querySelector("table.rows td.num input:not([type=hidden])");
    if (first) {                                                    // how many is said: on to the first row
      event.preventDefault();
      first.focus();
      return;
    }
    if (input.matches("form.record input[autocapitalize]")) {      // a scanned code ends with Enter: go on, do not save yet
      event.preventDefault();
      const fields = [...form().querySelectorAll("input:not([type=hidden]), select, textarea")];
      fields[fields.indexOf(input) + 1]?.focus();
      return;
    }
    if (!input.closest("table.rows")) return;
    event.preventDefault();
    const code = input.value.match(/^\s*pel[-_ ]?0*(\d+)\s*$/i);   // a scanned label ends with Enter
    if (code && jumpTo(code[1], input)) return;
    const isNumber = input.closest("td.num") !== null;
    const next = below(input) ?? (isNumber && nextColumn(input));
    if (next) {
      next.focus();
      next.select();
    } else {
      document.querySelector(".save-bar .btn.main")?.focus();
    }
  }

  function jumpTo(number, input) {
    const row = document.querySelector(`tr[data-row="PEL-${number.padStart(4, "0")}"]`);
    if (!row) return false;
    input.value = input.defaultValue;
    const target = [...row.querySelectorAll("input:not([type=hidden])")].find((item) => !item.value) ?? row.querySelector("input:not([type=hidden])");
    target.focus();
    row.classList.add("jumped");
    setTimeout(() => row.classList.remove("jumped"), 1500);
    return true;
  }

  function beside(input) {
    const inputs = [...input.closest("tr").querySelectorAll("input:not([type=hidden], [type=file])")];
    return inputs[inputs.indexOf(input) + 1] ?? null;
  }

  // A column of a spreadsheet fills downward; several columns fill to the right as well.
  function onPaste(event) {
    let input = event.target;
    if (input.tagName !== "INPUT" || !input.closest("table.rows")) return;
    const text = event.clipboardData.getData("text").replace(/\r\n?/g, "\n").replace(/\n+$/, "");
    const lines = text.split("\n").map((line) => line.split("\t"));
    if (lines.length < 2 && lines[0].length < 2) return;
    event.preventDefault();
    for (const cells of lines) {
      let target = input;
      for (const cell of cells) {
        if (!target) break;
        target.value = cell.trim();
        target.dispatchEvent(new Event("input", { bubbles: true }));
        target = beside(target);
      }
      input = input && below(input);
      if (!input) break;
    }
  }

  // --- The sign of a limit: chosen here or typed, it stands in the field ------------------------------------------------------
  const SIGN = /^\s*([<>]=?|[≤≥=])\s*/;

  function onQualifier(menu) {
    const input = menu.parentElement.querySelector("input");
    const bare = input.value.replace(SIGN, "");
    input.value = menu.value === "=" ? bare : `${menu.value} ${bare}`;
    input.dispatchEvent(new Event("input", { bubbles: true }));
    input.focus();
  }

  function showQualifier(menu) {
    const sign = SIGN.exec(menu.parentElement.querySelector("input").value)?.[1] ?? "=";
    menu.value = { "≤": "<", "<=": "<", "≥": ">", ">=": ">" }[sign] ?? sign;
  }

  // --- The save button says what it will do --------------------------------------------------------------------------------
  function nameSaveButton() {
    const words = document.querySelector("[data-save-words]");
    const table = document.querySelector("table.rows");
    if (!words || !table) return;
    const rows = [...table.querySelectorAll("tr[data-row]")];
    const bad = rows.filter((row) => row.querySelector("[data-bad]"));
    for (const row of rows) {
      const complaint = row.querySelector("[data-bad]");
      if (!complaint) for (const item of row.querySelectorAll(".err")) item.classList.remove("err");
    }
    const names = bad.map((row) => row.dataset.row);
    const named = names.length < 4 ? names.join(", ") : `${names.length} rows`;
    words.textContent = bad.length ? `Save ${rows.length - bad.length}, keep ${named} as draft` : "Save";
  }

  // --- Grey is from the recipe, black is changed, the arrow returns it -----------------------------------------------------
  function markRecipe(box) {
    const input = box.querySelector("input");
    const isSame = input.value.trim() === box.dataset.recipe;
    box.classList.toggle("def", isSame);
    let undo = box.querySelector(".undo");
    if (!undo) {
      undo = document.createElement("button");
      undo.type = "button";
      undo.className = "undo";
      undo.textContent = "↺";
      undo.setAttribute("aria-label", `Back to ${box.dataset.recipe} of the recipe`);
      undo.addEventListener("click", () => {
        input.value = box.dataset.recipe;
        input.dispatchEvent(new Event("input", { bubbles: true }));
        input.focus();
      });
      input.after(undo);
    }
    undo.hidden = isSame;
  }

  // --- A list of pickers: one line per scanned code -------------------------------------------------------------------------
  function addPick() {
    const list = document.getElementById("coated-rows");
    const number = Math.max(-1, ...[...list.querySelectorAll("[data-pick]")].map((item) => Number(item.name.split("-").pop()))) + 1;
    const copy = document.getElementById("coated-row").innerHTML.replaceAll("__n__", number).replaceAll("__label__", number + 1);
    list.insertAdjacentHTML("beforeend", copy);
    return list.lastElementChild.querySelector("[data-pick]");
  }

  function nextPick(input) {
    const picks = [...document.querySelectorAll("[data-pick]")];
    const next = picks.slice(picks.indexOf(input) + 1).find((item) => !item.value) ?? addPick();
    next.focus();
    input.dispatchEvent(new Event("change", { bubbles: true }));
  }

  function dropPick(button) {
    const line = button.closest("[data-pick-row]");
    const next = (line.nextElementSibling ?? line.previousElementSibling)?.querySelector("[data-pick]") ?? addPick();
    const list = line.parentElement;
    line.remove();
    list.dispatchEvent(new Event("change", { bubbles: true }));
    next.focus();
  }

  // --- Another number of pellets: other rows, with what was typed ----------------------------------------------------------
  function onCount(event) {
    const rows = document.getElementById("rows");
    const count = Number(event.target.value);
    if (!rows || !Number.isInteger(count) || count < 1 || count > 50) return;
    window.htmx.ajax("POST", "/pellets/new/rows/", { source: form(), target: "#rows", swap: "innerHTML" });
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-use]");
    if (button && useSuggestion(button)) event.preventDefault();
    const filler = event.target.closest("button[data-fill]");
    if (event.target.closest("[data-adds-pick]")) {
      event.preventDefault();
      addPick().focus();
    }
    const dropper = event.target.closest("[data-drops-pick]");
    if (dropper) dropPick(dropper);
    if (filler) document.querySelector(filler.dataset.fill).value = filler.dataset.text;
  });
  document.addEventListener("keydown", onKey);
  document.addEventListener("paste", onPaste);
  document.addEventListener("input", (event) => {
    const box = event.target.closest(".inp[data-recipe]");
    if (box) markRecipe(box);
    const menu = event.target.tagName === "INPUT" && event.target.parentElement.querySelector("select[data-qualifier]");
    if (menu) showQualifier(menu);
  });
  document.addEventListener("change", (event) => {
    if (event.target.id === "id_count") onCount(event);
    if (event.target.matches("select[data-qualifier]")) onQualifier(event.target);
  });
  // Typed on a slow connection before this was loaded: echoed, and kept as a draft, like everything that is typed later.
  function hearWhatWasTyped() {
    for (const field of form()?.querySelectorAll("input:not([type=hidden]):not([type=file]), textarea") ?? []) {
      if (field.value !== field.defaultValue) field.dispatchEvent(new Event("input", { bubbles: true }));
    }
  }

  // What is typed while other rows are on their way stays.
  let before = {};
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.target.id !== "rows") return;
    before = Object.fromEntries([...event.detail.target.querySelectorAll("input, select")].map((field) => [field.name, field.value]));
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target.id !== "rows") return;
    for (const field of event.detail.target.querySelectorAll("input:not([type=file]), select")) {
      if (field.name in before && field.value !== before[field.name]) field.value = before[field.name];
    }
  });
  document.addEventListener("htmx:afterSettle", nameSaveButton);
  document.addEventListener("DOMContentLoaded", () => {
    for (const box of document.querySelectorAll(".inp[data-recipe]")) markRecipe(box);
    for (const menu of document.querySelectorAll("select[data-qualifier]")) showQualifier(menu);
    const first = form()?.dataset.firstProblem;
    const target = (first && document.getElementById(first)) || document.querySelector("table.rows .err input");
    if (target) target.focus();
    nameSaveButton();
    setTimeout(hearWhatWasTyped);
  });
})();
