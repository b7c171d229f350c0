// Exports of plots: PNG, SVG and the link. Always in the light palette; a line says where the data come from, unless it is
// switched off. Widths are those of a column and of a page of a journal.
"use strict";
(() => {
  const { ACTS, picture, keepRanges, say } = window.lagpdbPlot;
  const PNG_SCALE = 2;
  const PX_PER_MM = 96 / 25.4;
  const FULL_MM = 170;
  const FONT = "Helvetica, Arial, sans-serif";

  function wishes(state) {
    const has = (name) => state.element.querySelector(`[data-export="${name}"]`)?.checked ?? false;
    return { width: has("narrow") ? FULL_MM / 2 : FULL_MM, isClear: has("clear"), hasSource: !has("no-source") };
  }

  // The figure is laid out at full width in any case; a column of 85 mm is the same drawing with larger words.
  function drawing(state, wish) {
    keepRanges(state);
    const width = Math.round(FULL_MM * PX_PER_MM * (wish.width < FULL_MM ? 0.76 : 1));
    const figure = picture(state, "light", FONT, width);
    const height = Math.round(width * Math.min(state.canvas.clientHeight / state.canvas.clientWidth, 1));
    if (wish.isClear) figure.layout.paper_bgcolor = figure.layout.plot_bgcolor = "rgba(0, 0, 0, 0)";
    figure.layout.margin = { ...figure.layout.margin, b: wish.hasSource ? 66 : 50 };
    if (wish.hasSource) {
      figure.layout.annotations = [...(figure.layout.annotations ?? []), {
        text: state.element.dataset.source ?? "", xref: "paper", yref: "paper", x: 1, y: 0, yshift: -62, xanchor: "right",
        yanchor: "bottom", showarrow: false, font: { size: 9, color: "#616a64" },
      }];
    }
    return { figure, width, height };
  }

  async function save(state, format) {
    const wish = wishes(state);
    const { figure, width, height } = drawing(state, wish);
    const millimetres = [wish.width, Math.round(wish.width * height / width)];
    const wanted = Math.round(wish.width * PX_PER_MM);
    const scale = format === "png" ? PNG_SCALE * wanted / width : 1;
    const address = await Plotly.toImage(figure, { format, width, height, scale });
    const link = document.createElement("a");
    link.download = `${state.element.dataset.name ?? state.spec.kind}.${format}`;
    if (format === "svg") {
      const text = decodeURIComponent(address.slice(address.indexOf(",") + 1));
      const sized = text.replace(/^<svg([^>]*?) width="\d+" height="\d+"/, `<svg$1 width="${millimetres[0]}mm" height="${millimetres[1]}mm"`);
      link.href = URL.createObjectURL(new Blob([sized], { type: "image/svg+xml" }));
    } else {
      link.href = address;
    }
    link.click();
    say(state, `${format.toUpperCase()} saved, ${millimetres[0]} mm wide.`);
  }

  async function copyLink(state, button) {
    const words = button.textContent;
    const address = `${location.origin}${location.pathname}${location.search}#${state.element.id}`;
    try {
      await navigator.clipboard.writeText(address);
      button.textContent = "Copied";
    } catch {
      history.replaceState(null, "", `${location.search}#${state.element.id}`);
      button.textContent = "In the address line";
    }
    setTimeout(() => { button.textContent = words; }, 2000);
  }

  ACTS.png = (state) => save(state, "png");
  ACTS.svg = (state) => save(state, "svg");
  ACTS.link = copyLink;
})();
