// Keys: `?` shows them, `g` and a letter goes to a page, `/` to the search, `j` and `k` from row to row, Enter opens a
// row, `x` selects it. Elements name their key in data-key; a list of rows has data-rows. None acts while somebody
// types or holds Ctrl, Alt or Meta.
(() => {
  "use strict";
  let prefix = "";
  let forget = 0;

  const isTyping = (target) =>
    target.closest("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]") !== null;
  const rows = () => [...document.querySelectorAll("[data-rows] > :not([hidden])")];

  function step(by) {
    const all = rows();
    if (!all.length) return;
    const at = all.findIndex((row) => row.contains(document.activeElement) || row.hasAttribute("data-here"));
    const next = all[Math.min(Math.max(at + by, 0), all.length - 1)];
    for (const row of all) row.toggleAttribute("data-here", row === next);
    next.tabIndex = -1;
    next.focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
  }

  const here = () => document.querySelector("[data-rows] > [data-here]");

  function press(key) {
    const scope = here();
    const found = scope?.querySelector(`[data-key="${CSS.escape(key)}"]`)
      ?? document.querySelector(`[data-key="${CSS.escape(key)}"]`);
    if (!found) return false;
    if (found.matches("input:not([type=checkbox]), textarea, select")) found.focus();
    else found.click();
    return true;
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
    const help = document.getElementById("keys");
    if (isTyping(event.target)) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    if (help?.open && event.key !== "Escape") return;
    const key = prefix ? `${prefix} ${event.key}` : event.key;
    prefix = "";
    clearTimeout(forget);
    if (key === "?") help?.showModal();
    else if (key === "g") {
      prefix = "g";
      forget = setTimeout(() => { prefix = ""; }, 1500);
    } else if (press(key)) { /* done */ }
    else if (key === "j") step(1);
    else if (key === "k") step(-1);
    else if (key === "x") here()?.querySelector("input[type=checkbox]")?.click();
    else if (key === "Enter" && here() === document.activeElement) here().querySelector("a[href]")?.click();
    else return;
    event.preventDefault();
  });
  // A region that changes in place keeps the row that one is on.
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-close]")) event.target.closest("dialog").close();
  });
})();
