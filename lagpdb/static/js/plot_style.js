// How plots look: a figure of the server, whose colours are roles, becomes the data and the layout that Plotly draws.
"use strict";
(() => {
  const NARROW_PX = 480;
  const DECADE_PX = 36;
  const LABEL_PX = 64;                             // the widest label of a frequency, with its distance to the point

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

  // A label that would be cut off at the edge of the frame stands on the other side of its point.
  function sideOf(state, trace, row) {
    const { range } = state.canvas._fullLayout.xaxis;
    const side = trace.textposition[row];
    const [before, behind] = [trace.x[row] - range[0], range[1] - trace.x[row]].map((ohm) => ohm * state.pxPerOhm);
    const need = side.includes("center") ? LABEL_PX / 2 : LABEL_PX;
    if (before < need && !side.includes("right")) return side.replace(/left|center/, "right");
    if (behind < need && !side.includes("left")) return side.replace(/right|center/, "left");
    return side;
  }

  // Of the decade labels, those that would lie on each other are left out: the first (highest) frequency stays.
  function thinned(state, trace) {
    const ohm = state.pxPerOhm;
    if (!ohm || !Array.isArray(trace.textposition)) return trace;
    const taken = [];
    const sides = trace.x.map((_, row) => sideOf(state, trace, row));
    const rows = trace.x.map((_, row) => row).filter((row) => {
      const side = sides[row];
      const x = trace.x[row] * ohm + (side.includes("right") ? 36 : side.includes("left") ? -36 : 0);
      const y = trace.y[row] * ohm + (side.includes("top") ? 14 : side.includes("bottom") ? -14 : 0);
      if (taken.some(([a, b]) => Math.abs(a - x) < 62 && Math.abs(b - y) < 16)) return false;
      taken.push([x, y]);
      return true;
    });
    const only = (values) => rows.map((row) => values[row]);
    return { ...trace, x: only(trace.x), y: only(trace.y), text: only(trace.text), textposition: only(sides) };
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

  // For plot.js.
  window.lagpdbPlotStyle = { picture, besides };
})();
