// The cells of a live table as elements. Every value is text; every address comes from jwstwatch.link.
"use strict";

(() => {
  const jwstwatch = (window.jwstwatch = window.jwstwatch || {});
  const { element, values } = jwstwatch;
  const cells = (jwstwatch.cells = {});

  const kindOf = (picture) => picture.k || "picture";

  cells.makeThumbnail = (row, picture, box) => {
    const address = values.address(row, picture.f);
    const small = values.address(row, picture.t);
    const name = values.fileName(row, picture.f[1]);
    if (!address) return kindOf(picture);
    if (!small) return element("a", { href: address, title: name, class: "thumbnail nameless" }, kindOf(picture));
    const image = element("img", {
      alt: `${kindOf(picture)} of ${row.key}`,
      width: box[0],
      height: box[1],
      loading: "lazy",
      decoding: "async",
      src: small,
    });
    return element("a", { href: address, title: name, class: "thumbnail" }, image);
  };

  function makeContent(row, cell, box) {
    if (cell.p) return cells.makeThumbnail(row, cell.p, box);
    const address = values.address(row, cell.a);
    if (address) return element("a", { href: address, title: cell.n || null }, values.text(row, cell));
    if (cell.w) return element("span", { class: `badge ${cell.s ?? ""}`, title: cell.n || null }, cell.w);
    return values.text(row, cell);
  }

  // `column` is {name, kind, wide}; `box` the size of thumbnails in pixels.
  cells.make = (row, cell, column, box) => {
    const made = element("td", { class: column.wide ? "wide" : column.kind === "text" ? null : column.kind });
    if (cell === null || cell === undefined) return made;
    made.dataset.label = column.name;
    made.append(typeof cell === "object" && !Array.isArray(cell) ? makeContent(row, cell, box) : values.text(row, cell));
    return made;
  };

  function makeChip(row, [label, style, word, folder, name, note]) {
    const address = values.address(row, [folder, name]);
    const facts = { class: `chip ${style}`, title: note || values.fileName(row, name) };
    const rest = word ? element("span", {}, ` ${word}`) : null;
    return address ? element("a", { ...facts, href: address }, label, rest) : element("span", facts, label, rest);
  }

  // The head of a row: its name, its files, and the button that opens its details.
  cells.makeHead = (row, opened) => {
    const more = element("button", {
      type: "button",
      class: "more",
      "aria-expanded": String(opened),
      "aria-label": `Details of ${row.key}`,
      title: "Details (d)",
    });
    const chips = element("span", { class: "chips" }, ...row.files.map((file) => makeChip(row, file)));
    const name = element("span", { class: "key" }, row.key);
    return element("th", { scope: "row" }, element("span", { class: "name" }, more, name), chips);
  };

  // What the viewer shows of a row: one item for each picture, whatever columns are chosen or there.
  cells.pictures = (row) =>
    row.cells
      .filter(values.isPicture)
      .map((cell) => cell.p)
      .concat(row.more)
      .filter((picture) => values.address(row, picture.f))
      .filter((picture, place, all) => all.findIndex((other) => String(other.f) === String(picture.f)) === place)
      .map((picture) => ({
        src: values.address(row, picture.f),
        thumb: values.address(row, picture.t),
        title: row.key,
        kind: kindOf(picture),
        group: row.key,
        revision: picture.r ?? 1,
        file: values.address(row, picture.h) ?? findData(row, picture),
        former: makeFormer(row, picture.o),
        note: row.facets.filter(Boolean).join(" · "),
      }));

  // The archive's picture `cal.jpg` is of the file `cal` of the same row.
  function findData(row, picture) {
    const data = row.files.find(([label]) => label === picture.k);
    return data ? values.address(row, data.slice(3, 5)) : null;
  }

  function makeFormer(row, former) {
    const address = values.address(row, former);
    return address ? { src: address, revision: former[2] } : null;
  }
})();
