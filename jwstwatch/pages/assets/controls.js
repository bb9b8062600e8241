// The line above a live table: filters, what is shown, the columns, and the file of what is shown.
"use strict";

(() => {
  const jwstwatch = (window.jwstwatch = window.jwstwatch || {});
  const { element } = jwstwatch;
  const PAUSE = 120;

  const facets = [
    ["observation", "Observation"],
    ["detector", "Detector"],
    ["filter", "Filter"],
    ["state", "State"],
  ];

  // `heads` are the names of all columns; `tell` is called after each change of `choice`, `save` for the file.
  jwstwatch.Controls = class Controls {
    constructor({ section, title, heads, choice, tell, save, help }) {
      Object.assign(this, { section, heads, choice, tell, selects: new Map() });
      this.output = element("output", { "aria-live": "polite", "aria-label": `Rows shown of ${title}` });
      this.clearing = element("button", { type: "button", class: "clear", click: () => this.clear() }, "Clear filters");
      const saving = element("button", { type: "button", click: save, title: "The rows and columns shown, as a CSV file" }, "CSV of what is shown");
      const helping = element("button", { type: "button", click: help, "aria-label": "Keys", title: "Keys (?)" }, "?");
      this.element = element(
        "div",
        { class: "tools", role: "search", "aria-label": `Filters of ${title}` },
        this.makeSearch(),
        ...facets.map(([name, label]) => this.makeSelect(name, label)),
        this.makeSorter(),
        this.clearing,
        this.output,
        element("span", { class: "actions" }, this.makeMenu(), saving, helping),
      );
      this.show();
    }

    change(facts) {
      Object.assign(this.choice, facts);
      this.show();
      this.tell();
    }

    makeSearch() {
      this.search = element("input", {
        type: "search",
        autocomplete: "off",
        spellcheck: "false",
        placeholder: "words in any column",
      });
      let waiting;
      this.search.addEventListener("input", () => {
        clearTimeout(waiting);
        waiting = setTimeout(() => this.change({ text: this.search.value }), PAUSE);
      });
      return element("label", { class: "search" }, element("span", {}, "Find"), this.search);
    }

    makeSelect(name, label) {
      const select = element("select", { "data-facet": name });
      select.addEventListener("change", () => this.change({ [name]: select.value }));
      this.selects.set(name, select);
      return element("label", { hidden: true }, element("span", {}, label), select);
    }

    // Phones show no heads of columns to click on.
    makeSorter() {
      this.sorter = element("select");
      this.sorter.append(new Option("as delivered", " "));
      for (const name of this.heads) this.sorter.append(new Option(`${name} ↑`, `+${name}`), new Option(`${name} ↓`, `-${name}`));
      this.sorter.addEventListener("change", () => {
        this.change({ sort: this.sorter.value.slice(1).trim(), down: this.sorter.value.startsWith("-") });
      });
      return element("label", { class: "sorter" }, element("span", {}, "Sort by"), this.sorter);
    }

    makeMenu() {
      this.boxes = this.heads.slice(1).map((name) => {
        const box = element("input", { type: "checkbox", value: name });
        box.addEventListener("change", () => this.chooseColumns());
        return box;
      });
      const labels = this.boxes.map((box) => element("label", {}, box, element("span", {}, box.value)));
      const all = element("button", { type: "button", click: () => this.change({ columns: this.heads.slice(1) }) }, "All");
      const usual = element("button", { type: "button", click: () => this.change({ columns: null }) }, "As configured");
      const list = element("div", { class: "menu-list", role: "group", "aria-label": "Columns" }, element("p", {}, all, usual), ...labels);
      const menu = element("details", { class: "menu" }, element("summary", {}, "Columns"), list);
      menu.addEventListener("keydown", (event) => {
        if (event.key !== "Escape" || !menu.open) return;
        menu.open = false;
        menu.firstElementChild.focus();
      });
      document.addEventListener("pointerdown", (event) => {
        if (!menu.contains(event.target)) menu.open = false;
      });
      return menu;
    }

    chooseColumns() {
      this.change({ columns: this.boxes.filter((box) => box.checked).map((box) => box.value) });
    }

    clear() {
      this.change({ text: "", observation: "", detector: "", filter: "", state: "" });
      this.search.focus();
    }

    get filtered() {
      return Boolean(this.choice.text.trim()) || facets.some(([name]) => this.choice[name] !== "");
    }

    show() {
      const { choice } = this;
      if (this.search.value !== choice.text) this.search.value = choice.text;
      for (const [name, select] of this.selects) this.pick(select, choice[name]);
      this.sorter.value = choice.sort === "" ? " " : `${choice.down ? "-" : "+"}${choice.sort}`;
      for (const box of this.boxes) box.checked = choice.columns === null || choice.columns.includes(box.value);
      this.clearing.hidden = !this.filtered;
    }

    // A value that no row has can still be chosen by a link: it is shown, and shows nothing.
    pick(select, value) {
      if (value !== "" && ![...select.options].some((option) => option.value === value)) select.append(new Option(value, value));
      select.value = value;
      select.classList.toggle("chosen", value !== "");
    }

    // `options` has [label, value] pairs by facet; a facet with one value is no choice.
    offer(options) {
      for (const [name, select] of this.selects) {
        const offered = options[name];
        // The last of its options may be one that only a link chose.
        const there = new Set([...select.options].map((option) => option.value));
        if (there.size > offered.length && offered.every(([, value]) => there.has(value))) continue;
        select.replaceChildren(new Option("all", ""), ...offered.map(([label, value]) => new Option(label, value)));
        this.pick(select, this.choice[name]);
      }
      for (const [name, select] of this.selects) {
        select.parentElement.hidden = options[name].length < 2 && this.choice[name] === "";
      }
    }

    report(text) {
      if (this.output.textContent !== text) this.output.textContent = text;
    }
  };
})();
