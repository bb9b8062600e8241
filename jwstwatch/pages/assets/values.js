// What a cell of a data script says: as text, as a value to sort by, and in a CSV file.
"use strict";

(() => {
  const jwstwatch = (window.jwstwatch = window.jwstwatch || {});
  const values = (jwstwatch.values = {});
  const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

  // Data scripts write the row's key as "~" where a name begins with it.
  values.fileName = (row, name) => (name.startsWith("~") ? row.key + name.slice(1) : name);

  values.address = (row, place) => {
    if (!place || place[0] < 0) return null;
    return jwstwatch.link(row.folders[place[0]], values.fileName(row, place[1]));
  };

  values.isPicture = (cell) => cell !== null && typeof cell === "object" && Boolean(cell.p);

  values.text = (row, cell) => {
    if (cell === null || cell === undefined) return "";
    if (Array.isArray(cell)) return String(cell[0] ?? "");
    if (typeof cell !== "object") return String(cell);
    if (cell.p) return values.fileName(row, cell.p.f[1]);
    return String(cell.t ?? cell.w ?? "");
  };

  // Null for what is empty.
  values.sort = (row, cell) => {
    if (Array.isArray(cell)) return values.sort(row, cell[1] ?? cell[0]);
    if (typeof cell === "number") return Number.isNaN(cell) ? null : cell;
    return values.text(row, cell) || null;
  };

  // How many of each kind a column holds, and its longest text: enough to choose its looks and width.
  values.startTally = () => ({ pictures: 0, numbers: 0, texts: 0, longest: "" });

  values.count = (tally, row, cell) => {
    if (cell === null || cell === undefined) return;
    if (values.isPicture(cell)) {
      tally.pictures += 1;
      return;
    }
    const sort = values.sort(row, cell);
    if (typeof sort === "number") tally.numbers += 1;
    else if (sort !== null) tally.texts += 1;
    const text = values.text(row, cell);
    if (text.length > tally.longest.length) tally.longest = text;
  };

  values.kind = (tally) => {
    if (tally.pictures) return "picture";
    return tally.numbers && !tally.texts ? "number" : "text";
  };

  // The places of texts in their order: comparing 20,000 rows then compares numbers only.
  function rank(texts) {
    const ordered = [...new Set(texts)].sort(collator.compare);
    const ranks = new Map();
    let place = 0;
    ordered.forEach((text, position) => {
      if (position && collator.compare(ordered[position - 1], text) !== 0) place += 1;
      ranks.set(text, place);
    });
    return ranks;
  }

  // Numbers before texts, equal rows as they were, and empty ones last in both directions.
  values.sortRows = (rows, valueOf, direction) => {
    const keyed = rows.map((row) => [valueOf(row), row]);
    const empty = keyed.filter(([key]) => key === null);
    const numbers = keyed.filter(([key]) => typeof key === "number");
    const texts = keyed.filter(([key]) => typeof key === "string");
    const ranks = rank(texts.map(([key]) => key));
    for (const pair of texts) pair[0] = ranks.get(pair[0]);
    const order = ([one], [other]) => direction * (one - other);
    numbers.sort(order);
    texts.sort(order);
    const filled = direction > 0 ? numbers.concat(texts) : texts.concat(numbers);
    return filled.concat(empty).map(([, row]) => row);
  };

  values.compareWords = collator.compare;

  // As the pages' own CSV: an apostrophe makes a text of what a spreadsheet would run; numbers and positions stay.
  const defuse = (text) => (/^[=+\-@\t\r]/.test(text) && !/^[+-][0-9 .:eE+-]*$/.test(text) ? `'${text}` : text);

  const quoted = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

  values.csv = (lines) => lines.map((line) => `${line.map((text) => quoted(defuse(text))).join(",")}\r\n`).join("");
})();
