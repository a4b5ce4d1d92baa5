// Selecting rows: the box in the head of a table selects all rows of the page, and the bar above says how many are.
(() => {
  "use strict";
  const boxes = (form) => [...form.querySelectorAll("tbody input[type=checkbox]")];

  function tell(form) {
    const all = boxes(form);
    const selected = all.filter((box) => box.checked).length;
    const head = form.querySelector("[data-select-all]");
    if (head) {
      head.checked = selected > 0 && selected === all.length;
      head.indeterminate = selected > 0 && selected < all.length;
    }
    const told = form.querySelector("[data-selected]");
    if (told) told.textContent = selected ? `${selected} selected:` : "With those selected:";
  }

  document.addEventListener("change", (event) => {
    const form = event.target.closest("form");
    if (!form?.querySelector("[data-select-all]")) return;
    if (event.target.matches("[data-select-all]")) {
      for (const box of boxes(form)) box.checked = event.target.checked;
    }
    tell(form);
  });
  for (const head of document.querySelectorAll("[data-select-all]")) tell(head.closest("form"));
})();
