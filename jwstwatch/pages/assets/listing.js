// The rows of one section: loaded script by script, filtered, and put in order.
"use strict";

(() => {
  const jwstwatch = (window.jwstwatch = window.jwstwatch || {});
  const { values } = jwstwatch;
  const ROWS_PER_SCRIPT = 500;
  const ROWS_PER_DETAILS = 100;
  const AT_ONCE = 8;

  const facetNames = ["detector", "filter", "state"];
  let earlier = Promise.resolve();

  class Group {
    constructor(part, [count, chunks, , mark]) {
      Object.assign(this, { part, chunks, mark, failures: [], lost: 0 });
      this.rows = Array.from({ length: count }, (_, position) => this.makeRow(position));
    }

    makeRow(position) {
      return { group: this, position, key: null, files: [], cells: [], facets: [], more: [], folders: [], words: null, missing: false };
    }
  }

  jwstwatch.Listing = class Listing {
    constructor(page, section) {
      this.page = page;
      this.section = section;
      this.columns = page.columns[section] ?? [];
      this.groups = page.parts.filter((part) => part[section]?.[0]).map((part) => new Group(part, part[section]));
      this.tallies = this.columns.map(values.startTally);
      this.facets = facetNames.map(() => new Set());
      this.longestKey = "";
      this.loaded = 0;
      this.waiting = this.groups.flatMap((group) => Array.from({ length: group.chunks }, (_, n) => [group, n + 1]));
      this.done = false;
    }

    // One table after the other, as they were built: the first is the one that is looked at.
    load(changed) {
      const own = earlier.then(() => this.loadScripts(changed));
      earlier = own.catch(() => {});
      return own;
    }

    // Tells `changed` after each script; a script that is missing or broken costs only its own rows.
    async loadScripts(changed) {
      const work = async () => {
        while (this.waiting.length) {
          const [group, chunk] = this.waiting.shift();
          await this.loadChunk(group, chunk);
          changed(group);
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, work));
      this.done = true;
      changed(null);
    }

    address(group, kind, chunk) {
      const name = [group.part.id, this.section, ...(kind === "details" ? [kind] : []), chunk, "js"].join(".");
      return `${this.page.folder}/${encodeURIComponent(name)}?v=${encodeURIComponent(group.mark)}`;
    }

    async fetch(group, kind, chunk) {
      const address = this.address(group, kind, chunk);
      const name = address.replace(/\?.*$/, "");
      try {
        await jwstwatch.load(address);
      } catch {
        throw new Error(`${name} could not be read.`);
      }
      const payload = jwstwatch.take(kind, group.part.id, this.section, chunk);
      if (!payload?.rows) throw new Error(`${name} is broken.`);
      return payload;
    }

    async loadChunk(group, chunk) {
      const start = (chunk - 1) * ROWS_PER_SCRIPT;
      try {
        const payload = await this.fetch(group, "rows", chunk);
        payload.rows.forEach((facts, position) => this.fill(group, start + position, facts, payload.folders));
      } catch (error) {
        const end = Math.min(start + ROWS_PER_SCRIPT, group.rows.length);
        group.failures.push(`${error.message} Rows ${start + 1} to ${end} of ${group.part.label} are not shown here.`);
      }
      for (const row of group.rows.slice(start, start + ROWS_PER_SCRIPT)) {
        row.missing = row.key === null;
        group.lost += row.missing ? 1 : 0;
      }
    }

    fill(group, position, [key, files, cells, facets, more = []], folders) {
      const row = (group.rows[position] ??= group.makeRow(position));
      Object.assign(row, { key, files, cells, facets, more, folders });
      this.loaded += 1;
      this.facets.forEach((found, place) => facets[place] && found.add(facets[place]));
      if (key.length > this.longestKey.length) this.longestKey = key;
      this.tallies.forEach((tally, column) => values.count(tally, row, cells[column]));
    }

    async loadDetails(row) {
      const chunk = Math.floor(row.position / ROWS_PER_DETAILS) + 1;
      row.group.details ??= new Map();
      if (!row.group.details.has(chunk)) {
        const payload = this.fetch(row.group, "details", chunk);
        row.group.details.set(chunk, payload);
        payload.catch(() => row.group.details.delete(chunk));
      }
      const { rows } = await row.group.details.get(chunk);
      if (!Object.hasOwn(rows, row.key)) throw new Error("There are no details of this row.");
      return rows[row.key];
    }

    // Everything that a row says, in small letters; made when somebody looks for words.
    wordsOf(row) {
      const { part } = row.group;
      row.words ??= [
        ...[row.key, part.label, ...row.facets],
        ...row.files.flatMap(([label, , word, , , note]) => [label, word, note]),
        ...row.cells.map((cell) => values.text(row, cell)),
      ]
        .join("\n")
        .toLowerCase();
      return row.words;
    }

    makeTest(choice) {
      const words = choice.text.toLowerCase().split(/\s+/).filter(Boolean);
      const facets = facetNames.map((name) => choice[name]);
      if (!words.length && !facets.some(Boolean)) return null;
      return (row) =>
        facets.every((wanted, place) => !wanted || row.facets[place] === wanted) &&
        words.every((word) => this.wordsOf(row).includes(word));
    }

    // What is to be shown: [{group, rows}], with one flat list (group null) where a column sorts it.
    arrange(choice) {
      const test = this.makeTest(choice);
      const chosen = this.groups.filter(({ part }) => !choice.observation || part.id === choice.observation);
      const column = choice.sort === "" ? null : this.columns.indexOf(choice.sort);
      const selected = chosen.map((group) => ({
        group,
        failures: group.failures,
        rows: group.rows.filter((row) => !row.missing && (row.key === null ? !test && column === null : !test || test(row))),
      }));
      if (column === null) return selected.filter(({ rows, failures }) => rows.length || (!test && failures.length));
      const rows = values.sortRows(selected.flatMap((entry) => entry.rows), this.makeValue(column), choice.down ? -1 : 1);
      return [{ group: null, failures: selected.flatMap((entry) => entry.failures), rows }];
    }

    // What rows sort by in a column, -1 for their names; among pictures, a file that is not there is empty.
    makeValue(column) {
      if (column < 0) return (row) => row.key;
      const pictures = values.kind(this.tallies[column]) === "picture";
      return (row) => (pictures && !values.isPicture(row.cells[column]) ? null : values.sort(row, row.cells[column]));
    }

    // Rows that there are, and those that have been read.
    count() {
      const all = this.groups.reduce((sum, group) => sum + group.rows.length - group.lost, 0);
      return { all, loaded: this.loaded };
    }

    // Label and value of each observation that has rows, and the values of each facet.
    options() {
      const options = { observation: this.groups.map(({ part }) => [[part.label, part.title].filter(Boolean).join(" · "), part.id]) };
      facetNames.forEach((name, place) => {
        options[name] = [...this.facets[place]].sort(values.compareWords).map((value) => [value, value]);
      });
      return options;
    }
  };
})();
