// The one plotting component. Every <figure class="plot" data-src="….json"> becomes a Plotly plot with the same colours,
// buttons, exports and keyboard. Figures are built by the server (analysis/figures/); plot_style.js gives them looks.
"use strict";
(() => {
  const { picture, besides } = window.lagpdbPlotStyle;
  const DRAWN = new WeakMap();                     // figure element → state: {element, canvas, spec, frame}
  const FONT = 'Inter, system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif';
  const ACTS = {};                                 // what buttons of the other files do: data-act → (state, button)
  const HOOKS = { begin: [], ready: [], drawn: [], step: [], point: [] };

  // The library brings a style sheet for maps, which the security policy would refuse with an error; it is not needed.
  document.head.appendChild = (node) => (node instanceof HTMLStyleElement ? node : Node.prototype.appendChild.call(document.head, node));

  // Plotly writes some styles as attributes, which the security policy forbids; through the object model they may stand.
  SVGElement.prototype.setAttribute = function setAttribute(name, value) {
    if (name === "style") this.style.cssText = value;
    else Element.prototype.setAttribute.call(this, name, value);
  };

  // --- Axes in ohm: ticks in 1-2-5 steps with the prefix on the axis, the same for both ------------------------------------
  function niceStep(span, count) {
    const rough = span / count;
    const power = 10 ** Math.floor(Math.log10(rough));
    return power * [1, 2, 5, 10].find((step) => step * power >= rough * 0.72);
  }

  function setSiTicks(state) {
    const rules = state.spec.si_axes;
    if (!rules) return;
    const { xaxis, yaxis } = state.canvas._fullLayout;
    const size = state.canvas._fullLayout._size;
    state.pxPerOhm = size.w / (xaxis.range[1] - xaxis.range[0]);
    const reach = Math.max(...xaxis.range.map(Math.abs), ...yaxis.range.map(Math.abs));
    const [prefix, factor] = [["M", 1e6], ["k", 1e3], ["", 1], ["m", 1e-3]].find(([, f]) => reach >= 2 * f) ?? ["m", 1e-3];
    const step = niceStep(xaxis.range[1] - xaxis.range[0], Math.max(size.w / 85, 3));
    for (const [name, axis] of [["xaxis", xaxis], ["yaxis", yaxis]]) {
      const values = [];
      for (let n = Math.ceil(axis.range[0] / step); n * step <= axis.range[1]; n += 1) values.push(n * step);
      const rule = state.spec.layout[name];
      rule.tickvals = values;
      rule.ticktext = values.map((v) => String(Number((v / factor).toPrecision(6))).replace("-", "\u2212"));
      rule.title = { ...rule.title, text: `${rules[name]} (${prefix}${rules.unit})` };
    }
  }

  // What lies outside the frame is said, with the frequencies that it concerns.
  function outsideNote(state) {
    if (state.spec.kind !== "nyquist") return "";
    const { xaxis, yaxis } = state.canvas._fullLayout;
    let count = 0;
    let highest = 0;
    let lowestInside = Infinity;
    for (const trace of state.spec.traces.filter((t) => t.meta?.steps)) {
      trace.x.forEach((x, i) => {
        const y = trace.y[i];
        const isInside = x >= xaxis.range[0] && x <= xaxis.range[1] && y >= yaxis.range[0] && y <= yaxis.range[1];
        if (isInside) lowestInside = Math.min(lowestInside, trace.customdata[i]);
        else { count += 1; highest = Math.max(highest, trace.customdata[i]); }
      });
    }
    if (!count) return "Equal axes, 1 : 1. All points inside this frame.";
    const where = highest < lowestInside ? `, at ${frequencyText(highest)} and below` : "";
    return `Equal axes, 1 : 1. ${count} ${count === 1 ? "point" : "points"} outside this frame${where}.`;
  }

  function frequencyText(value) {
    const [unit, factor] = [["MHz", 1e6], ["kHz", 1e3], ["Hz", 1], ["mHz", 1e-3]].find(([, f]) => value >= 0.9995 * f) ?? ["µHz", 1e-6];
    return `${Number((value / factor).toPrecision(3))} ${unit}`;
  }

  // --- Drawing ----------------------------------------------------------------------------------------------------------------
  function keepRanges(state) {
    for (const [name, axis] of Object.entries(state.canvas._fullLayout)) {
      if (/^[xy]axis\d*$/.test(name) && state.spec.layout[name]) state.spec.layout[name].range = [...axis.range];
    }
  }

  async function redraw(state) {
    const { data, layout } = picture(state, state.scheme, FONT);
    [layout.width, layout.height] = [state.canvas.clientWidth, state.canvas.clientHeight];
    const config = { displayModeBar: false, responsive: false, scrollZoom: false, doubleClick: false, showTips: false };
    state.isDrawing = true;
    await Plotly.react(state.canvas, data, layout, config);
    state.isDrawing = false;
  }

  // Ranges settle first (equal axes widen one of them), then ticks and notes follow the ranges.
  async function draw(state) {
    await redraw(state);
    if (state.spec.si_axes) {
      keepRanges(state);
      setSiTicks(state);
      await redraw(state);
    }
    const note = state.element.querySelector(".plot-note");
    if (note) note.textContent = [outsideNote(state), besides(state)].filter(Boolean).join(" ");
    for (const hook of HOOKS.drawn) hook(state);
  }

  async function setFrame(state, name) {
    state.frame = name;
    if (state.whole) state.spec.traces = state.whole;
    if (state.stretch) takeStretch(state, state.stretch);
    const frame = state.spec.frames?.[name];
    for (const [axis, range] of Object.entries(state.home)) state.spec.layout[axis].range = [...range];
    for (const [axis, range] of Object.entries(frame ?? {})) state.spec.layout[`${axis[0]}axis${axis.slice(1)}`].range = [...range];
    if (frame && state.spec.kind === "nyquist") {
      // The strip below zero holds the words of the intercepts, however small the frame is.
      const strip = 34 * (frame.x[1] - frame.x[0]) / Math.max(state.canvas.clientWidth - 72, 100);
      state.spec.layout.yaxis.range = [Math.min(frame.y[0], -strip), frame.y[1]];
    }
    for (const button of state.element.querySelectorAll("[data-frame]")) {
      button.setAttribute("aria-pressed", String(button.dataset.frame === name));
    }
    state.isZoomed = false;
    state.canvas.layout && (state.spec.layout.uirevision = `${name}${Date.now()}`);
    await draw(state);
  }

  async function zoom(state, factor) {
    keepRanges(state);
    for (const [name, axis] of Object.entries(state.spec.layout)) {
      if (!/^[xy]axis\d*$/.test(name) || axis.matches || axis.fixedrange) continue;
      if (state.spec.window !== undefined && name !== "xaxis") continue;   // of a long series the time alone
      const middle = (axis.range[0] + axis.range[1]) / 2;
      axis.range = axis.range.map((edge) => middle + (edge - middle) * factor);
    }
    state.isZoomed = true;
    state.spec.layout.uirevision = String(Date.now());
    await draw(state);
  }

  // --- What a point says: a sentence of its own, or a pattern of Plotly's for all points of the series ----------------------
  function words(trace, row) {
    if (!trace.meta.pattern) return trace.text[row];
    const write = { f: (value, digits) => value.toFixed(digits), r: (value, digits) => value.toPrecision(digits) };
    return trace.meta.pattern.replace(/%\{([xy]):\.(\d)([fr])\}/g, (_, axis, digits, form) =>
      write[form](trace[axis][row], Number(digits)).replace("-", "\u2212"));
  }

  // --- Keyboard: arrows step through the points, up and down change the series ----------------------------------------------------
  function say(state, text, code) {
    const reading = state.element.querySelector(".plot-read");
    if (!reading) return;
    reading.textContent = text;
    if (!code) return;
    const link = document.createElement("a");
    link.href = `/measurements/${code}/`;
    link.textContent = code;
    reading.append(" ", link);
  }

  function step(state, event) {
    const series = state.spec.traces.map((trace, index) => ({ trace, index })).filter(({ trace }) => trace.meta?.steps);
    if (!series.length) return;
    const at = state.cursor ?? { series: 0, point: -1 };
    const last = () => series[at.series].trace.x.length - 1;
    const moves = {
      ArrowRight: () => { at.point = Math.min(at.point + 1, last()); },
      ArrowLeft: () => { at.point = Math.max(at.point - 1, 0); },
      ArrowDown: () => { at.series = (at.series + 1) % series.length; at.point = Math.min(Math.max(at.point, 0), last()); },
      ArrowUp: () => { at.series = (at.series + series.length - 1) % series.length; at.point = Math.min(Math.max(at.point, 0), last()); },
      Home: () => { at.point = 0; },
      End: () => { at.point = last(); },
    };
    if (!moves[event.key]) {
      for (const hook of HOOKS.step) hook(state, event, series);
      return;
    }
    event.preventDefault();
    moves[event.key]();
    state.cursor = at;
    const { trace, index } = series[at.series];
    const subplot = `${trace.xaxis ?? "x"}${trace.yaxis ?? "y"}`;
    const point = { curveNumber: index, pointNumber: at.point };
    Plotly.Fx.hover(state.canvas, [point], [subplot]);
    for (const hook of HOOKS.point) hook(state, { points: [point] });
    say(state, `${trace.name}, ${at.point + 1} of ${trace.x.length}. ${words(trace, at.point)}`, trace.meta.codes?.[at.point]);
  }

  // --- Buttons -----------------------------------------------------------------------------------------------------------------------
  function onClick(state, event) {
    const button = event.target.closest("button");
    if (!button) return;
    const act = {
      "zoom-in": () => zoom(state, 0.6), "zoom-out": () => zoom(state, 1 / 0.6), reset: () => setFrame(state, state.frame),
    }[button.dataset.act] ?? (ACTS[button.dataset.act] && (() => ACTS[button.dataset.act](state, button)));
    if (act) act();
    else if (button.dataset.frame) setFrame(state, button.dataset.frame);
  }

  // --- Start -------------------------------------------------------------------------------------------------------------------------
  // The figure as the server draws it, with the options that a person chose.
  function address(state, more = {}) {
    const url = new URL(state.element.dataset.src, location.href);
    for (const [name, value] of Object.entries({ ...state.chosen, ...more })) url.searchParams.set(name, value);
    return url;
  }

  async function ask(state, more) {
    const answer = await fetch(address(state, more), { headers: { Accept: "application/json" } });
    if (!answer.ok) throw new Error(String(answer.status));
    return answer.json();
  }

  // What changes with the stretch of a series: words, and the ticks of axes that follow another one (cycles above hours).
  function stretchOf(layout) {
    const following = Object.entries(layout).filter(([name, axis]) => /^[xy]axis\d*$/.test(name) && axis.matches);
    const ticks = following.map(([name, { tickvals, ticktext }]) => [name, { tickvals, ticktext }]);
    return { ticks, annotations: layout.annotations };
  }

  function takeStretch(state, { ticks, annotations }) {
    for (const [name, values] of ticks) Object.assign(state.spec.layout[name], values);
    state.spec.layout.annotations = annotations;
  }

  function adopt(state, spec) {
    state.spec = spec;
    state.whole = spec.traces;
    state.stretch = stretchOf(spec.layout);
    state.home = {};
    for (const [name, axis] of Object.entries(spec.layout)) {
      if (/^[xy]axis\d*$/.test(name)) state.home[name] = [...axis.range];
    }
    state.frame = spec.frames?.[state.frame] ? state.frame : spec.frame ?? null;
    state.cursor = undefined;
    state.canvas.setAttribute("aria-label", `${spec.summary} Arrow keys step through the points.`);
  }

  async function start(element) {
    const canvas = element.querySelector(".plot-canvas");
    if (!canvas || DRAWN.has(element)) return;
    const state = { element, canvas, spec: null, frame: null, home: {}, chosen: {}, seen: new Map() };
    DRAWN.set(element, state);
    canvas.classList.add("is-waiting");
    try {
      for (const hook of HOOKS.begin) hook(state);
      adopt(state, await ask(state));
    } catch {
      DRAWN.delete(element);
      showFailure(element, canvas);
      return;
    }
    canvas.classList.remove("is-waiting");
    await setFrame(state, state.frame);
    canvas.addEventListener("keydown", (event) => step(state, event));
    element.addEventListener("click", (event) => onClick(state, event));
    canvas.on("plotly_doubleclick", () => setFrame(state, state.frame));
    canvas.on("plotly_relayout", () => {
      if (state.isDrawing) return;
      keepRanges(state);
      state.isZoomed = true;
      draw(state);
    });
    for (const hook of HOOKS.ready) await hook(state);
    new ResizeObserver(() => fit(state)).observe(canvas);
  }

  function fit(state) {
    const { clientWidth: width, clientHeight: height } = state.canvas;
    if (!width || (state.width === width && state.height === height)) return;
    const isFirst = state.width === undefined;
    [state.width, state.height] = [width, height];
    if (isFirst) return;
    if (state.isZoomed) draw(state);
    else setFrame(state, state.frame);
  }

  function showFailure(element, canvas) {
    canvas.replaceChildren();
    const line = document.createElement("p");
    line.textContent = "The plot could not be loaded. Its numbers are in the table below. ";
    const again = document.createElement("button");
    again.type = "button";
    again.className = "btn sm";
    again.textContent = "Try again";
    again.addEventListener("click", () => { canvas.replaceChildren(); start(element); });
    line.append(again);
    canvas.append(line);
    canvas.classList.remove("is-waiting");
  }

  function startAll(root) {
    for (const element of root.querySelectorAll("figure.plot[data-src]")) start(element);
  }

  function recolour(scheme) {
    for (const element of document.querySelectorAll("figure.plot[data-src]")) {
      const state = DRAWN.get(element);
      if (!state?.spec) continue;
      state.scheme = scheme;
      keepRanges(state);
      draw(state);
    }
  }

  // For plot_view.js and plot_export.js.
  window.lagpdbPlot = { ACTS, HOOKS, picture, keepRanges, say, ask, adopt, draw, setFrame, stretchOf, takeStretch };

  document.addEventListener("DOMContentLoaded", () => startAll(document));
  document.addEventListener("htmx:afterSwap", (event) => startAll(event.detail.elt.parentElement ?? document));
  document.addEventListener("lagpdb:theme", () => recolour());
  window.addEventListener("beforeprint", () => recolour("light"));
  window.addEventListener("afterprint", () => recolour());
})();
