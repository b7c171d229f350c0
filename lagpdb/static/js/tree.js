// The genealogy: arrow keys walk along its lines, and the drawing is saved as PNG. Without it every box is still a link.
"use strict";
(() => {
  const PNG_SCALE = 2;

  // --- Arrow keys: left to the parent, right to the first child, up and down within a column --------------------------------
  function start(svg) {
    const nodes = [...svg.querySelectorAll("a.node")];
    const byNumber = new Map(nodes.map((node) => [node.dataset.n, node]));
    const place = (node) => node.getBoundingClientRect();

    function reach(node) {
      for (const each of nodes) each.setAttribute("tabindex", each === node ? "0" : "-1");
    }

    function beside(node, direction) {
      const from = place(node);
      const column = nodes.filter((each) => Math.abs(place(each).left - from.left) < 2);
      const next = column.filter((each) => (place(each).top - from.top) * direction > 1);
      next.sort((a, b) => Math.abs(place(a).top - from.top) - Math.abs(place(b).top - from.top));
      return next[0];
    }

    function target(node, key) {
      if (key === "ArrowLeft") return byNumber.get(node.dataset.parent);
      if (key === "ArrowRight") return nodes.find((each) => each.dataset.parent === node.dataset.n);
      if (key === "ArrowUp") return beside(node, -1);
      if (key === "ArrowDown") return beside(node, 1);
      if (key === "Home") return nodes[0];
      return undefined;
    }

    svg.addEventListener("keydown", (event) => {
      const node = event.target.closest("a.node");
      if (!node || event.ctrlKey || event.metaKey || event.altKey) return;
      const next = target(node, event.key);
      if (!next && !/^(Arrow(Left|Right|Up|Down)|Home)$/.test(event.key)) return;
      event.preventDefault();
      if (!next) return;
      reach(next);
      next.focus();
      next.scrollIntoView({ block: "nearest", inline: "nearest" });
    });
    svg.addEventListener("focusin", (event) => {
      const node = event.target.closest("a.node");
      if (node) reach(node);
    });
    const here = svg.querySelector("a.node.here") ?? nodes[0];
    reach(here);
    const box = svg.closest(".scroll");                       // on a narrow screen: begin where the record stands
    if (box && box.scrollWidth > box.clientWidth) {
      box.scrollLeft += place(here).left + place(here).width / 2 - place(box).left - box.clientWidth / 2;
    }
  }

  // --- PNG: the exported drawing, painted -------------------------------------------------------------------------------------
  async function savePng(button) {
    const answer = await fetch(button.dataset.png);
    if (!answer.ok) {
      window.lagpdb.say("The drawing could not be loaded. Try again.");
      return;
    }
    const address = URL.createObjectURL(new Blob([await answer.text()], { type: "image/svg+xml" }));
    const image = new Image();
    image.src = address;
    await image.decode();
    const canvas = document.createElement("canvas");
    canvas.width = image.naturalWidth * PNG_SCALE;
    canvas.height = image.naturalHeight * PNG_SCALE;
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    URL.revokeObjectURL(address);
    const link = document.createElement("a");
    link.download = button.dataset.file;
    link.href = canvas.toDataURL("image/png");
    link.click();
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-png]");
    if (button) savePng(button);
  });
  document.addEventListener("DOMContentLoaded", () => document.querySelectorAll("svg.tree").forEach(start));
})();
