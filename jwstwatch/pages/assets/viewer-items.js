// What the viewer goes through: pictures by kind over the rows, by stage in one exposure, and what compares.
"use strict";

(() => {
  const jwstwatch = (window.jwstwatch = window.jwstwatch || {});
  const parts = (jwstwatch.viewerParts = jwstwatch.viewerParts || {});
  const STAGES = ["uncal", "dark", "trapsfilled", "rate", "rateints", "cal", "calints", "crf", "crfints"];

  const inOrder = (kind) => STAGES.indexOf(kind) + 1 || STAGES.length + 1;
  const revisionOf = (item) => (item.revision ? `revision ${item.revision}` : "");

  function nameOf(address) {
    const name = address.split(/[?#]/)[0].split("/").pop();
    try {
      return decodeURIComponent(name);
    } catch {
      return name;
    }
  }

  function gather(items, property) {
    const gathered = new Map();
    items.forEach((item, index) => {
      const key = item[property];
      if (!gathered.has(key)) gathered.set(key, []);
      gathered.get(key).push(index);
    });
    return gathered;
  }

  // An item is {src, thumb, title, kind, group, revision, file, former: {src, revision} | null, note}.
  function arrange(items) {
    const kinds = gather(items, "kind");
    const groups = gather(items, "group");

    const alike = (index) => kinds.get(items[index].kind);

    function beside(index, step) {
      const same = alike(index);
      return same[same.indexOf(index) + step];
    }

    function stages(index) {
      if (!items[index].group) return [index];
      const found = groups.get(items[index].group).slice();
      return found.sort((one, other) => inOrder(items[one].kind) - inOrder(items[other].kind) || one - other);
    }

    // What the picture can be compared with, the most telling first.
    function choices(index) {
      const item = items[index];
      const found = [];
      if (item.former) {
        const name = ["predecessor", revisionOf(item.former)].filter(Boolean).join(", ");
        found.push({ value: "former", src: item.former.src, name, own: revisionOf(item) || item.kind, text: name });
      }
      for (const other of stages(index)) {
        const { kind, src } = items[other];
        if (other !== index) found.push({ value: `stage ${kind}`, src, name: kind, own: item.kind, text: kind });
      }
      for (const [value, step] of [["next", 1], ["previous", -1]]) {
        const other = items[beside(index, step)];
        if (!other) continue;
        const text = `${value}: ${other.title}`;
        found.push({ value, src: other.src, name: other.title, own: item.title, text });
      }
      return found;
    }

    return { items, alike, beside, stages, choices };
  }

  function readItem(link) {
    const { kind, group, title, revision, former, formerRevision, file, note } = link.dataset;
    return {
      src: link.href,
      thumb: link.querySelector("img")?.src,
      title: title || group || nameOf(link.href),
      kind,
      group,
      revision: Number(revision) || null,
      file: file || null,
      former: former ? { src: former, revision: Number(formerRevision) || null } : null,
      note: note || "",
    };
  }

  // The pictures of the table in which `link` stands, but for rows that are filtered away.
  function readItems(link) {
    const around = link.closest("table") || document;
    const links = Array.from(around.querySelectorAll("a.thumbnail[data-kind]"));
    const shown = links.filter((one) => one === link || !one.closest("[hidden]"));
    return { items: shown.map(readItem), index: shown.indexOf(link) };
  }

  Object.assign(parts, { arrange, readItems, nameOf, revisionOf });
})();
