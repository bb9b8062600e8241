// One live table of a proposal's page: its head, its rows, what stands above them, and its details.
"use strict";

(() => {
  const jwstwatch = (window.jwstwatch = window.jwstwatch || {});
  const { element, values, cells } = jwstwatch;
  const narrow = window.matchMedia("(max-width: 40rem)");
  const PAUSE = 200;
  const count = (number) => number.toLocaleString("en");

  const words = {
    exposures: ["Exposures", "Exposure"],
    products: ["Level-3 products", "Product"],
    "guide-stars": ["Guide stars", "Guide-star data"],
    others: ["Other files", "File"],
  };

  jwstwatch.LiveTable = class LiveTable {
    constructor(page, section, place, help) {
      [this.title, this.headName] = words[section] ?? [section, "File"];
      Object.assign(this, { page, section, opened: new Map(), current: null, shown: [], signature: "" });
      this.box = [page.thumb?.[0] ?? page.thumb?.[1] ?? 120, page.thumb?.[1] ?? page.thumb?.[0] ?? 120];
      this.listing = new jwstwatch.Listing(page, section);
      this.choice = jwstwatch.choices.read(page.proposal, section);
      this.dropUnknown();
      this.controls = new jwstwatch.Controls({
        section,
        title: this.title,
        heads: [this.headName, ...this.listing.columns],
        choice: this.choice,
        tell: () => this.apply(),
        save: () => this.saveCsv(),
        help,
      });
      this.build(place);
      narrow.addEventListener("change", () => this.draw());
      this.listing.load(() => this.progress());
    }

    dropUnknown() {
      const { columns } = this.listing;
      if (![this.headName, ...columns].includes(this.choice.sort)) this.choice.sort = "";
      if (this.choice.columns) this.choice.columns = this.choice.columns.filter((name) => columns.includes(name));
    }

    build(place) {
      this.groups = element("colgroup");
      this.head = element("tr", { "aria-rowindex": 1 });
      this.table = element(
        "table",
        { class: "live-table pinned cards", id: `${this.section}-live`, "aria-label": this.title },
        ...[this.groups, element("thead", {}, this.head)],
      );
      this.scroller = element("div", { class: "scroller", tabindex: 0, role: "region", "aria-label": `Table of ${this.title}` }, this.table);
      this.blocks = new jwstwatch.Blocks(this.table, this.scroller, {
        row: (row, position) => this.makeRow(row, position),
        heading: (group, rows) => this.makeHeading(group, rows),
        note: (text) => this.makeNote(text),
      });
      this.table.addEventListener("click", (event) => this.click(event));
      this.table.addEventListener("focusin", (event) => (this.current = this.blocks.rowOf(event.target) ?? this.current));
      place.append(this.controls.element, this.scroller);
      this.chooseColumns();
      this.draw();
    }

    // Kind and looks of the columns shown, as far as the rows that are there tell.
    chooseColumns() {
      const chosen = this.choice.columns;
      this.columns = this.listing.columns
        .map((name, index) => {
          const tally = this.listing.tallies[index];
          return { name, index, tally, kind: values.kind(tally), wide: tally.longest.length > 20 };
        })
        .filter(({ name }) => chosen === null || chosen.includes(name));
      return JSON.stringify(this.columns.map(({ name, kind, wide }) => [name, kind, wide]));
    }

    setWidths() {
      const widths = jwstwatch.measureColumns(this);
      while (this.groups.children.length > widths.length) this.groups.lastChild.remove();
      while (this.groups.children.length < widths.length) this.groups.append(element("col"));
      widths.forEach((width, position) => (this.groups.children[position].style.width = `${width}px`));
      this.table.style.minWidth = narrow.matches ? "" : `${widths.reduce((sum, width) => sum + width, 0)}px`;
    }

    drawHead() {
      const heads = [{ name: this.headName, kind: "text" }, ...this.columns].map(({ name, kind }) => {
        const sorted = this.choice.sort === name ? (this.choice.down ? "descending" : "ascending") : null;
        const button = element("button", { type: "button", click: () => this.turn(name) }, name);
        return element("th", { scope: "col", class: kind === "number" ? "number" : null, "aria-sort": sorted }, button);
      });
      const focused = [...this.head.children].findIndex((head) => head.contains(document.activeElement));
      this.head.replaceChildren(...heads);
      if (focused >= 0) heads[Math.min(focused, heads.length - 1)].firstChild.focus();
    }

    // Up, down, and back to the order of delivery.
    turn(name) {
      if (this.choice.sort !== name) this.controls.change({ sort: name, down: false });
      else if (!this.choice.down) this.controls.change({ down: true });
      else this.controls.change({ sort: "", down: false });
    }

    apply() {
      jwstwatch.choices.keep(this.page.proposal, this.section, this.choice);
      this.draw();
      if (!narrow.matches) this.scroller.scrollTop = 0;
    }

    draw() {
      const signature = this.chooseColumns();
      if (signature !== this.signature) this.blocks.forget();
      this.signature = signature;
      for (const line of this.opened.values()) line.firstChild.colSpan = this.columns.length + 1;
      this.setWidths();
      this.drawHead();
      const entries = this.listing.arrange(this.choice);
      this.shown = entries.flatMap((entry) => entry.rows);
      if (!this.shown.length && this.listing.done && !entries.some((entry) => entry.failures.length)) {
        entries.push({ group: null, failures: ["No row has all of this."], rows: [] });
      }
      const pictured = this.columns.some((column) => column.kind === "picture");
      this.blocks.show(entries, {
        estimate: narrow.matches ? 420 : pictured ? this.box[1] + 14 : 58,
        span: this.columns.length + 1,
        whole: narrow.matches,
      });
      this.report();
    }

    report() {
      const { all, loaded } = this.listing.count();
      const rows = all === 1 ? "1 row" : `${count(all)} rows`;
      const shown = this.controls.filtered ? `${count(this.shown.length)} of ${count(all)} shown` : rows;
      this.controls.report(this.listing.done ? shown : `reading: ${count(loaded)} of ${rows}`);
    }

    progress() {
      if (this.listing.done) this.catchUp();
      else if (this.signature === "[]" || !this.drawn) {
        this.drawn = true;
        this.catchUp();
      } else this.pause ??= setTimeout(() => this.catchUp(), PAUSE);
    }

    // Columns keep their places while rows arrive; the whole table is drawn anew only where it must be.
    catchUp() {
      clearTimeout(this.pause);
      this.pause = null;
      this.controls.offer(this.listing.options());
      const failures = this.listing.groups.reduce((sum, group) => sum + group.failures.length, 0);
      const sparse = this.controls.filtered || this.choice.sort !== "" || failures !== this.failures;
      this.failures = failures;
      if (sparse || this.chooseColumns() !== this.signature) {
        const { scrollTop } = this.scroller;
        this.draw();
        this.scroller.scrollTop = scrollTop;
        return;
      }
      if (this.listing.done) this.setWidths();
      this.blocks.update();
      this.report();
    }

    makeRow(row, position) {
      const line = element("tr", { tabindex: -1, "aria-rowindex": position }, cells.makeHead(row, this.opened.has(row)));
      const first = this.columns.find(({ kind }) => kind !== "picture");
      for (const column of this.columns) {
        const cell = cells.make(row, row.cells[column.index], column, this.box);
        cell.classList.toggle("first", column === first);
        line.append(cell);
      }
      return this.opened.has(row) ? [line, this.opened.get(row)] : [line];
    }

    makeSpan(tag, ...children) {
      const facts = { colspan: this.columns.length + 1, ...(tag === "th" ? { scope: "rowgroup" } : {}) };
      return element(tag, facts, element("div", { class: "held" }, ...children));
    }

    makeHeading({ part, rows: all }, rows) {
      const number = all.filter((row) => !row.missing).length;
      const shown = rows.length === number ? count(number) : `${count(rows.length)} of ${count(number)}`;
      const plain = jwstwatch.link(`${this.page.proposal}/${this.page.folder}`, `${part.id}.html`);
      const head = this.makeSpan(
        "th",
        element("span", { class: "label" }, part.label),
        part.title ? element("span", { class: "title" }, part.title) : null,
        element("span", { class: "count" }, shown),
        part.missing ? element("span", { class: "badge stale" }, `${count(part.missing)} missing`) : null,
        element("a", { href: plain, class: "quiet" }, "plain page"),
      );
      return element("tr", { class: "group", "data-part": part.id }, head);
    }

    makeNote(text) {
      return element("tr", { class: "note" }, this.makeSpan("td", text));
    }

    click(event) {
      const row = this.blocks.rowOf(event.target) ?? this.rowOfDetails(event.target);
      if (!row) return;
      this.current = row;
      const thumbnail = event.target.closest("a.thumbnail");
      if (event.target.closest("button.more")) this.toggle(row);
      else if (thumbnail && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey) {
        if (this.view(row, thumbnail)) event.preventDefault();
      }
    }

    rowOfDetails(target) {
      for (const [row, line] of this.opened) if (line.contains(target)) return row;
      return null;
    }

    // Opens the viewer over the pictures of all rows shown, at one of this row's.
    view(row, opener) {
      if (!jwstwatch.viewer) return false;
      const items = this.shown.filter(({ key }) => key !== null).flatMap(cells.pictures);
      const own = items.findIndex((item) => item.group === row.key);
      const exact = items.findIndex((item) => item.group === row.key && item.src === opener.getAttribute("href"));
      if (own < 0) return false;
      jwstwatch.viewer.open(items, exact < 0 ? own : exact, opener);
      return true;
    }

    toggle(row) {
      const line = this.blocks.reveal(row);
      if (!line) return;
      const button = line.querySelector("button.more");
      const before = this.opened.get(row);
      button.setAttribute("aria-expanded", String(!before));
      if (before) {
        if (before.contains(document.activeElement)) button.focus();
        before.remove();
        this.opened.delete(row);
        return;
      }
      const holder = this.makeSpan("td", element("p", { class: "quiet" }, "Reading …"));
      const made = element("tr", { class: "detail" }, holder);
      this.opened.set(row, made);
      line.after(made);
      this.fillDetails(row, holder.firstChild);
    }

    async fillDetails(row, place) {
      try {
        place.replaceChildren(jwstwatch.makeDetails(this.page, row, await this.listing.loadDetails(row)));
      } catch (error) {
        place.replaceChildren(element("p", { class: "trouble", role: "alert" }, error.message));
      }
    }

    // The address has changed: a link was pasted, or an older one is shown again.
    readChoice() {
      Object.assign(this.choice, jwstwatch.choices.read(this.page.proposal, this.section));
      this.dropUnknown();
      this.controls.show();
      this.apply();
    }

    // Scrolls to the heading of a part; false if it has no rows here.
    jump(part) {
      if (!this.listing.groups.some((group) => group.part.id === part)) return false;
      if (this.controls.filtered || this.choice.sort !== "") {
        this.controls.change({ ...jwstwatch.choices.empty(), columns: this.choice.columns });
      }
      if (!narrow.matches) this.scroller.scrollIntoView();
      return this.blocks.revealPart(part);
    }

    saveCsv() {
      const heads = [this.headName, ...this.columns.map(({ name }) => name)];
      const rows = this.shown.filter(({ key }) => key !== null);
      const lines = rows.map((row) => [row.key, ...this.columns.map(({ index }) => values.text(row, row.cells[index]))]);
      const address = URL.createObjectURL(new Blob([values.csv([heads, ...lines])], { type: "text/csv;charset=utf-8" }));
      const link = element("a", { href: address, download: `${this.page.proposal}-${this.section}.csv`, hidden: true });
      document.body.append(link);
      link.click();
      link.remove();
      setTimeout(() => URL.revokeObjectURL(address), 10_000);
    }
  };
})();
