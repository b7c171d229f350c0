// Work at the bench: several codes in one field, clocks that run, cells of three configurations. All of it is extra.
"use strict";
(() => {
  // --- Several codes in one field: Enter (a scanner sends it) goes on to the next code, buttons add and take away -----------
  const codesIn = (field) => field.value.toUpperCase().split(/[\s,;]+/).filter(Boolean);

  function setCodes(field, codes) {
    field.value = codes.join(" ");
    field.dispatchEvent(new Event("input", { bubbles: true }));
    field.dispatchEvent(new Event("change", { bubbles: true }));
  }

  function showPicks(field) {
    const codes = codesIn(field);
    for (const button of document.querySelectorAll(`[data-picks="${field.id}"] [data-pick]`)) {
      button.setAttribute("aria-pressed", String(codes.includes(button.dataset.pick)));
    }
  }

  function onPick(button) {
    const field = document.getElementById(button.closest("[data-picks]").dataset.picks);
    const code = button.dataset.pick;
    const codes = codesIn(field);
    setCodes(field, codes.includes(code) ? codes.filter((each) => each !== code) : [...codes, code]);
  }

  function onCodesKey(event) {
    const field = event.target;
    if (event.key !== "Enter" || !(field instanceof HTMLInputElement) || !field.matches("[data-codes]")) return;
    event.preventDefault();
    event.stopPropagation();
    setCodes(field, codesIn(field));
    if (field.value) field.value += " ";
  }

  // --- Full cells get a lot and liquid, the others none; what was typed by hand stays ----------------------------------------
  function onConfiguration(radio) {
    const isFull = radio.value === "full";
    for (const field of document.querySelectorAll("[data-configurations] [data-full]")) {
      const ready = field.dataset.full;
      const wanted = isFull ? field.value || ready : field.value === ready ? "" : field.value;
      if (wanted === field.value) continue;
      field.value = wanted;
      field.dispatchEvent(new Event("input", { bubbles: true }));   // what follows from it is asked again
    }
  }

  // --- Clocks: the server says when it ends and what time it is, so a wrong clock of the tablet does not matter ---------------
  const two = (number) => String(number).padStart(2, "0");

  function timeText(seconds) {
    const whole = Math.abs(Math.round(seconds));
    const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
    return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
  }

  function startClock(box) {
    const ends = Date.parse(box.dataset.ends);
    const ahead = Date.parse(box.dataset.now) - Date.now();
    const left = box.querySelector("[data-left]");
    const isLarge = "keepAwake" in box.dataset;
    let isOver = false;
    function tick() {
      const seconds = (ends - Date.now() - ahead) / 1000;
      left.textContent = seconds > 0 ? timeText(seconds) : `${isLarge ? "+" : "over by "}${timeText(seconds)}`;
      box.classList.toggle("over", seconds <= 0);
      if (isLarge) document.title = `${left.textContent} · lagpdb`;
      if (seconds <= 0 && !isOver) {
        isOver = true;
        if (isLarge) window.lagpdb?.say("Time is up. Take the pellets off the hot plate.");
      }
    }
    tick();
    setInterval(tick, 500);
    if (isLarge) keepAwake(box, () => (ends - Date.now() - ahead) / 1000);
  }

  // --- The screen stays awake while the timer runs; after a sleep the page asks the server where things stand ------------------
  function keepAwake(box, secondsLeft) {
    const words = box.querySelector("[data-awake]");
    async function ask() {
      try {
        await navigator.wakeLock.request("screen");
        words.textContent = "The screen stays awake.";
      } catch {
        words.textContent = "This browser cannot keep the screen awake. The timer runs on the server all the same.";
      }
    }
    ask();
    let wasHidden = false;
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "hidden") {
        wasHidden = true;
        return;
      }
      const field = document.getElementById("id_duration_min");
      if (wasHidden && secondsLeft() < 0 && !field?.value) location.reload();
      else ask();
    });
  }

  document.addEventListener("keydown", onCodesKey, true);
  document.addEventListener("click", (event) => {
    const pick = event.target.closest("button[data-pick]");
    if (pick) onPick(pick);
    if (event.target.closest("[data-print]")) window.print();
  });
  document.addEventListener("input", (event) => {
    if (event.target.matches?.("[data-codes]")) showPicks(event.target);
  });
  document.addEventListener("change", (event) => {
    if (event.target.matches?.("[data-configurations] input[name=configuration]")) onConfiguration(event.target);
  });
  document.addEventListener("DOMContentLoaded", () => {
    for (const field of document.querySelectorAll("[data-codes]")) showPicks(field);
    for (const box of document.querySelectorAll("[data-countdown]")) startClock(box);
  });
})();
