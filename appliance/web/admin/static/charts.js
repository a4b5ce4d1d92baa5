// Charts: each figure with data-chart is drawn by uPlot from the table in it, and again when the table changes, when
// the width does, and when the colours do. Kinds: bars, line, and latency: seconds on a logarithmic scale, each median
// with the 99 % after it.
(() => {
  "use strict";
  const drawn = new Map();
  // Steps of an axis of things, of which there are no halves.
  const WHOLE = Array.from({ length: 9 }, (_, power) => [1, 2, 5].map((digit) => digit * 10 ** power)).flat();
  // Steps of the axis of times, which are shown by the minute, in seconds.
  const TIMES = [60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 14_400, 21_600, 43_200, 86_400];
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  // light-dark() is not resolved in a custom property, but it is in a property that takes a colour.
  function colour(name) {
    const probe = document.createElement("span");
    probe.className = "probe";
    probe.style.color = `var(${name})`;
    document.body.append(probe);
    const found = getComputedStyle(probe).color;
    probe.remove();
    return found;
  }

  function numbers(figure) {
    const body = figure.querySelector("tbody");
    const columns = [[]];
    for (const row of body.rows) {
      columns[0].push(Number(row.querySelector("[data-at]").dataset.at));
      [...row.querySelectorAll("[data-n]")].forEach((cell, index) => {
        (columns[index + 1] ??= []).push(cell.dataset.n === "" ? null : Number(cell.dataset.n));
      });
    }
    return columns;
  }

  // Durations on an axis, of which each is ten times the one before.
  function duration(seconds) {
    const rounded = (number) => Number(number.toPrecision(2));
    if (seconds < 1) return `${rounded(seconds * 1000)} ms`;
    if (seconds < 1000) return `${rounded(seconds)} s`;
    if (seconds < 3600) return `${rounded(seconds / 60)} min`;
    return seconds < 86400 ? `${rounded(seconds / 3600)} h` : `${rounded(seconds / 86400)} d`;
  }

  // A time of day, or the day where one begins or when days are shown.
  function moment(at, step, zone) {
    const format = (options) => new Intl.DateTimeFormat("en-GB", { timeZone: zone, ...options }).format(new Date(at * 1000));
    const time = format({ hour: "2-digit", minute: "2-digit" });
    return step >= 86400 || time === "00:00" ? format({ day: "numeric", month: "short" }) : time;
  }

  function tens(_plot, _axis, low, high) {
    const found = [];
    for (let power = Math.round(Math.log10(low)); power <= Math.round(Math.log10(high)); power += 1) found.push(10 ** power);
    return found;
  }

  // A logarithmic scale from one power of ten to another.
  function powers(_plot, low, high) {
    const from = Math.floor(Math.log10(low ?? 0.001));
    return [10 ** from, 10 ** Math.max(from + 1, Math.ceil(Math.log10(high ?? 1)))];
  }

  function draw(figure) {
    const plot = figure.querySelector(".plot");
    drawn.get(figure)?.destroy();
    const data = numbers(figure);
    if (data[0].length < 2 || plot.clientWidth === 0) return;
    const heads = [...figure.querySelectorAll("thead th")].slice(1).map((cell) => cell.textContent);
    const strokes = ["--accent", "--warn", "--bad"].map(colour);
    const isBars = figure.dataset.chart === "bars";
    const isLatency = figure.dataset.chart === "latency";
    const font = `12px ${getComputedStyle(document.body).fontFamily}`;
    const axis = { stroke: colour("--soft"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font };
    const zone = figure.dataset.zone || undefined;
    const unit = figure.dataset.unit;
    const strokeOf = (index) => strokes[(isLatency ? Math.floor(index / 2) : index) % strokes.length];
    const series = heads.map((label, index) => ({
      label,
      stroke: strokeOf(index),
      width: isBars ? 0 : 1.5,
      dash: (isLatency ? index % 2 : index) ? [6, 3] : undefined,
      fill: isBars ? strokeOf(index) : undefined,
      // Between minutes without a measurement there is no line to be seen.
      points: { show: isLatency, size: 4, fill: strokeOf(index) },
      paths: isBars ? uPlot.paths.bars({ size: [0.8, 40] }) : undefined,
      spanGaps: false,
    }));
    const text = (one) => (one === null ? "" : isLatency ? duration(one) : `${one.toLocaleString("en")}${unit}`);
    drawn.set(figure, new uPlot({
      width: plot.clientWidth,
      height: 160,
      padding: [8, 22, 0, 0],
      tzDate: (seconds) => (zone ? uPlot.tzDate(new Date(seconds * 1000), zone) : new Date(seconds * 1000)),
      cursor: { y: false, drag: { setScale: false } },
      legend: { show: heads.length > 1, live: false },
      scales: { y: isLatency ? { distr: 3, range: powers } : { range: (_plot, _low, high) => [0, Math.max(high, 1) * 1.05] } },
      series: [{}, ...series],
      axes: [{ ...axis, size: 30, incrs: TIMES, values: (_plot, splits, _axis, _space, step) => splits.map((at) => moment(at, step, zone)) }, { ...axis, size: 60, splits: isLatency ? tens : undefined, incrs: isBars ? WHOLE : undefined, values: (_plot, splits) => splits.map(text) }],
    }, data, plot));
  }

  function all(root = document) {
    for (const figure of drawn.keys()) if (!figure.isConnected) drawn.delete(figure);
    for (const figure of root.querySelectorAll("[data-chart]")) draw(figure);
  }
  document.addEventListener("DOMContentLoaded", () => all());
  document.addEventListener("htmx:after:swap", (event) => all(event.detail.ctx?.target ?? document));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => all());
  let width = 0;
  new ResizeObserver(() => {
    if (document.body.clientWidth === width) return;
    width = document.body.clientWidth;
    all();
  }).observe(document.documentElement);
})();
