// What a reader chose for a table: remembered by the browser, and in the address so that it can be sent on.
"use strict";

(() => {
  const jwstwatch = (window.jwstwatch = window.jwstwatch || {});
  const texts = ["text", "observation", "detector", "filter", "state", "sort"];

  const makeEmpty = () => ({ ...Object.fromEntries(texts.map((name) => [name, ""])), down: false, columns: null });

  const readAddress = () => new URLSearchParams(location.hash.slice(1));

  // The address has "exposures.filter=F200W&exposures.sort=NGROUPS"; a plain anchor has no such names.
  function fromAddress(section) {
    const given = readAddress();
    const found = {};
    for (const name of texts) if (given.has(`${section}.${name}`)) found[name] = given.get(`${section}.${name}`);
    if (!Object.keys(found).length) return null;
    return { ...found, down: given.get(`${section}.down`) === "1" };
  }

  function fromMemory(name) {
    const stored = jwstwatch.recall(name);
    const found = {};
    if (stored === null || typeof stored !== "object") return found;
    for (const name of texts) if (typeof stored[name] === "string") found[name] = stored[name];
    if (Array.isArray(stored.columns)) found.columns = stored.columns.filter((name) => typeof name === "string");
    return { ...found, down: stored.down === true };
  }

  jwstwatch.choices = {
    empty: makeEmpty,

    // What is in the address counts; the columns are the reader's own.
    read(proposal, section) {
      const stored = fromMemory(`${proposal}:${section}`);
      const given = fromAddress(section);
      if (!given) return { ...makeEmpty(), ...stored };
      return { ...makeEmpty(), ...given, columns: stored.columns ?? null };
    },

    isInAddress: (section) => fromAddress(section) !== null,

    keep(proposal, section, choice) {
      const plain = texts.every((name) => choice[name] === "") && choice.columns === null;
      jwstwatch.remember(`${proposal}:${section}`, plain ? null : choice);
      this.writeAddress(section, choice);
    },

    writeAddress(section, choice) {
      const wanted = readAddress();
      for (const name of [...wanted.keys()]) if (name.startsWith(`${section}.`) || !name.includes(".")) wanted.delete(name);
      for (const name of texts) if (choice[name] !== "") wanted.set(`${section}.${name}`, choice[name]);
      if (choice.sort !== "" && choice.down) wanted.set(`${section}.down`, "1");
      const hash = wanted.toString();
      if (hash === new URLSearchParams(location.hash.slice(1)).toString()) return;
      if (hash === "" && !location.hash.includes(".")) return; // an anchor of somebody else's
      history.replaceState(null, "", hash === "" ? location.pathname + location.search : `#${hash}`);
    },
  };
})();
