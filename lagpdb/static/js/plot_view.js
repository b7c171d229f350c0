// What people have drawn otherwise: switches, chosen cycles, zoom with the rows of the stretch, hidden series, and points
// marked for the next run. All of it stands in the address, one entry per plot: ?plot-capacity=unit:mAh_cm2;hide:CE
"use strict";
(() => {
  const { ACTS, HOOKS, say, ask, adopt, draw, setFrame, stretchOf, takeStretch } = window.lagpdbPlot;
  const PATIENCE_MS = 180;
  const AXIS = /^[xy]axis\d*$/;

  // --- The address ----------------------------------------------------------------------------------------------------------
  function parts(state) {
    const text = new URLSearchParams(location.search).get(state.element.id) ?? "";
    return text.split(";").filter(Boolean).map((part) => {
      const at = part.indexOf(":");
      return [part.slice(0, at), part.slice(at + 1)];
    });
  }

  function words(state) {
    const found = Object.entries(state.chosen).map(([name, value]) => `${name}:${value}`);
    if (state.frame && state.frame !== state.spec.frame) found.push(`frame:${state.frame}`);
    if (state.isZoomed) {
      for (const [name, axis] of Object.entries(state.spec.layout)) {
        if (AXIS.test(name) && !axis.fixedrange && !axis.matches) found.push(`${name}:${axis.range.map((v) => Number(v.toPrecision(5))).join("_")}`);
      }
    }
    for (const [key, wanted] of [["show", true], ["hide", "legendonly"]]) {
      const names = [...state.seen].filter(([, visible]) => visible === wanted).map(([name]) => name);
      if (names.length) found.push(`${key}:${names.join("|")}`);
    }
    return found.join(";");
  }

  function keep(state) {
    if (!state.isReady) return;
    const query = new URLSearchParams(location.search);
    const text = words(state);
    if (text) query.set(state.element.id, text);
    else query.delete(state.element.id);
    const search = query.toString().replaceAll("%3A", ":").replaceAll("%3B", ";");
    history.replaceState(history.state, "", `${location.pathname}${search ? `?${search}` : ""}${location.hash}`);
  }

  // --- Switches and fields ------------------------------------------------------------------------------------------------------
  const buttons = (state) => [...state.element.querySelectorAll("[data-switch]")];
  const fields = (state) => [...state.element.querySelectorAll("input[data-param]")];

  function showChosen(state) {
    const values = Object.fromEntries((state.spec.switches ?? []).map(({ name, value }) => [name, value]));
    for (const button of buttons(state)) {
      button.setAttribute("aria-pressed", String(values[button.dataset.switch] === button.dataset.value));
      button.parentElement.hidden = !(button.dataset.switch in values);
    }
  }

  async function choose(state, name, value, isDefault) {
    if (isDefault) delete state.chosen[name];
    else state.chosen[name] = value;
    const number = state.asked = (state.asked ?? 0) + 1;
    state.canvas.setAttribute("aria-busy", "true");
    try {
      const spec = await ask(state);
      if (number !== state.asked) return;
      adopt(state, spec);
      showChosen(state);
      await setFrame(state, state.frame);
    } catch {
      say(state, "The plot could not be loaded again. Check the connection, then choose once more.");
    } finally {
      state.canvas.removeAttribute("aria-busy");
    }
  }

  function onSwitch(state, event) {
    const button = event.target.closest("[data-switch]");
    if (!button || button.getAttribute("aria-pressed") === "true") return;
    const first = buttons(state).find((other) => other.dataset.switch === button.dataset.switch);
    choose(state, button.dataset.switch, button.dataset.value, button === first);
  }

  // --- Zoom: a thinned series comes again for the stretch that is seen --------------------------------------------------------------
  function refine(state) {
    clearTimeout(state.waiting);
    if (!state.spec.window || !state.isZoomed || state.refinedFor === rangeOf(state)) return;
    state.waiting = setTimeout(async () => {
      const asked = state.refinedFor = rangeOf(state);
      const [from, to] = state.spec.layout.xaxis.range;
      try {
        const spec = await ask(state, { from, to });
        if (asked !== rangeOf(state) || !state.isZoomed) return;
        state.spec.traces = spec.traces;
        takeStretch(state, stretchOf(spec.layout));
        await draw(state);
      } catch {
        say(state, "The rows of this stretch could not be loaded. The envelope is shown.");
      }
    }, PATIENCE_MS);
  }

  const rangeOf = (state) => state.spec.layout.xaxis.range.join();

  // --- Legend ---------------------------------------------------------------------------------------------------------------------
  function onLegend(state) {
    if (state.isDrawing) return;
    for (const trace of state.canvas.data) {
      const own = state.spec.traces.find(({ name }) => name === trace.name);
      if (!own || own.meta?.frame) continue;
      const now = trace.visible ?? true;
      if (now === (own.visible ?? true)) state.seen.delete(trace.name);
      else state.seen.set(trace.name, now);
    }
    keep(state);
  }

  // --- Points for the next run to leave out -----------------------------------------------------------------------------------------
  const field = () => document.querySelector("#rerun [name=masked_points]");

  function rowsOf(text) {
    return text.split(/[\s,;]+/).filter(Boolean).flatMap((part) => {
      const [first, last] = part.replace("–", "-").split("-").map(Number);
      return Array.from({ length: (last ?? first) - first + 1 }, (_, k) => first + k);
    });
  }

  function ring(state) {
    const chosen = new Set(rowsOf(field()?.value ?? ""));
    const [x, y] = [[], []];
    for (const trace of state.spec.traces.filter(({ meta }) => meta?.rows)) {
      trace.meta.rows.forEach((row, k) => { if (chosen.has(row)) { x.push(trace.x[k]); y.push(trace.y[k]); } });
    }
    const marker = { symbol: "x-thin", size: 11, color: "role:bad", line: { width: 2.2, color: "role:bad" } };
    state.overlay = state.isMasking && x.length ? [{ type: "scatter", mode: "markers", name: "to leave out", x, y, marker, hoverinfo: "skip" }] : [];
  }

  async function toggle(state, row) {
    const rows = new Set(rowsOf(field().value));
    const isNew = !rows.delete(row) && Boolean(rows.add(row));
    field().value = [...rows].sort((a, b) => a - b).join(" ");
    ring(state);
    say(state, `Row ${row} ${isNew ? "will be left out of" : "stays in"} the next run. ${rows.size} chosen.`);
    state.element.querySelector('[data-act="mask-run"]').hidden = !rows.size;
    await draw(state);
  }

  ACTS.mask = async (state, button) => {
    state.isMasking = !state.isMasking;
    button.setAttribute("aria-pressed", String(state.isMasking));
    ring(state);
    say(state, state.isMasking ? "Click points to leave them out of the next run, or step to them and press M." : "");
    await draw(state);
  };

  ACTS["mask-run"] = () => {
    document.querySelector("#rerun").open = true;
    document.querySelector("#rerun [name=reason]").focus();
  };

  function onPoint(state, event) {
    const point = event.points?.[0];
    const row = point && state.spec.traces[point.curveNumber]?.meta?.rows?.[point.pointNumber];
    if (state.isMasking && row !== undefined) toggle(state, row);
  }

  // --- Spectra: the plots of one run point at the same frequency ----------------------------------------------------------------------
  const SPECTRA = ["nyquist", "bode", "residuals"];
  const SHOWN = [];                                // states of such plots on the page
  let isTelling = false;

  const frequencies = (state, trace) => (state.spec.kind === "nyquist" ? trace.customdata : trace.x) ?? [];

  function pointAt(state, frequency) {
    const found = state.spec.traces.flatMap((trace, curveNumber) => (trace.meta?.steps ? [{ trace, curveNumber }] : []));
    const near = found.flatMap(({ trace, curveNumber }) => frequencies(state, trace)
      .map((value, pointNumber) => ({ curveNumber, pointNumber, far: Math.abs(Math.log(value / frequency)), trace })));
    return near.filter(({ far }) => far < 0.01).sort((a, b) => a.far - b.far)[0];
  }

  function tell(state, event) {
    const point = event.points?.[0];
    const trace = point && state.spec.traces[point.curveNumber];
    const frequency = trace && frequencies(state, trace)[point.pointNumber];
    if (isTelling || !frequency) return;
    isTelling = true;
    for (const other of SHOWN.filter((each) => each !== state && each.run === state.run && each.element.isConnected)) {
      const found = pointAt(other, frequency);
      if (found) Plotly.Fx.hover(other.canvas, [found], [`${found.trace.xaxis ?? "x"}${found.trace.yaxis ?? "y"}`]);
    }
    isTelling = false;
  }

  HOOKS.point.push((state, event) => { if (state.run) tell(state, event); });

  function shareFrequency(state) {
    if (!SPECTRA.includes(state.spec.kind)) return;
    state.run = state.element.dataset.src.replace(/[^/]+$/, "");
    SHOWN.push(state);
    state.canvas.on("plotly_hover", (event) => tell(state, event));
    state.canvas.on("plotly_unhover", () => {
      for (const other of SHOWN) if (other !== state && other.run === state.run) Plotly.Fx.unhover(other.canvas);
    });
  }

  // --- Start ----------------------------------------------------------------------------------------------------------------------
  HOOKS.begin.push((state) => {
    const known = new Set([...buttons(state).map((b) => b.dataset.switch), ...fields(state).map((f) => f.dataset.param)]);
    for (const [name, value] of parts(state)) if (known.has(name)) state.chosen[name] = value;
    for (const input of fields(state)) input.value = state.chosen[input.dataset.param] ?? input.value;
  });

  HOOKS.ready.push(async (state) => {
    showChosen(state);
    shareFrequency(state);
    state.element.addEventListener("click", (event) => onSwitch(state, event));
    for (const input of fields(state)) {
      input.addEventListener("change", () => choose(state, input.dataset.param, input.value.trim(), !input.value.trim()));
    }
    state.canvas.on("plotly_restyle", () => onLegend(state));
    state.canvas.on("plotly_click", (event) => onPoint(state, event));
    const found = parts(state);
    const told = Object.fromEntries(found);
    for (const [key, visible] of [["show", true], ["hide", "legendonly"]]) {
      for (const name of told[key]?.split("|") ?? []) state.seen.set(name, visible);
    }
    if (told.frame && state.spec.frames?.[told.frame]) await setFrame(state, told.frame);
    for (const [name, value] of found) {
      const range = value.split("_").map(Number);
      if (!AXIS.test(name) || !state.spec.layout[name] || range.length !== 2 || !range.every(Number.isFinite)) continue;
      state.spec.layout[name].range = range;
      state.isZoomed = true;
    }
    state.isReady = true;
    if (state.isZoomed || state.seen.size) {
      state.spec.layout.uirevision = "from the address";
      await draw(state);
    }
  });

  HOOKS.drawn.push((state) => {
    keep(state);
    if (state.isReady) refine(state);
  });

  HOOKS.step.push((state, event, series) => {
    if (event.key.toLowerCase() !== "m" || !state.isMasking || !state.cursor) return;
    const row = series[state.cursor.series].trace.meta.rows?.[state.cursor.point];
    if (row !== undefined) toggle(state, row);
  });
})();
