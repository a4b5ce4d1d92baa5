// Keys: `?` shows them, `g` and a letter goes to a page, `/` to the search, `j` and `k` from row to row, Enter opens a
// row, `x` selects it. Elements name their key in data-key; a list of rows has data-rows. None acts while somebody
// types or holds Ctrl, Alt or Meta.
//
// A row whose form htmx sends is answered by the same row as it is now. Whoever acted goes on to the next row that has
// no data-done, and the list stays where it is; after an undoing or a refusal they stay on the row.
(() => {
  "use strict";
  let prefix = "";
  let forget = 0;
  const places = new WeakMap();

  const isTyping = (target) =>
    target.closest("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]") !== null;
  const rows = () => [...document.querySelectorAll("[data-rows] > :not([hidden])")];
  const rowOf = (element) => element?.closest?.("[data-rows] > *") ?? null;

  function goTo(row) {
    for (const each of rows()) each.toggleAttribute("data-here", each === row);
    row.tabIndex = -1;
    row.focus({ preventScroll: true });
    row.scrollIntoView({ block: "nearest" });
  }

  function step(by) {
    const all = rows();
    if (!all.length) return;
    const at = all.findIndex((row) => row.contains(document.activeElement) || row.hasAttribute("data-here"));
    goTo(all[Math.min(Math.max(at + by, 0), all.length - 1)]);
  }

  const here = () => document.querySelector("[data-rows] > [data-here]");

  function press(key) {
    const scope = here();
    const found = scope?.querySelector(`[data-key="${CSS.escape(key)}"]`)
      ?? [...document.querySelectorAll(`[data-key="${CSS.escape(key)}"]`)].find((element) => !rowOf(element));
    if (!found) return false;
    for (let outer = found.closest("details"); outer; outer = outer.parentElement.closest("details")) outer.open = true;
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

  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-close]")) event.target.closest("dialog").close();
  });
  // Who clicks or tabs into a row is on it.
  document.addEventListener("focusin", (event) => {
    const row = rowOf(event.target);
    if (row) for (const each of rows()) each.toggleAttribute("data-here", each === row);
  });
  // An address with a fragment names the row that one comes back to.
  const named = location.hash.length > 1 ? document.getElementById(location.hash.slice(1)) : null;
  if (named && rowOf(named) === named) goTo(named);

  // --- Rows that change in place ---

  const isRow = (element) => element instanceof Element && rowOf(element) === element;

  /** The next row to act on after a row; at the end of the list that row itself. */
  function following(row) {
    const all = rows();
    return all.slice(all.indexOf(row) + 1).find((each) => !each.hasAttribute("data-done")) ?? row;
  }

  document.addEventListener("htmx:before:response", (event) => {
    const { ctx } = event.detail;
    if (!isRow(ctx.target)) return;
    const { raw, status } = ctx.response;
    if (raw.redirected) location.reload(); // signed out in the meantime
    const told = document.querySelector("[data-trouble]");
    const isRefused = status >= 400 && status !== 409;
    if (told) told.hidden = !isRefused;
    if (raw.redirected || isRefused) event.preventDefault();
  });

  document.addEventListener("htmx:before:swap", (event) => {
    const { target } = event.detail.ctx;
    if (!isRow(target)) return;
    const next = following(target);
    places.set(event.detail.ctx, { id: target.id, next: next.id, top: next.getBoundingClientRect().top });
  });

  document.addEventListener("htmx:after:swap", (event) => {
    const place = places.get(event.detail.ctx);
    const row = place && document.getElementById(place.id);
    if (!row) return;
    const next = row.hasAttribute("data-done") ? document.getElementById(place.next) ?? row : row;
    if (next.id === place.next) scrollBy(0, next.getBoundingClientRect().top - place.top);
    goTo(next);
    count();
  });

  // --- A selection ---

  const boxes = () => [...document.querySelectorAll("[data-rows] input[type=checkbox]")];

  function count() {
    const all = boxes();
    const chosen = all.filter((box) => box.checked).length;
    for (const told of document.querySelectorAll("[data-selected]")) told.textContent = `${chosen} selected:`;
    for (const whole of document.querySelectorAll("[data-select-all]")) {
      whole.hidden = false;
      whole.checked = chosen > 0 && chosen === all.length;
      whole.indeterminate = chosen > 0 && chosen < all.length;
    }
  }

  document.addEventListener("change", (event) => {
    if (!event.target.matches("input[type=checkbox]")) return;
    if (event.target.matches("[data-select-all]")) {
      for (const box of boxes()) box.checked = event.target.checked;
    }
    count();
  });
  count();
})();
