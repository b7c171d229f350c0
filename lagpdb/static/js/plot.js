// The one plotting component. Every <figure class="plot" data-src="….json"> becomes a Plotly plot with the same colours,
// buttons, exports and keyboard. Figures are built by the server (analysis/figures/); colours in them are roles.
"use strict";
(() => {
  const DRAWN = new WeakMap();                     // figure element → state: {element, canvas, spec, frame}
  const FONT = 'Inter, system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif';
  const NARROW_PX = 480;
  const DECADE_PX = 36;
  const ACTS = {};                                 // what buttons of the other files do: data-act → (state, button)
  const HOOKS = { begin: [], ready: [], drawn: [], step: [], point: [] };

  // The library brings a style sheet for maps, which the security policy would refuse with an error; it is not needed.
  document.head.appendChild = (node) => (node instanceof HTMLStyleElement ? node : Node.prototype.appendChild.call(document.head, node));

  // Plotly writes some styles as attributes, which the security policy forbids; through the object model they may stand.
  SVGElement.prototype.setAttribute = function setAttribute(name, value) {
    if (name === "style") this.style.cssText = value;
    else Element.prototype.setAttribute.call(this, name, value);
  };

  // --- Colours: "role:fit@0.15" becomes the style sheet's --fit with that opacity -----------------------------------------
  function palette(scheme) {
    const probe = document.createElement("span");
    probe.hidden = true;
    if (scheme) probe.style.colorScheme = scheme;
    document.body.append(probe);
    const known = {};
    const colour = (role) => {
      if (!(role in known)) {
        const [name, opacity] = role.split("@");
        probe.style.color = `var(--${name})`;
        const rgb = getComputedStyle(probe).color.match(/[\d.]+/g).slice(0, 3).join(", ");
        known[role] = opacity ? `rgba(${rgb}, ${opacity})` : `rgb(${rgb})`;
      }
      return known[role];
    };
    return { colour, done: () => probe.remove() };
  }

  function coloured(part, colour) {
    if (typeof part === "string") return part.startsWith("role:") ? colour(part.slice(5)) : part;
    if (Array.isArray(part)) return part.map((item) => coloured(item, colour));
    if (part && typeof part === "object") {
      return Object.fromEntries(Object.entries(part).map(([key, value]) => [key, coloured(value, colour)]));
    }
    return part;
  }

  // --- The layout that all kinds share ------------------------------------------------------------------------------------
  function axisStyle(axis) {
    return {
      showline: true, mirror: !axis.overlaying, linecolor: "role:edge", linewidth: 1, ticks: "outside",
      ticklen: 5, tickcolor: "role:edge", gridcolor: "role:line", gridwidth: 1, zeroline: false,
      zerolinecolor: "role:edge", zerolinewidth: 1, minexponent: 4, exponentformat: "power", automargin: true,
      tickfont: { size: 11.5, color: "role:ink2" }, hoverformat: ".4~g", ...axis,
      title: { font: { size: 12.5, color: "role:ink" }, ...axis.title },
    };
  }

  function fullLayout(spec, font) {
    const legend = {
      orientation: "h", x: 0, y: 1.02, yanchor: "bottom", font: { size: 12, color: "role:ink2" },
      bgcolor: "role:surface@0", itemsizing: "trace",
    };
    const layout = {
      paper_bgcolor: "role:surface", plot_bgcolor: "role:surface", margin: { l: 58, r: 14, t: 8, b: 44 },
      font: { family: font, size: 12, color: "role:ink2" }, hovermode: "closest", dragmode: "zoom", showlegend: true,
      hoverlabel: { bgcolor: "role:surface", bordercolor: "role:edge", font: { color: "role:ink", size: 12.5 } },
      separators: ".\u202f", uirevision: "keep", ...spec.layout,
    };
    layout.legend = { ...legend, ...spec.layout.legend };
    for (const [name, axis] of Object.entries(spec.layout)) {
      if (/^[xy]axis\d*$/.test(name)) layout[name] = axisStyle(axis);
    }
    return layout;
  }

  // Of the decade labels, those that would lie on each other are left out: the first (highest) frequency stays.
  function thinned(state, trace) {
    const ohm = state.pxPerOhm;
    if (!ohm || !Array.isArray(trace.textposition)) return trace;
    const taken = [];
    const rows = trace.x.map((_, row) => row).filter((row) => {
      const side = trace.textposition[row];
      const x = trace.x[row] * ohm + (side.includes("right") ? 36 : side.includes("left") ? -36 : 0);
      const y = trace.y[row] * ohm + (side.includes("top") ? 14 : side.includes("bottom") ? -14 : 0);
      if (taken.some(([a, b]) => Math.abs(a - x) < 62 && Math.abs(b - y) < 16)) return false;
      taken.push([x, y]);
      return true;
    });
    const only = (values) => rows.map((row) => values[row]);
    return { ...trace, x: only(trace.x), y: only(trace.y), text: only(trace.text), textposition: only(trace.textposition) };
  }

  function shownTraces(state) {
    const shown = state.spec.traces.map((trace) => {
      const frame = trace.meta?.frame;
      if (frame) return frame === state.frame ? thinned(state, trace) : { ...trace, visible: false };
      return state.seen.has(trace.name) ? { ...trace, visible: state.seen.get(trace.name) } : trace;
    });
    return [...shown, ...(state.overlay ?? [])];
  }

  // Long words stand beside the curve where there is room, else in the line below the plot.
  const isNarrow = (state) => state.canvas.clientWidth < NARROW_PX;

  function besides(state) {
    const words = (state.spec.layout.annotations ?? []).filter(({ name }) => name === "words" && isNarrow(state));
    const plain = (text) => text.replaceAll("<br>", " ").replace(/<[^>]+>/g, "").replaceAll("&nbsp;", " ").trim();
    return words.map(({ text }) => `${plain(text).replace(/\.$/, "")}.`).join(" ");
  }

  // Decades that would stand on each other: every second one, or every third.
  function roomy(axis, width) {
    if (axis.type !== "log" || !axis.tickvals || !width) return axis;
    const every = Math.ceil(DECADE_PX * (axis.range[1] - axis.range[0]) / width);
    if (every < 2) return axis;
    const rows = axis.tickvals.map((_, row) => row).filter((row) => Math.round(Math.log10(axis.tickvals[row])) % every === 0);
    return { ...axis, tickvals: rows.map((row) => axis.tickvals[row]), ticktext: rows.map((row) => axis.ticktext[row]) };
  }

  function picture(state, scheme, font, width = state.canvas.clientWidth) {
    const colours = palette(scheme);
    const data = coloured(shownTraces(state), colours.colour);
    const layout = coloured(fullLayout(state.spec, font), colours.colour);
    layout.annotations = (layout.annotations ?? [])
      .filter(({ name }) => !name || name === state.frame || (name === "words" && width >= NARROW_PX));
    layout.xaxis = roomy(layout.xaxis, (width - 80) * (layout.xaxis.domain ? layout.xaxis.domain[1] - layout.xaxis.domain[0] : 1));
    colours.done();
    return { data, layout };
  }

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
    say(state, `${trace.name}, ${at.point + 1} of ${trace.x.length}. ${trace.text[at.point]}`, trace.meta.codes?.[at.point]);
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
