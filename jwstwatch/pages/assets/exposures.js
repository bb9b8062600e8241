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

  // A folded section costs nothing until it is opened.
  function start(page, place, keys) {
    const fold = place.querySelector("details");
    if (!fold) return build(page, place, keys);
    fold.addEventListener("toggle", () => fold.open && build(page, place, keys));
    if (fold.open) build(page, place, keys);
  }

  // Feeds lead to the exposures of an observation; where it has none, to the first table that shows something of it.
  function mendAddress(page, places) {
    const given = new URLSearchParams(location.hash.slice(1));
    const part = page.parts.find(({ id }) => id === given.get("exposures.observation"));
    if (!part || part.exposures) return;
    given.delete("exposures.observation");
    const place = places.find(({ dataset }) => part[dataset.section]);
    if (place) given.set(`${place.dataset.section}.observation`, part.id);
    history.replaceState(null, "", `#${given}`);
  }

  // Shows what the address chooses; returns the first place where it does.
  function follow(page, places, keys) {
    mendAddress(page, places);
    const chosen = places.filter(({ dataset }) => jwstwatch.choices.isInAddress(dataset.section));
    for (const place of chosen) {
      const known = tables.get(place.dataset.section);
      const fold = place.querySelector("details");
      if (fold) fold.open = true;
      if (known) known.readChoice();
      else build(page, place, keys);
    }
    return chosen[0];
  }

  const page = document.getElementById("main")?.dataset.page ? readPage() : null;
  if (!page) return;
  const keys = new jwstwatch.Keys();
  const places = [...document.querySelectorAll("[data-section]")];
  for (const place of places) place.classList.add("live");
  const wanted = follow(page, places, keys);
  for (const place of places) start(page, place, keys);
  wanted?.scrollIntoView();
  window.addEventListener("hashchange", () => follow(page, places, keys)?.scrollIntoView());

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-part]");
    if (link && tables.get("exposures")?.jump(link.dataset.part)) event.preventDefault();
  });
})();
