// The keyboard on a proposal's page, and the list of its keys.
"use strict";

(() => {
  const jwstwatch = (window.jwstwatch = window.jwstwatch || {});
  const { element } = jwstwatch;

  const list = [
    [["/"], "find words in the table"],
    [["j", "↓"], "next row"],
    [["k", "↑"], "row before"],
    [["d", "Enter"], "open or close the details of the row"],
    [["v"], "pictures of the row in the viewer"],
    [["Esc"], "leave the line of filters"],
    [["?"], "this list"],
  ];

  jwstwatch.Keys = class Keys {
    constructor() {
      this.tables = [];
      this.used = null;
      document.addEventListener("keydown", (event) => this.press(event));
      document.addEventListener("focusin", (event) => (this.used = this.holding(event.target) ?? this.used));
      document.addEventListener("pointerdown", (event) => (this.used = this.holding(event.target) ?? this.used));
    }

    add(table) {
      this.tables.push(table);
    }

    holding(target) {
      return this.tables.find((table) => table.scroller.parentElement.contains(target));
    }

    showHelp() {
      this.dialog ??= this.makeDialog();
      this.dialog.showModal();
    }

    makeDialog() {
      const lines = list.map(([keys, meaning]) => {
        const names = keys.map((key) => element("kbd", {}, key));
        return element("div", {}, element("dt", {}, ...names), element("dd", {}, meaning));
      });
      const dialog = element("dialog", { class: "keys", "aria-labelledby": "keys-title" });
      const close = element("button", { type: "button", click: () => dialog.close() }, "Close");
      dialog.append(element("h2", { id: "keys-title" }, "Keys"), element("dl", {}, ...lines), close);
      document.body.append(dialog);
      return dialog;
    }

    press(event) {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
      if (document.querySelector("dialog[open]")) return;
      const table = this.used ?? this.tables[0];
      if (!table) return;
      if (event.target.closest?.("input, select, textarea")) {
        if (event.key === "Escape" && event.target === table.controls.search) table.scroller.focus();
        return;
      }
      const act = this.find(event, table);
      if (!act) return;
      event.preventDefault();
      act();
    }

    // Arrows scroll the page as ever, until a row has the focus; Enter on a link or a button is theirs.
    find(event, table) {
      const onRow = event.target.matches?.("tr[data-position]");
      const row = table.current;
      const acts = {
        "/": () => table.controls.search.focus(),
        "?": () => this.showHelp(),
        j: () => this.step(table, 1),
        k: () => this.step(table, -1),
        ArrowDown: onRow && (() => this.step(table, 1)),
        ArrowUp: onRow && (() => this.step(table, -1)),
        d: row && (() => table.toggle(row)),
        Enter: onRow && (() => table.toggle(row)),
        v: row && (() => table.view(row, table.blocks.find(row)?.querySelector("a.thumbnail") ?? table.scroller)),
      };
      return Object.hasOwn(acts, event.key) ? acts[event.key] : null;
    }

    step(table, direction) {
      const before = table.shown.indexOf(table.current);
      const position = before < 0 ? 0 : before + direction;
      const line = table.shown[position] && table.blocks.reveal(table.shown[position]);
      if (!line) return;
      line.focus({ preventScroll: true });
      line.scrollIntoView({ block: "nearest" });
      table.current = table.shown[position];
    }
  };
})();
