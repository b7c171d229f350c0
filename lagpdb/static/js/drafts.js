// Nothing typed is lost: what stands in a form goes to the server every few seconds and stays in the browser until it is
// there; a form whose session ended signs in again without leaving the page. Forms also work without all this.
"use strict";
(() => {
  const EVERY_MS = 3000;
  const AGAIN_MS = 5000;
  const PATIENCE_MS = 8000;
  const COPY_MS = 30000;    // longer than any page takes to come
  const NOT_TYPED = new Set(["csrfmiddlewaretoken", "use", "then", "confirm", "show_rows", "timer", "next"]);
  const user = document.currentScript.dataset.user;
  const mine = `lagpdb-draft:${user}:`;
  let form = null;
  let place = null;
  let changes = 0;          // counted, so that an answer knows whether more was typed meanwhile
  let sentChanges = 0;
  let waits = null;         // the timer of the next sending
  let mirrorWaits = null;
  let onItsWay = Promise.resolve("");
  let isGoing = false;      // the form is being saved
  let whyOut = "";          // why the server does not know us any more

  // --- The copy in this browser ---------------------------------------------------------------------------------------------
  const storage = {
    put(entry) {
      try {
        localStorage.setItem(mine + entry.address + entry.key, JSON.stringify(entry));
      } catch {
        // Full or switched off: the server has it, or the page still does.
      }
    },
    drop(entry) {
      try {
        localStorage.removeItem(mine + entry.address + entry.key);
      } catch {
        // As above.
      }
    },
    all() {
      const found = [];
      try {
        for (const name of Object.keys(localStorage)) {
          if (name.startsWith(mine)) found.push(JSON.parse(localStorage.getItem(name)));
        }
      } catch {
        // As above.
      }
      return found;
    },
  };

  function entryOf() {
    const data = {};
    for (const [name, value] of new FormData(form)) {
      if (typeof value === "string" && !NOT_TYPED.has(name)) (data[name] ??= []).push(value);
    }
    const query = new URLSearchParams(location.search);
    query.delete("draft");
    const rest = query.toString();
    return {
      user: Number(user), key: place.dataset.key, form: place.dataset.form, data,
      title: document.querySelector("main h1")?.textContent.trim() ?? document.title,
      address: location.pathname + (rest ? `?${rest}` : ""),
    };
  }

  function show(text, isProblem = false) {
    const words = document.querySelector("[data-draft-state]");
    if (!words) return;
    words.textContent = text;
    words.classList.toggle("warned", isProblem);
  }

  // --- To the server ----------------------------------------------------------------------------------------------------------
  const token = () => document.querySelector("input[name=csrfmiddlewaretoken]")?.value ?? "";

  function useToken(csrf) {
    for (const input of document.querySelectorAll("input[name=csrfmiddlewaretoken]")) input.value = csrf;
    document.body.setAttribute("hx-headers", JSON.stringify({ "X-CSRFToken": csrf }));
  }

  async function whoIsIn() {
    const answer = await fetch("/drafts/session/", { signal: AbortSignal.timeout(PATIENCE_MS) });
    const state = await answer.json();
    useToken(state.csrf);
    return state;
  }

  // Answers "kept", "saved" (the record itself was), "out" (signed out), "offline" or "refused".
  async function send(entry, keepalive = false, isAgain = false) {
    let answer;
    try {
      answer = await fetch("/drafts/", {
        method: "POST", keepalive, body: JSON.stringify(entry), signal: AbortSignal.timeout(PATIENCE_MS),
        headers: { "Content-Type": "application/json", "X-CSRFToken": token() },
      });
    } catch {
      return { state: "offline" };
    }
    if (answer.status === 401) return { state: "out", ...(await answer.json()) };
    if (answer.status >= 500) return { state: "offline" };
    if (answer.headers.get("Content-Type") !== "application/json") {   // the token is of another session
      if (isAgain) return { state: "refused", detail: "The draft was refused. Save the form, or copy what you typed." };
      try {
        await whoIsIn();
      } catch {
        return { state: "offline" };
      }
      return send(entry, keepalive, true);
    }
    const said = await answer.json();
    if (!answer.ok) return { state: "refused", ...said };
    return { state: said.is_saved ? "saved" : "kept", ...said };
  }

  async function sendNow() {
    clearTimeout(waits);
    waits = null;
    if (!form || changes === sentChanges) return onItsWay;
    const upTo = changes;
    const entry = entryOf();
    storage.put(entry);
    onItsWay = onItsWay.then(() => send(entry)).then((outcome) => {
      settle(entry, outcome, upTo);
      return outcome.state;
    });
    return onItsWay;
  }

  // The next page may have been asked for before the server had this, and then shows less than was typed: it finds the
  // copy, and the time at which it had arrived.
  function keepCopy(entry) {
    storage.put({ ...entry, arrived: Date.now() });
    setTimeout(() => { if (changes === sentChanges) storage.drop(entry); }, COPY_MS);
  }

  function settle(entry, outcome, upTo) {
    if (outcome.state === "kept" || outcome.state === "saved") {
      sentChanges = Math.max(sentChanges, upTo);
      if (changes === sentChanges) keepCopy(entry);
      const now = new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false });
      if (outcome.state === "kept") show(`draft saved ${now}`);
    } else if (outcome.state === "offline") {
      show("No connection. Kept on this tablet, will be sent.", true);
      waits ??= setTimeout(sendNow, AGAIN_MS);
    } else if (outcome.state === "out") {
      whyOut = outcome.detail;
      show("You are signed out. Kept on this tablet.", true);
      if (!isGoing) signIn().then((isIn) => isIn && sendNow());
    } else {
      show(outcome.detail, true);
    }
  }

  function onInput(event) {
    if (!form || !form.contains(event.target) || event.target.type === "file") return;
    changes += 1;
    clearTimeout(mirrorWaits);
    mirrorWaits = setTimeout(() => { if (changes !== sentChanges) storage.put(entryOf()); }, 250);
    waits ??= setTimeout(sendNow, EVERY_MS);
  }

  // --- What this browser still holds from before --------------------------------------------------------------------------------
  function fill(data) {
    for (const [name, texts] of Object.entries(data)) {
      const found = form.elements.namedItem(name);
      const fields = found instanceof RadioNodeList ? [...found] : found ? [found] : [];
      fields.forEach((field, index) => {
        if (field.type === "file" || NOT_TYPED.has(name)) return;
        if (field.type === "checkbox" || field.type === "radio") field.checked = texts.includes(field.value);
        else if (texts[index] !== undefined) field.value = texts[index];
      });
    }
  }

  async function bringBack() {
    for (const entry of storage.all()) {
      const isHere = place && entry.key === place.dataset.key && entry.form === place.dataset.form;
      const isKnown = entry.arrived && (!isHere || entry.arrived < performance.timeOrigin);
      if (isKnown) {
        storage.drop(entry);
        continue;
      }
      if (isHere) {
        fill(entry.data);
        changes += 1;
        show("What you typed on this tablet is here again.");
        sendNow();
        continue;
      }
      const outcome = await send(entry);
      if (["kept", "saved", "refused"].includes(outcome.state)) storage.drop(entry);
      if (outcome.state === "kept" && place?.dataset.form === entry.form) offer(outcome.url);
    }
  }

  function offer(address) {
    const box = document.createElement("div");
    box.className = "msg info gap draft-offer";
    const words = document.createElement("div");
    words.textContent = "A draft that was kept on this tablet has been sent. ";
    const link = document.createElement("a");
    link.className = "btn sm";
    link.href = address;
    link.textContent = "Continue it";
    words.append(link);
    box.append(words);
    place.after(box);
  }

  // --- Signing in over the form ------------------------------------------------------------------------------------------------
  let asked = null;
  function signIn() {
    const dialog = document.getElementById("sign-in");
    if (!dialog) return Promise.resolve(false);
    asked ??= new Promise((done) => {
      const of = (selector) => dialog.querySelector(selector);
      const inner = of("form");
      if (whyOut) of("[data-why]").textContent = whyOut;
      const end = (isIn) => {
        dialog.removeEventListener("close", onClose);
        inner.removeEventListener("submit", onGo);
        window.removeEventListener("focus", look);
        of("[data-later]").onclick = null;
        of("[name=password]").value = "";
        dialog.close();
        asked = null;
        if (isIn) show("Signed in again.");
        done(isIn);
      };
      const onClose = () => end(false);
      const problem = (text) => {
        of("[data-problem]").textContent = text;
        of("[data-problem]").hidden = !text;
      };
      async function look() {             // signed in meanwhile, in another tab
        try {
          const state = await whoIsIn();
          if (String(state.user) === user) return end(true);
          return state;
        } catch {
          return null;
        }
      }
      async function onGo(event) {
        event.preventDefault();
        of("[data-go]").disabled = true;
        problem("");
        try {
          const before = await whoIsIn();
          if (String(before.user) === user) return end(true);
          if (before.user) {
            await fetch("/logout/", { method: "POST", headers: { "X-CSRFToken": token() }, redirect: "manual" });
            await whoIsIn();
          }
          const body = new URLSearchParams(new FormData(inner));
          const answer = await fetch("/login/", {
            method: "POST", body, headers: { "X-CSRFToken": token(), "X-Requested-With": "XMLHttpRequest" },
          });
          if (!answer.ok) return problem(await complaint(answer));
          const state = await look();
          if (!state) return undefined;
          if (state.user) return problem(`This form was filled in by ${place.dataset.userName}. Sign in as ${place.dataset.userName} to save it.`);
          of("[data-second]").hidden = false;       // the password is right, and a second factor is asked for
          return undefined;
        } catch {
          return problem("No connection. Try again when it is back.");
        } finally {
          of("[data-go]").disabled = false;
        }
      }
      dialog.addEventListener("close", onClose);
      inner.addEventListener("submit", onGo);
      window.addEventListener("focus", look);
      of("[data-later]").onclick = () => end(false);
      dialog.showModal();
      of(of("[name=login]").value ? "[name=password]" : "[name=login]").focus();
    });
    return asked;
  }

  async function complaint(answer) {
    try {
      const said = await answer.json();
      const texts = [...said.form.errors, ...Object.values(said.form.fields).flatMap((field) => field.errors)];
      return texts.join(" ") || "Name or password is wrong.";
    } catch {
      return answer.status === 429 ? "Too many failed tries. Wait a few minutes, then try again." : "Signing in did not work. Try again.";
    }
  }

  // --- Saving: first make sure that somebody answers and knows us, then let the browser send the form --------------------------
  async function ready() {
    for (;;) {
      let state = await sendNow();
      if (changes === sentChanges && !["offline", "out"].includes(state)) {
        try {
          const who = await whoIsIn();
          state = String(who.user) === user ? "kept" : "out";
        } catch {
          state = "offline";
        }
      }
      if (state === "out") {
        if (!(await signIn())) return false;
      } else if (state === "offline") {
        if (changes === sentChanges) changes += 1;       // keep it here, and try again
        storage.put(entryOf());
        show("No connection. Kept on this tablet, will be sent.", true);
        waits ??= setTimeout(sendNow, AGAIN_MS);
        return false;
      } else {
        return true;
      }
    }
  }

  let isReady = false;
  async function onSubmit(event) {
    if (event.target !== form || !place) return;
    const button = event.submitter;
    if (button?.dataset.forgets) {
      changes = sentChanges = 0;
      clearTimeout(waits);
      clearTimeout(mirrorWaits);
      storage.drop({ ...entryOf(), key: button.dataset.forgets });
      return;
    }
    if (isReady) return;
    event.preventDefault();
    event.stopPropagation();
    if (isGoing) return;
    isGoing = true;
    button?.classList.add("htmx-request");
    try {
      if (await ready()) {
        clearTimeout(waits);
        clearTimeout(mirrorWaits);
        storage.drop(entryOf());
        isReady = true;
        form.requestSubmit(button ?? undefined);
      }
    } finally {
      isGoing = false;
      button?.classList.remove("htmx-request");
    }
  }

  function onLeave() {
    if (isReady || changes === sentChanges || !form) return;
    const entry = entryOf();
    storage.put(entry);       // stays: the next page may be older than what is sent now, and sends it again
    send(entry, true);
  }

  document.addEventListener("DOMContentLoaded", () => {
    place = document.getElementById("draft");
    form = place ? document.getElementById("record-form") : null;
    bringBack();
  });
  document.addEventListener("input", onInput);
  document.addEventListener("change", onInput);
  document.addEventListener("focusout", (event) => { if (form?.contains(event.target)) sendNow(); });
  document.addEventListener("submit", onSubmit, true);
  window.addEventListener("online", () => (form && changes !== sentChanges ? sendNow() : bringBack()));
  window.addEventListener("pagehide", onLeave);
  window.addEventListener("pageshow", () => { isReady = false; });
  document.addEventListener("htmx:beforeSwap", (event) => {    // a hint that was answered by the sign-in page
    if (!place || !new URL(event.detail.xhr.responseURL || location.href).pathname.startsWith("/login/")) return;
    event.detail.shouldSwap = false;
    signIn();
  });
})();
