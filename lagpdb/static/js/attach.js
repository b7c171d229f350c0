// Files of a form are sent when they are chosen or dropped, so that they are part of its draft. Without it they go along
// when the form is saved.
"use strict";
(() => {
  async function take(box, files) {
    const words = box.querySelector("[data-attach-state]");
    const input = box.querySelector("input[type=file]");
    const body = new FormData();
    for (const file of files) body.append("file", file);
    words.textContent = "sending…";
    words.classList.remove("warned");
    let said;
    try {
      const csrf = document.querySelector("input[name=csrfmiddlewaretoken]").value;
      const answer = await fetch("/attachments/", { method: "POST", body, headers: { "X-CSRFToken": csrf } });
      said = await answer.json();
      if (!answer.ok) throw new Error(said.detail);
    } catch (error) {
      words.textContent = said?.detail ?? "Not sent yet. It goes along when you save, if it stays chosen.";
      words.classList.add("warned");
      return;
    }
    input.value = "";
    words.textContent = "";
    for (const file of said.files) list(box, file);
    box.dispatchEvent(new Event("input", { bubbles: true }));
    window.lagpdb?.say(`${said.files.length} ${said.files.length === 1 ? "file has" : "files have"} arrived.`);
  }

  function list(box, file) {
    const item = document.createElement("li");
    const hidden = Object.assign(document.createElement("input"), { type: "hidden", name: `${box.dataset.attach}-kept`, value: file.value });
    const name = Object.assign(document.createElement("span"), { className: "wrap-any", textContent: file.name });
    const drop = Object.assign(document.createElement("button"), { type: "button", className: "btn sm", textContent: "×" });
    drop.dataset.dropFile = "";
    drop.setAttribute("aria-label", `Leave ${file.name} out`);
    item.append(hidden, name, " ", drop);
    box.querySelector(".kept").append(item);
  }

  document.addEventListener("change", (event) => {
    const box = event.target.type === "file" && event.target.closest("[data-attach]");
    if (box && event.target.files.length) take(box, event.target.files);
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-drop-file]");
    if (!button) return;
    const box = button.closest("[data-attach]");
    button.closest("li").remove();
    box.dispatchEvent(new Event("input", { bubbles: true }));
  });
  for (const kind of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(kind, (event) => {
      const box = event.target.closest?.("[data-attach]");
      if (!box) return;
      event.preventDefault();
      box.classList.toggle("over", kind === "dragover");
      if (kind === "drop" && event.dataTransfer.files.length) take(box, event.dataTransfer.files);
    });
  }
})();
