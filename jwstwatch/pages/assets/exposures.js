// Starts the live tables of a proposal's page; what stands there for readers without script is put away.
"use strict";

(() => {
  const jwstwatch = (window.jwstwatch = window.jwstwatch || {});
  const tables = new Map();

  function readPage() {
    try {
      return JSON.parse(document.getElementById("main").dataset.page);
    } catch {
      return null;
    }
  }

  function build(page, place, keys) {
    const section = place.dataset.section;
    if (tables.has(section)) return;
    const table = new jwstwatch.LiveTable(page, section, place.querySelector("details") ?? place, () => keys.showHelp());
    tables.set(section, table);
    keys.add(table);
  }

  // A folded section costs nothing until it is opened; a link that filters it opens it.
  function start(page, place, keys) {
    place.classList.add("live");
    const fold = place.querySelector("details");
    if (!fold) return build(page, place, keys);
    fold.addEventListener("toggle", () => fold.open && build(page, place, keys));
    if (jwstwatch.choices.isInAddress(place.dataset.section)) fold.open = true;
    if (fold.open) build(page, place, keys);
  }

  const page = document.getElementById("main")?.dataset.page ? readPage() : null;
  if (!page) return;
  const keys = new jwstwatch.Keys();
  document.querySelectorAll("[data-section]").forEach((place) => start(page, place, keys));

  window.addEventListener("hashchange", () => {
    for (const [section, table] of tables) if (jwstwatch.choices.isInAddress(section)) table.readChoice();
  });

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-part]");
    if (link && tables.get("exposures")?.jump(link.dataset.part)) event.preventDefault();
  });
})();
