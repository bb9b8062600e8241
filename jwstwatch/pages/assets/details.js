// The details of a row, opened in place: facts, header keywords, and each file with what to copy of it.
"use strict";

(() => {
  const jwstwatch = (window.jwstwatch = window.jwstwatch || {});
  const { element } = jwstwatch;

  const joinPath = (root, path) => `${root.replace(/\/+$/, "")}/${path}`;
  const quoteForShell = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

  jwstwatch.snippets = (page, file) => {
    const path = joinPath(page.root, file.path);
    const made = [["path", path]];
    if (/\.fits$/i.test(file.name)) {
      made.push(["astropy", `from astropy.io import fits\nfits.open(${JSON.stringify(path)})`]);
    }
    if (page.host) made.push(["scp", `scp ${quoteForShell(`${page.host}:${path}`)} .`]);
    return made;
  };

  function makeCopyButton(label, text) {
    const said = element("span", { class: "said", role: "status" });
    const copy = async () => {
      said.textContent = (await jwstwatch.copy(text)) ? "copied" : "not copied: the browser refused";
      setTimeout(() => (said.textContent = ""), 2000);
    };
    const button = element("button", { type: "button", title: text, "aria-label": `Copy ${label}: ${text}`, click: copy });
    button.append(`Copy ${label}`);
    return element("span", { class: "copier" }, button, said);
  }

  function makeList(pairs, facts) {
    const list = element("dl", facts);
    for (const [name, text] of pairs) list.append(element("div", {}, element("dt", {}, name), element("dd", {}, text)));
    return list;
  }

  function listFacts(file) {
    const facts = [
      ["size", jwstwatch.sizeText(file.size)],
      ["revision", file.revision > 1 ? String(file.revision) : ""],
      ["changed", file.changed ?? ""],
      ["reason", file.reason ?? ""],
      ["note", file.note ?? ""],
      ["damage", file.damage ?? ""],
      ["path", file.path],
      ["SHA-256", file.sha256 ?? ""],
      ["URI", file.uri ?? ""],
    ];
    return facts.filter(([, text]) => text !== "");
  }

  const absent = new Set(["wanted", "withheld", "failed"]);

  function makeFile(page, file) {
    const cut = file.path.lastIndexOf("/");
    const address = absent.has(file.state) ? null : jwstwatch.link(file.path.slice(0, Math.max(cut, 0)), file.path.slice(cut + 1));
    const name = address ? element("a", { class: "key", href: address }, file.name) : element("span", { class: "key" }, file.name);
    const state = element("span", { class: `badge ${file.damage ? "failed" : file.state}` }, file.damage ? "damaged" : file.state);
    const copiers = jwstwatch.snippets(page, file).map(([label, text]) => makeCopyButton(label, text));
    const head = element("div", { class: "file-head" }, name, state, element("span", { class: "copiers" }, ...copiers));
    const made = element("li", {}, head, makeList(listFacts(file), { class: "facts" }));
    if (file.history?.length) {
      made.append(element("ul", { class: "history", "aria-label": "History" }, ...file.history.map((line) => element("li", {}, line))));
    }
    return made;
  }

  function makePicture(row, picture) {
    return element("figure", {}, jwstwatch.cells.makeThumbnail(row, picture, [120, 120]), element("figcaption", {}, picture.k));
  }

  // `detail` is as data scripts bring it.
  jwstwatch.makeDetails = (page, row, detail) => {
    const made = element("div", { class: "detail-body" });
    if (row.more.length) {
      const pictures = row.more.map((picture) => makePicture(row, picture));
      made.append(element("h3", {}, "More pictures"), element("div", { class: "more-pictures" }, ...pictures));
    }
    if (detail.facts?.length) made.append(makeList(detail.facts, { class: "facts" }));
    if (detail.keywords?.length) {
      made.append(element("h3", {}, "Header keywords"), makeList(detail.keywords, { class: "keywords" }));
    }
    const files = (detail.files ?? []).map((file) => makeFile(page, file));
    made.append(element("h3", {}, files.length === 1 ? "File" : "Files"), element("ul", { class: "files" }, ...files));
    return made;
  };
})();
