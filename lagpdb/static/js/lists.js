// Lists: a selection that stays over pages, and the column chooser. Without it the boxes of one page still work.
"use strict";
(() => {
  const table = document.querySelector("table.records[data-list]");
  const bar = document.getElementById("selection");

  // --- Columns: the boxes write the names that the address carries -----------------------------------------------------------
  document.querySelectorAll("form[data-columns]").forEach((form) => {
    const text = form.querySelector("input[name=columns]");
    form.addEventListener("change", (event) => {
      if (event.target.type !== "checkbox") return;
      text.value = [...form.querySelectorAll("input[type=checkbox]:checked")].map((box) => box.value).join(",");
    });
  });

  if (!table || !bar) return;

  // --- Selection --------------------------------------------------------------------------------------------------------------
  const key = `selection:${table.dataset.list}`;
  const page = document.getElementById("pick-page");
  const boxes = () => [...table.querySelectorAll("input[name=codes]")];
  const read = () => {
    try { return new Set(JSON.parse(sessionStorage.getItem(key) || "[]")); } catch { return new Set(); }
  };
  let chosen = read();

  function keep() {
    try { sessionStorage.setItem(key, JSON.stringify([...chosen])); } catch { /* a full store only forgets the selection */ }
    show();
  }

  function show() {
    const own = boxes();
    own.forEach((box) => { box.checked = chosen.has(box.value); box.closest("tr").classList.toggle("picked-row", box.checked); });
    const here = own.filter((box) => box.checked).length;
    page.checked = own.length > 0 && here === own.length;
    page.indeterminate = here > 0 && here < own.length;
    bar.classList.toggle("has-picked", chosen.size > 0);
    const elsewhere = chosen.size - here;
    bar.querySelector(".picked").textContent = chosen.size ? `${chosen.size} selected${elsewhere ? `, ${elsewhere} on other pages` : ""}` : "";
    bar.querySelector("[data-pick=none]").hidden = !chosen.size;
    bar.querySelector("[data-pick=all]").hidden = !chosen.size || chosen.size >= Number(bar.dataset.total);
  }

  page.hidden = false;
  page.addEventListener("change", () => {
    boxes().forEach((box) => (page.checked ? chosen.add(box.value) : chosen.delete(box.value)));
    keep();
  });
  let last = null;
  table.addEventListener("click", (event) => {
    const box = event.target.closest("input[name=codes]");
    if (!box) return;
    const own = boxes();
    if (event.shiftKey && last) {                                    // from the last one to this one
      const [from, to] = [own.indexOf(last), own.indexOf(box)].sort((a, b) => a - b);
      own.slice(from, to + 1).forEach((item) => (box.checked ? chosen.add(item.value) : chosen.delete(item.value)));
    } else if (box.checked) chosen.add(box.value);
    else chosen.delete(box.value);
    last = box;
    keep();
  });
  bar.querySelector("[data-pick=none]").addEventListener("click", () => { chosen = new Set(); keep(); });
  bar.querySelector("[data-pick=all]").addEventListener("click", async (event) => {
    const address = new URL(location.href);
    address.searchParams.delete("page");
    address.searchParams.set("format", "codes");
    event.target.disabled = true;
    try {
      const answer = await fetch(address, { headers: { Accept: "application/json" } });
      if (answer.ok) { chosen = new Set((await answer.json()).codes); keep(); }
    } finally { event.target.disabled = false; }
  });
  bar.addEventListener("submit", () => {                             // those of other pages go along
    bar.querySelectorAll("input[type=hidden][name=codes]").forEach((item) => item.remove());
    const here = new Set(boxes().filter((box) => box.checked).map((box) => box.value));
    for (const code of chosen) {
      if (here.has(code)) continue;
      const item = document.createElement("input");
      Object.assign(item, { type: "hidden", name: "codes", value: code });
      bar.append(item);
    }
  });
  window.addEventListener("pageshow", () => { chosen = read(); show(); });
  show();
})();
