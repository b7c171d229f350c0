// Upload: drop or choose, sent in portions with progress; and the live rows of a batch. Without it the form still works.
"use strict";
(() => {
  const PORTION_FILES = 20;
  const PORTION_BYTES = 64e6;
  const PAUSES_S = [2, 3, 5, 10];                  // after a lost connection: try again after so long
  const $ = (id) => document.getElementById(id);

  // --- Files and folders that were dropped ----------------------------------------------------------------------------------
  async function entriesOf(directory) {
    const reader = directory.createReader();
    const found = [];
    for (;;) {
      const part = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
      if (!part.length) return found;
      found.push(...part);
    }
  }

  async function filesOf(entry, folder) {
    if (entry.isFile) {
      const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
      return [{ file, path: folder ? `${folder}/${file.name}` : "" }];
    }
    const inside = folder ? `${folder}/${entry.name}` : entry.name;
    const parts = [];
    for (const child of await entriesOf(entry)) parts.push(...await filesOf(child, inside));
    return parts;
  }

  async function dropped(transfer) {
    const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
    if (!entries.length) return [...transfer.files].map((file) => ({ file, path: "" }));
    const found = [];
    for (const entry of entries) found.push(...await filesOf(entry, ""));
    return found;
  }

  // --- Sending ----------------------------------------------------------------------------------------------------------------
  function portions(items) {
    const parts = [[]];
    let bytes = 0;
    for (const item of items) {
      const last = parts[parts.length - 1];
      if (last.length && (last.length >= PORTION_FILES || bytes + item.file.size > PORTION_BYTES)) {
        parts.push([]);
        bytes = 0;
      }
      parts[parts.length - 1].push(item);
      bytes += item.file.size;
    }
    return parts;
  }

  function sizeText(bytes) {
    if (bytes >= 1e6) return `${Number((bytes / 1e6).toPrecision(3))} MB`;
    return `${Math.max(1, Math.round(bytes / 1e3))} kB`;
  }

  function newKey() {
    return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  function send(form, data, onProgress) {
    return new Promise((resolve) => {
      const request = new XMLHttpRequest();
      request.open("POST", form.action);
      request.setRequestHeader("Accept", "application/json");
      request.upload.addEventListener("progress", (event) => onProgress(event.loaded));
      request.addEventListener("error", () => resolve({ kind: "lost" }));
      request.addEventListener("load", () => {
        let answer = null;
        try {
          answer = JSON.parse(request.responseText);
        } catch {
          // Not from the upload page: a sign-in page, or a proxy that could not reach the site.
        }
        if (answer?.url) resolve({ kind: "sent", answer });
        else if (answer?.errors) resolve({ kind: "refused", sentences: answer.errors });
        else if ([502, 503, 504].includes(request.status)) resolve({ kind: "lost" });
        else if (request.status === 403 || request.responseURL.includes("/login")) resolve({ kind: "signed-out" });
        else resolve({ kind: "refused", sentences: ["The site did not take the files. Nothing is lost: send them again."] });
      });
      request.send(data);
    });
  }

  class Sending {
    constructor(form, items) {
      this.form = form;
      this.total = items.reduce((sum, item) => sum + item.file.size, 0);
      this.count = items.length;
      this.parts = portions(items).map((part) => ({ part, key: newKey() }));
      this.sentBytes = 0;
      this.code = "";
      this.url = "";
    }

    show(loaded, words) {
      $("sending").hidden = false;
      $("sending-title").textContent = `Sending ${this.count} ${this.count === 1 ? "file" : "files"}`;
      $("sending-bar").value = this.total ? Math.min(100, (100 * (this.sentBytes + loaded)) / this.total) : 100;
      $("sending-words").textContent = words ?? `${sizeText(Math.min(this.total, this.sentBytes + loaded))} of ${sizeText(this.total)}`;
    }

    data(portion) {
      const data = new FormData(this.form);
      data.delete("files");
      data.set("form_key", portion.key);
      if (this.code) data.set("joins", this.code);
      for (const { file, path } of portion.part) {
        data.append("folders", path || file.webkitRelativePath || "");
        data.append("files", file, file.name);
      }
      return data;
    }

    async run() {
      addEventListener("beforeunload", warn);
      $("sending-again").hidden = true;
      let tries = 0;
      while (this.parts.length) {
        const portion = this.parts[0];
        this.show(0);
        const result = await send(this.form, this.data(portion), (loaded) => this.show(loaded));
        if (result.kind === "sent") {
          this.parts.shift();
          this.sentBytes += portion.part.reduce((sum, item) => sum + item.file.size, 0);
          this.url = this.url || result.answer.url;
          this.code = this.code || result.answer.url.match(/[A-Z]{3}-\d+/)?.[0] || "";
          tries = 0;
        } else if (result.kind === "lost") {
          this.show(0, "No connection. Trying again.");
          await new Promise((resolve) => { setTimeout(resolve, 1000 * PAUSES_S[Math.min(tries, PAUSES_S.length - 1)]); });
          tries += 1;
        } else {
          this.stop(result);
          return;
        }
      }
      removeEventListener("beforeunload", warn);
      location.href = this.url;
    }

    stop(result) {
      removeEventListener("beforeunload", warn);
      const words = result.kind === "signed-out"
        ? "You are signed out. Sign in again in another tab, then press Send again. Nothing is lost."
        : result.sentences.join(" ");
      this.show(0, words);
      window.lagpdb?.say(words);
      const again = $("sending-again");
      again.hidden = false;
      again.onclick = () => this.run();
    }
  }

  function warn(event) {
    event.preventDefault();
  }

  function start(items) {
    const form = $("upload-form");
    const limit = Number(form.dataset.limitMb) * 1e6;
    const large = items.filter((item) => item.file.size > limit);
    $("sending-refused").replaceChildren(...large.map((item) => {
      const line = document.createElement("li");
      line.textContent = `${item.file.name} is larger than ${form.dataset.limitMb} MB and was left out. Split the export.`;
      return line;
    }));
    const good = items.filter((item) => item.file.size <= limit);
    if (good.length) new Sending(form, good).run();
    else if (large.length) $("sending").hidden = false;
    else $("chosen").textContent = "No file in there.";
  }

  function startUpload() {
    const form = $("upload-form");
    if (!form) return;
    for (const id of ["files", "folder"]) {
      $(id).addEventListener("change", (event) => {
        const items = [...event.target.files].map((file) => ({ file, path: file.webkitRelativePath }));
        event.target.value = "";
        if (items.length) start(items);
      });
    }
    let depth = 0;
    const isFiles = (event) => event.dataTransfer?.types.includes("Files");
    document.addEventListener("dragenter", (event) => {
      if (!isFiles(event)) return;
      depth += 1;
      document.body.classList.add("dragging");
    });
    document.addEventListener("dragleave", (event) => {
      if (!isFiles(event)) return;
      depth -= 1;
      if (depth <= 0) document.body.classList.remove("dragging");
    });
    document.addEventListener("dragover", (event) => {
      if (isFiles(event)) event.preventDefault();
    });
    document.addEventListener("drop", async (event) => {
      if (!isFiles(event)) return;
      event.preventDefault();
      depth = 0;
      document.body.classList.remove("dragging");
      start(await dropped(event.dataTransfer));
    });
  }

  // --- Live rows ------------------------------------------------------------------------------------------------------------------
  let knownStates = {};

  function states() {
    return Object.fromEntries([...document.querySelectorAll("tr.file")].map((row) => [row.id, row.dataset.state]));
  }

  function clock(when) {
    const two = (number) => String(number).padStart(2, "0");
    return `${two(when.getHours())}:${two(when.getMinutes())}:${two(when.getSeconds())}`;
  }

  function spanText(seconds) {
    if (seconds < 90) return `${Math.max(0, Math.round(seconds))} s`;
    if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
    return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  }

  function tick() {
    for (const item of document.querySelectorAll("[data-since]")) {
      item.textContent = spanText((Date.now() - Date.parse(item.dataset.since)) / 1000);
    }
  }

  function connection(words) {
    const box = $("connection");
    if (!box) return;
    box.hidden = !words;
    $("connection-words").textContent = words;
  }

  function sayNews() {
    const batch = $("batch");
    const now = states();
    const ended = ["done", "failed", "needs_sample", "duplicate", "attachment", "extends"];
    const news = Object.keys(now).filter((id) => knownStates[id] && knownStates[id] !== now[id] && ended.includes(now[id]));
    knownStates = now;
    if (!news.length) return;
    const last = $(news[news.length - 1]).dataset.say;
    window.lagpdb?.say(`${last}. ${batch.dataset.summary}`);
  }

  function isFromBatch(event) {
    return event.detail.requestConfig?.path.includes("/rows/") ?? false;
  }

  function startLive() {
    const batch = $("batch");
    if (!batch) return;
    knownStates = states();
    const stamp = $("last-update");
    stamp.textContent = clock(new Date());
    setInterval(tick, 1000);
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden && $("batch")?.dataset.open === "1") window.htmx.trigger("#batch", "shown");
    });
    addEventListener("online", () => window.htmx.trigger("#batch", "shown"));
    document.addEventListener("htmx:beforeSwap", (event) => {
      if (!isFromBatch(event)) return;
      if (event.detail.xhr.responseURL.includes("/login")) {
        event.detail.shouldSwap = false;
        connection("You are signed out. Sign in again to see news. Your files are safe.");
      } else if ($("batch").contains(document.activeElement) && document.activeElement.matches("input, select, textarea")) {
        event.detail.shouldSwap = false;           // somebody is typing there: the rows wait for a moment
      }
    });
    document.addEventListener("htmx:afterRequest", (event) => {
      if (!isFromBatch(event)) return;
      const { xhr, successful } = event.detail;
      if (!successful || xhr.responseURL.includes("/login")) return;
      connection("");
      stamp.textContent = clock(new Date());
      stamp.dateTime = new Date().toISOString();
    });
    for (const name of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) {
      document.addEventListener(name, (event) => {
        if (isFromBatch(event)) connection("No connection. Trying again.");
      });
    }
    document.addEventListener("htmx:afterSettle", sayNews);
  }

  document.addEventListener("DOMContentLoaded", () => {
    startUpload();
    startLive();
  });
})();
