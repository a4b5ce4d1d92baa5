// Live regions: an element with data-live="SECONDS" is asked for again from its data-source (the address of the page
// by default), and changes in place. The server answers with the region alone, or with 304 when nothing has changed.
//
// Nothing moves that somebody is about to click: a region waits while the pointer, the focus or a selection is in it.
// A list (data-live-list) never changes by itself: it says that there is something new, and how to see it. A tab that
// nobody sees asks for nothing.
(() => {
  "use strict";
  const tags = new WeakMap();
  const due = new WeakMap();

  const regions = () => document.querySelectorAll("[data-live]");
  const isBusy = (region) =>
    region.matches(":hover, :focus-within") || region.querySelector("input:checked, details[open] input") !== null;

  async function refresh(region) {
    const source = region.dataset.source || location.href;
    const headers = { "HX-Region": region.id };
    if (tags.has(region)) headers["If-None-Match"] = tags.get(region);
    await htmx.ajax("GET", source, { source: region, target: region, swap: "innerMorph", headers });
  }

  function tell(region) {
    const told = document.getElementById(`${region.id}-news`);
    if (told) told.hidden = false;
  }

  document.addEventListener("htmx:before:response", (event) => {
    const { ctx } = event.detail;
    const region = ctx.target;
    if (!region?.dataset?.live) return;
    const known = tags.get(region);
    const tag = ctx.response.headers.get("ETag");
    if (tag) tags.set(region, tag);
    // Signed out, or an error: keep what is shown, and say that it is old.
    const isWhole = ctx.response.raw.redirected || ctx.response.status >= 400;
    region.toggleAttribute("data-stale", isWhole);
    if (isWhole || (region.hasAttribute("data-live-list") && known !== undefined) || isBusy(region)) {
      if (!isWhole && ctx.response.status === 200) tell(region);
      if (isBusy(region) && known) tags.set(region, known);
      event.preventDefault();
    }
  });

  function look() {
    if (document.hidden) return;
    const now = performance.now();
    for (const region of regions()) {
      const every = Number(region.dataset.live) * 1000;
      if (!due.has(region)) due.set(region, now + every);
      if (now < due.get(region)) continue;
      due.set(region, now + every);
      refresh(region);
    }
  }

  // Relative times, as the server writes them.
  function duration(seconds) {
    if (seconds < 60) return seconds < 10 ? `${seconds.toFixed(1)} s` : `${Math.floor(seconds)} s`;
    if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
    if (seconds >= 86400) return `${Math.floor(seconds / 86400)} d`;
    const minutes = Math.floor((seconds % 3600) / 60);
    return `${Math.floor(seconds / 3600)} h${minutes ? ` ${minutes} min` : ""}`;
  }

  function tick() {
    if (document.hidden) return;
    for (const time of document.querySelectorAll("time[title]")) {
      const seconds = (Date.parse(time.dateTime) - Date.now()) / 1000;
      const isRelative = / ago$|^in |^now$/.test(time.textContent);
      if (!isRelative) continue;
      const text = Math.abs(seconds) < 1 ? "now" : seconds < 0 ? `${duration(-seconds)} ago` : `in ${duration(seconds)}`;
      if (text !== time.textContent) time.textContent = text;
    }
  }

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    for (const region of regions()) due.set(region, 0);
    look();
  });
  setInterval(look, 500);
  setInterval(tick, 1000);
})();
