// Charts: each figure with data-chart is drawn by uPlot from the table in it, and again when the table changes, when
// the width does, and when the colours do.
(() => {
  "use strict";
  const drawn = new Map();
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

  function draw(figure) {
    const plot = figure.querySelector(".plot");
    drawn.get(figure)?.destroy();
    const data = numbers(figure);
    if (data[0].length < 2 || plot.clientWidth === 0) return;
    const heads = [...figure.querySelectorAll("thead th")].slice(1).map((cell) => cell.textContent);
    const strokes = ["--accent", "--warn", "--bad"].map(colour);
    const isBars = figure.dataset.chart === "bars";
    const font = `12px ${getComputedStyle(document.body).fontFamily}`;
    const axis = { stroke: colour("--soft"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font };
    const unit = figure.dataset.unit;
    const series = heads.map((label, index) => ({
      label,
      stroke: strokes[index % strokes.length],
      width: isBars ? 0 : 1.5,
      dash: index ? [6, 3] : undefined,
      fill: isBars ? strokes[index % strokes.length] : undefined,
      points: { show: false },
      paths: isBars ? uPlot.paths.bars({ size: [0.8, 40] }) : undefined,
      spanGaps: false,
    }));
    drawn.set(figure, new uPlot({
      width: plot.clientWidth,
      height: 160,
      padding: [8, 8, 0, 0],
      cursor: { y: false, drag: { setScale: false } },
      legend: { show: heads.length > 1, live: false },
      scales: { y: { range: (_plot, _low, high) => [0, Math.max(high, 1) * 1.05] } },
      series: [{}, ...series],
      axes: [axis, { ...axis, size: 60, values: (_plot, splits) => splits.map((one) => (one === null ? "" : `${one}${unit}`)) }],
    }, data, plot));
  }

  const all = () => { for (const figure of document.querySelectorAll("[data-chart]")) draw(figure); };
  document.addEventListener("DOMContentLoaded", all);
  document.addEventListener("htmx:after:swap", all);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", all);
  let width = 0;
  new ResizeObserver(() => {
    if (document.body.clientWidth === width) return;
    width = document.body.clientWidth;
    all();
  }).observe(document.documentElement);
})();
