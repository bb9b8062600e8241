// What the viewer is built of: a dialog with a caption, a stage of two layers, and its buttons.
"use strict";

(() => {
  const jwstwatch = (window.jwstwatch = window.jwstwatch || {});
  const parts = (jwstwatch.viewerParts = jwstwatch.viewerParts || {});

  const KEYS = [
    ["\u2190 \u2192", "previous, next picture of the same kind"],
    ["Home End", "first, last of them"],
    ["\u2191 \u2193", "stages of the exposure: uncal, rate, cal"],
    ["+ \u2212", "zoom in, out (also: the wheel)"],
    ["0", "fit into the window"],
    ["1", "one pixel of the picture for one of the screen (also: double click)"],
    ["Shift + arrows", "move the picture (also: drag it)"],
    ["b", "blink with the picture chosen under \u201cCompare with\u201d, and stop"],
    ["Space", "show the other of the two by hand"],
    ["[ ]", "blink slower, faster"],
    ["c", "curtain: both pictures beside a line that can be moved"],
    ["?", "these keys"],
    ["Esc", "close (also: a click beside the picture)"],
  ];

  function make(tag, properties = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) {
      if (name in element) element[name] = value;
      else element.setAttribute(name, value);
    }
    element.append(...children);
    return element;
  }

  const makeButton = (text, label, more = {}) =>
    make("button", { type: "button", textContent: text, title: label, "aria-label": label, ...more });

  const makeGroup = (label, ...children) =>
    make("div", { className: "viewer-group", role: "group", "aria-label": label }, ...children);

  function makeHead() {
    const head = {
      title: make("h2", { id: "viewer-title" }),
      facts: make("p", { className: "viewer-facts" }),
      picture: make("a", { target: "_blank", rel: "noopener", textContent: "Open the picture" }),
      file: make("a", { target: "_blank", rel: "noopener", textContent: "Data file" }),
      help: makeButton("?", "Keys (?)"),
      close: makeButton("\u00d7", "Close (Esc)"),
    };
    head.bar = make(
      "div",
      { className: "viewer-head" },
      make("div", { className: "viewer-words" }, head.title, head.facts),
      make("p", { className: "viewer-links" }, head.picture, head.file),
      make("div", { className: "viewer-group" }, head.help, head.close),
    );
    return head;
  }

  function makeStage() {
    const stage = {
      main: make("div", { className: "viewer-layer" }),
      other: make("div", { className: "viewer-layer viewer-other", hidden: true }),
      line: make("div", { className: "viewer-line", hidden: true }),
      seen: make("p", { className: "viewer-seen", hidden: true }),
      behind: make("p", { className: "viewer-seen viewer-behind", hidden: true }),
      trouble: make("p", { className: "viewer-trouble", role: "alert" }),
    };
    stage.ground = make("div", { className: "viewer-stage", tabIndex: -1 }, ...Object.values(stage));
    return stage;
  }

  function makeTools() {
    const tools = {
      previous: makeButton("\u2039", "Previous picture (\u2190)"),
      next: makeButton("\u203a", "Next picture (\u2192)"),
      stages: makeGroup("Stages of the exposure"),
      out: makeButton("\u2212", "Zoom out (\u2212)"),
      fit: makeButton("Fit", "Fit into the window (0)"),
      actual: makeButton("1:1", "One pixel for one pixel (1)"),
      closer: makeButton("+", "Zoom in (+)"),
      percent: make("span", { className: "viewer-number" }),
      against: make("select", { id: "viewer-against" }),
      blink: makeButton("Blink", "Blink (b)", { "aria-pressed": "false" }),
      curtain: makeButton("Curtain", "Curtain (c)", { "aria-pressed": "false" }),
      swap: makeButton("Swap", "Show the other of the two (Space)"),
      slower: makeButton("Slower", "Slower ([)"),
      rate: make("span", { className: "viewer-number" }),
      faster: makeButton("Faster", "Faster (])"),
      divide: make("input", { type: "range", min: 0, max: 100, step: 1, "aria-label": "Place of the curtain" }),
    };
    // Upon the stage: the bars keep their height, and the picture its place, when a comparison begins.
    tools.pace = make("div", { className: "viewer-group", hidden: true }, tools.slower, tools.rate, tools.faster);
    tools.extra = makeGroup("Running comparison", tools.swap, tools.pace, tools.divide);
    tools.extra.classList.add("viewer-extra");
    const label = make("label", { htmlFor: "viewer-against", textContent: "Compare with" });
    tools.compare = makeGroup("Comparison", label, tools.against, tools.blink, tools.curtain);
    const pictures = makeGroup("Pictures", tools.previous, tools.next);
    const zoom = makeGroup("Zoom", tools.out, tools.fit, tools.actual, tools.closer, tools.percent);
    zoom.classList.add("viewer-zoom");
    tools.bar = make("div", { className: "viewer-tools" }, pictures, tools.stages, zoom, tools.compare);
    return tools;
  }

  function makeKeys() {
    const close = makeButton("\u00d7", "Close (Esc)");
    const lines = KEYS.flatMap(([keys, text]) => [make("dt", { textContent: keys }), make("dd", { textContent: text })]);
    const title = make("h2", { id: "viewer-keys-title", textContent: "Keys" });
    const head = make("div", { className: "viewer-head" }, title, close);
    const dialog = make("dialog", { className: "viewer-keys", "aria-labelledby": "viewer-keys-title" }, head);
    dialog.append(make("dl", {}, ...lines));
    dialog.addEventListener("click", (event) => {
      if (event.target === dialog || event.target === close) dialog.close();
    });
    dialog.addEventListener("keydown", (event) => {
      if (event.key === "?") dialog.close();
    });
    return dialog;
  }

  // The parts by name: dialog and keys (both in the document), head, stage, tools, live.
  function makeFrame() {
    const [head, stage, tools, keys] = [makeHead(), makeStage(), makeTools(), makeKeys()];
    const live = make("p", { className: "viewer-live", role: "status" });
    const dialog = make("dialog", { className: "viewer", "aria-labelledby": "viewer-title" });
    stage.ground.append(tools.extra);
    dialog.append(head.bar, stage.ground, tools.bar, live);
    document.body.append(dialog, keys);
    return { dialog, keys, head, stage, tools, live };
  }

  // Returns what gives the focus back: to `opener`, to the same link in a table that was drawn anew, or near it.
  function rememberFocus(opener) {
    const around = [];
    for (let element = opener; element; element = element.parentElement) around.push(element);
    const address = opener?.getAttribute("href");
    const isSame = (link) => link.getAttribute("href") === address;
    return () => {
      const again = () => Array.from(document.querySelectorAll("a.thumbnail")).find(isSame);
      const near = () => around.find((element) => element.isConnected && element.tabIndex >= 0);
      const target = opener?.isConnected ? opener : (address && again()) || near();
      target?.focus({ preventScroll: true });
    };
  }

  Object.assign(parts, { make, makeFrame, rememberFocus });
})();
