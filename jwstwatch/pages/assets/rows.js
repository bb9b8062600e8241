// Long tables: only the blocks of rows near the window are in the document, between two spaces.
"use strict";

(() => {
  const jwstwatch = (window.jwstwatch = window.jwstwatch || {});
  const { element } = jwstwatch;
  const ROWS_PER_BLOCK = 10;
  const MARGIN = 1200; // pixels made above and below the window
  const SPARE = 500; // of them that may be used up before blocks are made again
  const NOTE_HEIGHT = 34;
  const PRINTED = 2000;

  const makeSpace = () => element("tbody", { class: "space", "aria-hidden": "true" }, element("tr", {}, element("td")));

  jwstwatch.Blocks = class Blocks {
    // `make` has row(row, place) -> [<tr>, ...], heading(group, rows) and note(text) -> <tr>.
    constructor(table, scroller, make) {
      Object.assign(this, { table, scroller, make, items: [], inside: [], places: new Map(), whole: false, printing: false });
      [this.before, this.after] = [makeSpace(), makeSpace()];
      this.measured = null;
      for (const target of [scroller, window]) target.addEventListener("scroll", () => this.update(), { passive: true });
      new ResizeObserver(() => this.update()).observe(scroller);
      window.addEventListener("beforeprint", () => this.showForPaper());
      window.addEventListener("afterprint", () => this.showForScreen());
    }

    // Shows entries [{group, failures, rows}] in this order; `estimate` is the height of a row in pixels,
    // `span` the number of columns, `whole` says that the table is as high as its rows (no scroller of its own).
    show(entries, { estimate, span, whole }) {
      this.estimate = this.measured ?? estimate;
      this.whole = whole;
      this.items = [];
      this.places.clear();
      this.place = 2; // the head of the table is row 1
      for (const { group, failures, rows } of entries) {
        const heading = group ? this.addItem({ group, make: (place) => this.number([this.make.heading(group, rows)], place) }, 1) : null;
        for (const text of failures) this.addItem({ heading, make: (place) => this.number([this.make.note(text)], place) }, 1);
        for (let start = 0; start < rows.length; start += ROWS_PER_BLOCK) this.addBlock(heading, rows.slice(start, start + ROWS_PER_BLOCK));
      }
      this.table.setAttribute("aria-rowcount", this.place - 1);
      for (const space of [this.before, this.after]) space.rows[0].cells[0].colSpan = span;
      for (const body of [...this.table.tBodies]) body.remove();
      this.inside = [];
      this.table.append(this.before, this.after);
      if (this.printing) return this.showForPaper();
      this.update();
      if (this.measured === null) this.update(); // now with the height that rows have here
    }

    addItem(item, lines) {
      Object.assign(item, { place: this.place, height: null, body: null });
      this.place += lines;
      this.items.push(item);
      return item;
    }

    addBlock(heading, rows) {
      const item = { heading, rows, make: (place) => rows.flatMap((row, position) => this.makeRow(row, place, position)) };
      for (const row of rows) this.places.set(row, item);
      this.addItem(item, rows.length);
    }

    makeRow(row, place, position) {
      const lines = this.make.row(row, place + position);
      lines[0].dataset.position = position;
      return lines;
    }

    number(lines, place) {
      for (const line of lines) line.setAttribute("aria-rowindex", place);
      return lines;
    }

    isLoaded(item) {
      return !item.rows || item.rows.every((row) => row.key !== null);
    }

    heightOf(item) {
      return item.height ?? (item.rows ? item.rows.length * this.estimate : NOTE_HEIGHT);
    }

    // From where to where the reader sees, in pixels below the head of the table.
    sight() {
      const top = this.whole ? -this.before.getBoundingClientRect().top : this.scroller.scrollTop;
      return [top, top + window.innerHeight]; // a scroller without rows is low, and will not be
    }

    // Which items stand between two heights: [first, one after the last, height before the first, whole height].
    range(top, bottom) {
      let [first, end, above, height] = [null, 0, 0, 0];
      this.items.forEach((item, index) => {
        const next = height + this.heightOf(item);
        if (next > top && height < bottom) {
          if (first === null) [first, above] = [index, height];
          end = index + 1;
        }
        height = next;
      });
      return first === null ? [0, 0, 0, height] : [first, end, above, height];
    }

    update() {
      if (this.printing) return;
      this.measure();
      const [top, bottom] = this.sight();
      const [first, end] = this.range(top - MARGIN + SPARE, bottom + MARGIN - SPARE);
      const ready = this.items.slice(first, end).every((item) => item.body || !this.isLoaded(item));
      if (ready && this.inside.length && this.placedWith === this.estimate) return;
      this.placedWith = this.estimate;
      this.arrange(...this.range(top - MARGIN, bottom + MARGIN));
    }

    measure() {
      for (const item of this.inside) {
        const { height } = item.body.getBoundingClientRect();
        if (!height) continue;
        item.height = height;
        if (item.rows && this.measured === null) this.estimate = this.measured = height / item.rows.length;
      }
    }

    // Items that stay keep their elements, so that the window does not jump and pictures are not loaded anew.
    arrange(first, end, above, height) {
      const wanted = this.items.slice(first, end);
      const heading = wanted[0]?.heading;
      if (heading && !wanted.includes(heading)) {
        wanted.unshift(heading); // it sticks to the top while its rows pass
        above -= this.heightOf(heading);
      }
      const held = wanted.filter((item) => this.isLoaded(item));
      const staying = new Set(held);
      for (const item of this.inside) {
        if (staying.has(item)) continue;
        item.body.remove();
        item.body = null;
      }
      let last = this.before;
      for (const item of held) {
        item.body ??= this.makeBody(item);
        if (last.nextSibling !== item.body) last.after(item.body);
        last = item.body;
      }
      this.inside = held;
      this.setSpace(this.before, above);
      this.setSpace(this.after, height - above - held.reduce((sum, item) => sum + this.heightOf(item), 0));
    }

    setSpace(space, height) {
      space.rows[0].cells[0].style.height = `${Math.max(0, Math.round(height))}px`;
      space.hidden = height < 1;
    }

    makeBody(item) {
      const body = element("tbody", { class: item.rows ? "rows" : "notes" }, ...item.make(item.place));
      body.item = item;
      return body;
    }

    // Paper has no window to be near to.
    showForPaper() {
      this.printing = true;
      let [end, rows] = [0, 0];
      while (end < this.items.length && rows + (this.items[end].rows?.length ?? 0) <= PRINTED) {
        rows += this.items[end].rows?.length ?? 0;
        end += 1;
      }
      this.arrange(0, end, 0, 0);
      for (const image of this.table.querySelectorAll("img[loading]")) image.loading = "eager";
    }

    showForScreen() {
      this.printing = false;
      this.arrange(...this.range(...this.sight()));
      this.update();
    }

    // Scrolls to a row or to the heading of a group; null if it is not shown or not loaded yet.
    reveal(row) {
      const item = this.places.get(row);
      if (!item || !this.isLoaded(item)) return null;
      if (!item.body) this.scrollTo(item);
      return this.find(row);
    }

    revealPart(part) {
      const item = this.items.find(({ group }) => group?.part.id === part);
      if (item) this.scrollTo(item);
      return Boolean(item);
    }

    scrollTo(item) {
      const above = this.items.slice(0, this.items.indexOf(item)).reduce((sum, other) => sum + this.heightOf(other), 0);
      if (this.whole) window.scrollBy(0, this.before.getBoundingClientRect().top + above);
      else this.scroller.scrollTop = above;
      this.update();
    }

    // The element of a row that is in the document; null otherwise.
    find(row) {
      const item = this.places.get(row);
      return item?.body?.querySelector(`tr[data-position="${item.rows.indexOf(row)}"]`) ?? null;
    }

    // The row that an element of the table belongs to.
    rowOf(target) {
      const line = target.closest("tr[data-position]");
      return line?.parentElement.item?.rows[Number(line.dataset.position)] ?? null;
    }

    // Row heights are others with other columns or another window.
    forget() {
      this.measured = null;
    }
  };
})();
