// Nothing typed is lost: drafts on the server and in the browser, and signing in over the form when the session ended.
"use strict";
(() => {
  const form = document.getElementById("record-form");
  if (!form) return;

  const EVERY_MS = 3000;
  const page = location.pathname;
  const keyField = form.querySelector("input[name=form_key]");
  const versionField = form.querySelector("input[name=version]");
  const key = () => (keyField ? keyField.value : "record");
  const local = () => `draft:${page}:${key()}`;
  const title = document.querySelector("h1")?.textContent.trim().replace(/\s+/g, " ") ?? page;
  const LEFT_OUT = new Set(["csrfmiddlewaretoken", "draft", "confirm", "form_key"]);

  let initial = "";
  let sent = "";
  let isSending = false;
  let isLeaving = false;
  let draftId = null;

  // --- What stands in the form ---------------------------------------------------------------------------------------------
  function typed() {
    const data = {};
    for (const [name, value] of new FormData(form)) {
      if (LEFT_OUT.has(name) || typeof value !== "string") continue;
      (data[name] ??= []).push(value);
    }
    return data;
  }

  function fill(data) {
    for (const [name, values] of Object.entries(data)) {
      const items = [...form.elements].filter((item) => item.name === name && item.type !== "file");
      const boxes = items.filter((item) => item.type === "checkbox" || item.type === "radio");
      boxes.forEach((item) => { item.checked = values.includes(item.value); });
      const texts = items.filter((item) => !boxes.includes(item) && item.type !== "hidden" && item.type !== "submit");
      texts.forEach((item, place) => {
        if (item instanceof HTMLSelectElement && item.multiple) {
          [...item.options].forEach((option) => { option.selected = values.includes(option.value); });
        } else if (values[place] !== undefined) item.value = values[place];
      });
      [...boxes.filter((item) => item.checked), ...texts].forEach((item) => {
        item.dispatchEvent(new Event("input", { bubbles: true }));
        item.dispatchEvent(new Event("change", { bubbles: true }));
      });
    }
    // Boxes that were not ticked are not in the data.
    for (const item of form.elements) {
      if (item.type === "checkbox" && item.name && !(item.name in data) && !LEFT_OUT.has(item.name)) item.checked = false;
    }
  }

  // --- The line that says what is kept -------------------------------------------------------------------------------------
  const line = document.createElement("p");
  line.className = "draft-line small muted";
  line.setAttribute("role", "status");
  (form.querySelector(".save-bar") ?? form).append(line);
  const say = (text, isBad = false) => {
    line.textContent = text;
    line.classList.toggle("warned", isBad);
  };

  function keepHere(text) {
    try { localStorage.setItem(local(), JSON.stringify({ at: Date.now(), data: JSON.parse(text) })); } catch { /* the server has it */ }
  }

  function forgetHere() {
    try { localStorage.removeItem(local()); } catch { /* nothing to forget */ }
  }

  const csrf = () => form.querySelector("input[name=csrfmiddlewaretoken]").value;

  async function send() {
    const text = JSON.stringify(typed());
    if (text === initial || text === sent || isSending || isLeaving) return;
    keepHere(text);
    isSending = true;
    try {
      const body = { form: page, key: key(), title, version: Number(versionField?.value) || null, data: JSON.parse(text) };
      const answer = await fetch("/drafts/", {
        method: "POST", body: JSON.stringify(body), keepalive: text.length < 60000,
        headers: { "Content-Type": "application/json", "X-CSRFToken": csrf() },
      });
      if (answer.status === 401 || answer.status === 403) {
        say("You are signed out. Kept on this tablet, will be sent when you sign in.", true);
        return;
      }
      if (!answer.ok) throw new Error(String(answer.status));
      const { draft } = await answer.json();
      draftId = draft.id;
      hold(draft.id);
      sent = text;
      say(`Draft saved ${draft.saved_at}`);
    } catch {
      say("No connection. Kept on this tablet, will be sent.", true);
    } finally {
      isSending = false;
    }
  }

  function hold(id) {                                                 // the form takes its draft along, so that saving ends it
    let field = form.querySelector("input[name=draft]");
    if (!field) {
      field = Object.assign(document.createElement("input"), { type: "hidden", name: "draft" });
      form.append(field);
    }
    field.value = id;
  }

  // --- A draft that waits ---------------------------------------------------------------------------------------------------
  function offer(found, when, throwAway) {
    const box = document.createElement("div");
    box.className = "msg info gap draft-offer";
    box.setAttribute("role", "status");
    const words = document.createElement("div");
    words.textContent = `You typed something here ${when} and did not save it. `;
    const buttons = document.createElement("div");
    buttons.className = "row";
    const go = Object.assign(document.createElement("button"), { type: "button", className: "btn sm", textContent: "Continue the draft" });
    const drop = Object.assign(document.createElement("button"), { type: "button", className: "btn sm", textContent: "Throw it away" });
    buttons.append(go, drop);
    words.append(buttons);
    box.append(words);
    form.prepend(box);
    go.addEventListener("click", () => { box.remove(); restore(found); });
    drop.addEventListener("click", () => { box.remove(); throwAway(); });
  }

  function restore(found) {
    if (found.key && keyField && found.key !== "record") keyField.value = found.key;
    if (found.version && versionField) versionField.value = found.version;   // changes of others since then are asked about
    fill(found.data);
    if (form.querySelector("table.rows")) {                            // other rows come for another count
      document.body.addEventListener("htmx:afterSettle", () => fill(found.data), { once: true });
    }
    if (found.id) { draftId = found.id; hold(found.id); }
    say("Draft restored. Nothing is saved yet.");
  }

  function inBrowser() {
    const found = [];
    try {
      for (let place = 0; place < localStorage.length; place += 1) {
        const name = localStorage.key(place);
        if (!name.startsWith(`draft:${page}:`)) continue;
        found.push({ name, ...JSON.parse(localStorage.getItem(name)) });
      }
    } catch { /* a browser without a store has no draft */ }
    return found.sort((a, b) => b.at - a.at)[0];
  }

  async function remove(id) {
    await fetch(`/drafts/${id}/delete/`, { method: "POST", headers: { Accept: "application/json", "X-CSRFToken": csrf() } });
  }

  async function look() {
    if (form.querySelector("[data-keep-typed]") || form.dataset.firstProblem) return;   // the server has just sent back what was typed
    const here = inBrowser();
    const wanted = new URLSearchParams(location.search).get("draft");
    let there = null;
    try {
      const query = new URLSearchParams({ form: page, ...(wanted ? { id: wanted } : keyField ? {} : { key: "record" }) });
      const answer = await fetch(`/drafts/?${query}`, { headers: { Accept: "application/json" } });
      if (answer.ok) there = (await answer.json()).draft;
    } catch { /* the browser's own copy will do */ }
    if (there && wanted) { restore(there); return; }
    if (there) {
      const today = new Date().toISOString().slice(0, 10) === there.on;
      offer(there, today ? `at ${there.saved_at}` : `on ${there.on}`, () => { remove(there.id); if (here) localStorage.removeItem(here.name); });
    } else if (here) {
      const found = { key: here.name.split(":").pop(), data: here.data };
      offer(found, `at ${new Date(here.at).toTimeString().slice(0, 5)}`, () => localStorage.removeItem(here.name));
    }
  }

  // --- Signing in over the form ---------------------------------------------------------------------------------------------
  function renew(token) {
    document.querySelectorAll("input[name=csrfmiddlewaretoken]").forEach((item) => { item.value = token; });
    document.body.setAttribute("hx-headers", JSON.stringify({ "X-CSRFToken": token }));
  }

  async function whoIsHere() {
    const answer = await fetch("/drafts/token/", { headers: { Accept: "application/json" }, cache: "no-store" });
    if (answer.status === 401) return null;
    if (!answer.ok) throw new Error(String(answer.status));
    return answer.json();
  }

  function dialog() {
    const box = document.getElementById("sign-in-again");
    const fields = box.querySelector("form");
    const problem = box.querySelector("[role=alert]");
    return new Promise((resolve) => {
      problem.textContent = "";
      box.showModal();
      fields.elements.login.focus();
      box.oncancel = () => resolve(false);
      box.querySelector("[data-cancel]").onclick = () => { box.close(); resolve(false); };
      fields.onsubmit = async (event) => {
        event.preventDefault();
        problem.textContent = "";
        try {
          const door = await fetch("/login/", { cache: "no-store" });
          const text = new DOMParser().parseFromString(await door.text(), "text/html");
          const token = text.querySelector("input[name=csrfmiddlewaretoken]")?.value ?? "";
          const body = new URLSearchParams({ login: fields.elements.login.value, password: fields.elements.password.value, csrfmiddlewaretoken: token });
          const answer = await fetch("/login/", { method: "POST", body });
          const person = await whoIsHere();
          if (person) {
            renew(person.csrf);
            fields.elements.password.value = "";
            box.close();
            resolve(true);
          } else if (answer.url.includes("2fa") || answer.url.includes("authenticate")) {
            problem.textContent = "A second step is asked for. Sign in in a new tab, then press Save again. What you typed stays here.";
          } else {
            problem.textContent = answer.status === 429 ? "Too many tries. Wait a little, then try again." : "Name or password is wrong.";
          }
        } catch {
          problem.textContent = "No connection. What you typed stays here; try again when it is back.";
        }
      };
    });
  }

  // --- Saving: only when somebody answers, and somebody is signed in --------------------------------------------------------
  let isChecked = false;
  form.addEventListener("submit", async (event) => {
    if (isChecked || event.defaultPrevented) return;
    event.preventDefault();
    const button = event.submitter;
    keepHere(JSON.stringify(typed()));
    try {
      let person = await whoIsHere();
      if (!person && (await dialog())) person = await whoIsHere();
      if (!person) { say("Not saved: you are signed out. Everything is kept on this tablet.", true); return; }
      renew(person.csrf);
    } catch {
      say("No connection. Kept on this tablet, will be sent. Press Save again when it is back.", true);
      return;
    }
    isChecked = true;
    isLeaving = true;
    forgetHere();
    form.requestSubmit(button ?? undefined);
    setTimeout(() => { isChecked = false; isLeaving = false; }, 4000);   // a refused file dialog or a slow answer: go on keeping
  });

  initial = JSON.stringify(typed());
  look();
  setInterval(send, EVERY_MS);
  form.addEventListener("focusout", () => setTimeout(send, 50));
  window.addEventListener("online", send);
  document.addEventListener("visibilitychange", () => { if (document.hidden) send(); });
})();
