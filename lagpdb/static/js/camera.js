// The page that scans: the camera where the browser can read codes, a field everywhere, and the last scans of this device.
"use strict";
(() => {
  const BLOCKED = "Camera blocked by the browser. Type the code instead.";
  const CANNOT = "This browser cannot read codes with the camera. Type the code, or use a hand scanner.";
  const LOOK_MS = 200;
  const words = document.getElementById("camera-words");
  const box = document.getElementById("camera");
  const video = box.querySelector("video");
  const startButton = document.getElementById("camera-start");
  const torchButton = document.getElementById("torch");
  const { codeIn, keep, STORE } = window.lagpdbScan;
  let stream = null;

  // --- Last scans -----------------------------------------------------------------------------------------------------------
  function showLast() {
    let kept = [];
    try {
      kept = JSON.parse(localStorage.getItem(STORE) || "[]");
    } catch {
      // Nothing is remembered where storage is switched off.
    }
    const list = document.getElementById("last-scans");
    list.replaceChildren(...kept.map(({ code, at }) => {
      const item = document.createElement("li");
      const link = document.createElement("a");
      link.href = `/s/${encodeURIComponent(code)}`;
      link.className = "code";
      link.textContent = code;
      const time = document.createElement("span");
      time.className = "muted small";
      time.textContent = ` ${new Date(at).toLocaleString()}`;
      item.append(link, time);
      return item;
    }));
    document.getElementById("no-scans").hidden = kept.length > 0;
  }

  function found(text) {
    const code = codeIn(text);
    if (!code) {
      words.textContent = `This code holds ‘${text.slice(0, 60)}’, which is no code of lagpdb.`;
      return false;
    }
    keep(code);
    words.textContent = `${code} found.`;
    location.href = `/s/${code}`;
    return true;
  }

  // --- Camera ---------------------------------------------------------------------------------------------------------------
  function stop() {
    for (const track of stream?.getTracks() ?? []) track.stop();
    stream = null;
    box.hidden = true;
    torchButton.hidden = true;
    startButton.hidden = false;
  }

  async function look(detector) {
    if (!stream) return;
    let codes = [];
    try {
      if (video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA) codes = await detector.detect(video);
    } catch (error) {
      if (!(error instanceof DOMException)) throw error;      // a frame that could not be read; the next one may be
    }
    if (codes.length && found(codes[0].rawValue)) {
      stop();
      return;
    }
    setTimeout(look, LOOK_MS, detector);
  }

  async function start() {
    startButton.hidden = true;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    } catch {
      words.textContent = BLOCKED;
      startButton.hidden = false;
      document.getElementById("scan-code").focus();
      return;
    }
    box.hidden = false;
    video.srcObject = stream;
    await video.play();
    words.textContent = "Point at a label.";
    const track = stream.getVideoTracks()[0];
    torchButton.hidden = !track.getCapabilities?.().torch;
    torchButton.onclick = async () => {
      const isOn = torchButton.getAttribute("aria-pressed") !== "true";
      await track.applyConstraints({ advanced: [{ torch: isOn }] });
      torchButton.setAttribute("aria-pressed", String(isOn));
    };
    look(new window.BarcodeDetector({ formats: ["qr_code"] }));
  }

  async function begin() {
    showLast();
    const field = document.getElementById("scan-code");
    document.getElementById("scan-form").addEventListener("submit", () => {
      const code = codeIn(field.value);
      if (code) keep(code);
    });
    const formats = window.BarcodeDetector ? await window.BarcodeDetector.getSupportedFormats() : [];
    if (!formats.includes("qr_code")) {
      words.textContent = CANNOT;
      field.focus();
    } else if (!navigator.mediaDevices?.getUserMedia) {
      words.textContent = BLOCKED;                            // browsers give the camera to https and localhost only
      field.focus();
    } else {
      startButton.hidden = false;
      startButton.addEventListener("click", start);
    }
  }

  window.addEventListener("pagehide", stop);
  begin();
})();
