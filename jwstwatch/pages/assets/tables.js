// Sorting and filtering for tables that are complete without this script.
"use strict";

(() => {
  const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });
  const narrow = window.matchMedia("(max-width: 40rem)");

  const textOf = (cell) => (cell ? cell.dataset.sort ?? cell.textContent.trim() : "");

  function compare(kind) {
    return kind === "number" ? (one, other) => Number(one) - Number(other) : collator.compare;
  }

  // Out of the document while they move: thousands of rows are laid out once, not one by one.
  function placeRows(table, rows) {
    const body = table.tBodies[0];
    const following = body.nextSibling;
    body.remove();
    body.append(...rows);
    table.insertBefore(body, following);
  }

  // Empty cells stay last in both directions; rows that are equal keep their order.
  function sortRows(table, column, direction) {
    const order = compare(table.tHead.rows[0].cells[column].dataset.kind);
    const keyed = Array.from(table.tBodies[0].rows, (row) => [textOf(row.cells[column]), row]);
    const filled = keyed.filter(([key]) => key !== "");
    const empty = keyed.filter(([key]) => key === "");
    filled.sort(([one], [other]) => direction * order(one, other));
    placeRows(table, filled.concat(empty).map(([, row]) => row));
    for (const head of table.tHead.rows[0].cells) head.removeAttribute("aria-sort");
    table.tHead.rows[0].cells[column].setAttribute("aria-sort", direction > 0 ? "ascending" : "descending");
  }

  function makeSortable(table) {
    Array.from(table.tHead.rows[0].cells).forEach((head, column) => {
      if (head.dataset.kind === "none") return;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      button.addEventListener("click", () => {
        sortRows(table, column, head.getAttribute("aria-sort") === "ascending" ? -1 : 1);
      });
      head.append(button);
    });
  }

  // On a narrow screen a row is shown as a card: each value then needs the name of its column.
  function labelCells(table) {
    if (table.dataset.labelled) return;
    table.dataset.labelled = "yes";
    const heads = Array.from(table.tHead.rows[0].cells);
    const names = heads.map((head) => (head.dataset.kind === "none" ? "" : head.textContent.trim()));
    for (const row of [...table.tBodies[0].rows, ...(table.tFoot ? table.tFoot.rows : [])]) {
      Array.from(row.cells).forEach((cell, column) => {
        const plain = cell.tagName === "TD" && !cell.classList.contains("title");
        if (plain && names[column]) cell.dataset.label = names[column];
      });
    }
  }

  function setUpTools(tools) {
    const table = document.getElementById(tools.dataset.for);
    const rows = Array.from(table.tBodies[0].rows);
    const output = tools.querySelector("output");
    let texts = null;

    function filter(words) {
      texts ??= rows.map((row) => row.textContent.toLowerCase());
      let shown = 0;
      rows.forEach((row, position) => {
        const match = words.every((word) => texts[position].includes(word));
        row.hidden = !match;
        shown += match ? 1 : 0;
      });
      output.textContent = words.length ? `${shown} of ${rows.length} shown` : "";
    }

    let waiting;
    tools.querySelector("input").addEventListener("input", (event) => {
      clearTimeout(waiting);
      const words = event.target.value.toLowerCase().split(/\s+/).filter(Boolean);
      waiting = setTimeout(filter, rows.length > 500 ? 150 : 0, words);
    });

    const select = tools.querySelector("select");
    select.append(new Option("as listed", ""));
    Array.from(table.tHead.rows[0].cells).forEach((head, column) => {
      if (head.dataset.kind === "none") return;
      const name = head.textContent.trim();
      select.append(new Option(`${name} \u2191`, `${column} 1`), new Option(`${name} \u2193`, `${column} -1`));
    });
    select.addEventListener("change", () => {
      if (select.value) sortRows(table, ...select.value.split(" ").map(Number));
      else placeRows(table, rows);
    });
    tools.hidden = false;
  }

  document.documentElement.classList.add("scripted");
  // Where a live table takes the place of a plain one, nobody sees the plain one.
  const seen = (element) => !element.closest("[data-page] .plain");
  const tables = Array.from(document.querySelectorAll("table.sortable")).filter(seen);
  Array.from(document.querySelectorAll(".tools[data-for]")).filter(seen).forEach(setUpTools);
  tables.forEach(makeSortable);
  const label = () => narrow.matches && tables.forEach(labelCells);
  narrow.addEventListener("change", label);
  label();
})();
