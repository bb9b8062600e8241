// The full-size viewer: pictures of one kind over the rows, stages of one exposure, zoom, comparison.
"use strict";

(() => {
  const jwstwatch = (window.jwstwatch = window.jwstwatch || {});
  const parts = jwstwatch.viewerParts;
  const { nameOf, revisionOf } = parts;
  const PIXELS_FROM = 2;
  const SHIFT = 80;
  const REPEAT = 334;

  let viewer = null;

  const linkTo = (element, address) => {
    element.hidden = !address;
    if (address) element.href = address;
    else element.removeAttribute("href");
  };

  function makeViewer() {
    const frame = parts.makeFrame();
    const { dialog, head, stage, tools } = frame;
    let row = parts.arrange([]);
    let index = 0;
    let refocus = null;
    let turn = 0;
    let shape = null;
    let lastStep = -REPEAT;
    let pointed = false;

    const say = (words) => (frame.live.textContent = words);

    function complain(address) {
      stage.trouble.textContent = `${nameOf(address)} could not be loaded.`;
    }

    function place(image) {
      if (!shape) return;
      image.style.width = `${shape.pictureWidth}px`;
      image.style.height = `${shape.pictureHeight}px`;
      image.style.transform = `translate(${shape.left}px, ${shape.top}px) scale(${shape.scale})`;
    }

    function paint(next) {
      shape = { ...shape, ...next };
      stage.ground.classList.toggle("pixelated", shape.scale > PIXELS_FROM);
      stage.ground.classList.toggle("whole", shape.fitted);
      tools.percent.textContent = shape.pictureWidth ? `${Math.round(shape.scale * 100)} %` : "";
      for (const layer of [stage.main, stage.other]) if (layer.firstElementChild) place(layer.firstElementChild);
    }

    const zoom = parts.makeZoom(stage.ground, paint);
    const compare = parts.makeCompare(frame, { place, say, complain });

    function showStages() {
      const stages = row.stages(index);
      const words = stages.map((other) => row.items[other].kind);
      const buttons = Array.from(tools.stages.children);
      if (buttons.map((button) => button.textContent).join("\n") !== words.join("\n")) {
        tools.stages.replaceChildren(
          ...words.map((kind, position) => {
            const button = parts.make("button", { type: "button", textContent: kind });
            button.addEventListener("click", () => show(row.stages(index)[position]));
            return button;
          }),
        );
      }
      tools.stages.hidden = words.length < 2;
      stages.forEach((other, position) => {
        tools.stages.children[position].setAttribute("aria-pressed", String(other === index));
      });
    }

    function showCaption(item) {
      const alike = row.alike(index);
      const position = `${alike.indexOf(index) + 1} of ${alike.length}`;
      head.title.textContent = head.title.title = item.title;
      const facts = [item.kind, revisionOf(item), position, item.note].filter(Boolean);
      head.facts.textContent = facts.join(" \u00b7 ");
      linkTo(head.picture, item.src);
      linkTo(head.file, item.file === item.src ? null : item.file);
      // Not `disabled`: a button that loses the focus would lose the keys too.
      tools.previous.setAttribute("aria-disabled", String(row.beside(index, -1) === undefined));
      tools.next.setAttribute("aria-disabled", String(row.beside(index, 1) === undefined));
      say([item.title, ...facts].join(", "));
    }

    function preload() {
      const wanted = [row.beside(index, 1), row.beside(index, -1), ...row.stages(index)];
      for (const other of wanted) if (other !== undefined) parts.images.preload(row.items[other].src);
    }

    async function show(next) {
      if (next === undefined) return;
      index = next;
      const item = row.items[index];
      const mine = ++turn;
      compare.hold();
      compare.offer(row.choices(index));
      stage.trouble.textContent = "";
      stage.ground.classList.add("loading");
      showStages();
      showCaption(item);
      try {
        const image = await parts.images.load(item.src);
        if (mine !== turn) return;
        image.alt = `${item.title}, ${item.kind}`;
        stage.main.replaceChildren(image);
        shape = { ...shape, pictureWidth: image.naturalWidth, pictureHeight: image.naturalHeight };
        zoom.take(image.naturalWidth, image.naturalHeight);
        compare.resume();
      } catch {
        if (mine !== turn) return;
        compare.miss();
        stage.main.replaceChildren();
        paint({ pictureWidth: 0 });
        complain(item.src);
      }
      stage.ground.classList.remove("loading");
      preload();
    }

    const step = (by) => show(row.beside(index, by));
    const end = (position) => show(row.alike(index).at(position));

    function climb(by) {
      const stages = row.stages(index);
      show(stages[stages.indexOf(index) + by]);
    }

    function open(items, at, from) {
      if (!items.length) return;
      finish();
      row = parts.arrange(items);
      if (!dialog.open) {
        refocus = parts.rememberFocus(from);
        dialog.showModal();
        stage.ground.focus();
        document.addEventListener("keydown", press, true);
      }
      show(Math.max(0, Math.min(at, items.length - 1)));
    }

    // The dialog tells of its end some time later: it can be open again by then.
    function finish() {
      if (dialog.open || !refocus) return;
      document.removeEventListener("keydown", press, true);
      turn += 1;
      compare.hold();
      compare.end();
      stage.main.replaceChildren();
      zoom.fit();
      parts.images.forget();
      refocus();
      refocus = null;
    }

    const move = (x, y, by) => (event) => {
      if (event.shiftKey) return zoom.shift(x * SHIFT, y * SHIFT);
      // A key that is held down must not flicker through the pictures.
      if (event.repeat && event.timeStamp - lastStep < REPEAT) return;
      lastStep = event.timeStamp;
      by();
    };
    const once = (action) => (event) => event.repeat || action();
    const actions = {
      ArrowLeft: move(1, 0, () => step(-1)),
      ArrowRight: move(-1, 0, () => step(1)),
      ArrowUp: move(0, 1, () => climb(-1)),
      ArrowDown: move(0, -1, () => climb(1)),
      Home: () => end(0),
      End: () => end(-1),
      "+": () => zoom.by(1.25),
      "=": () => zoom.by(1.25),
      "-": () => zoom.by(0.8),
      0: () => zoom.fit(),
      1: () => zoom.set(1),
      b: once(() => compare.toggle("blink")),
      c: once(() => compare.toggle("curtain")),
      " ": once(() => compare.swap()),
      "[": () => compare.change(-1),
      "]": () => compare.change(1),
      "?": () => frame.keys.showModal(),
    };

    function belongsTo(target, key) {
      if (target.matches("select")) return !["b", "[", "]", "?"].includes(key);
      if (target.matches("input")) return key.startsWith("Arrow") || key === "Home" || key === "End";
      return key === " " && target.matches("button, a");
    }

    function press(event) {
      pointed = false;
      // With AltGr many keyboards write brackets.
      if ((event.ctrlKey || event.metaKey || event.altKey) && !event.getModifierState("AltGraph")) return;
      const action = actions[event.key];
      if (!action || frame.keys.open || belongsTo(event.target, event.key)) return;
      event.preventDefault();
      event.stopPropagation();
      action(event);
    }

    // The second click of a double click on a thumbnail falls on the viewer that the first one opened.
    const onGround = (event) => event.detail < 2 && dialog.close();

    // After the mouse the keys are for the picture again: Space must not press the button once more.
    function returnKeys(event) {
      const used = event.type === "change" ? pointed : event.detail > 0 && event.target.closest("button");
      if (used && !frame.keys.open) stage.ground.focus();
    }

    function setUp() {
      const onClick = {
        previous: () => step(-1),
        next: () => step(1),
        out: () => zoom.by(0.8),
        fit: () => zoom.fit(),
        actual: () => zoom.set(1),
        closer: () => zoom.by(1.25),
      };
      for (const [name, action] of Object.entries(onClick)) tools[name].addEventListener("click", action);
      head.help.addEventListener("click", () => frame.keys.showModal());
      head.close.addEventListener("click", () => dialog.close());
      dialog.addEventListener("close", finish);
      dialog.addEventListener("click", returnKeys);
      tools.against.addEventListener("change", returnKeys);
      dialog.addEventListener("pointerdown", () => (pointed = true));
      parts.listenToGestures(stage.ground, zoom, { onGround, onSwipe: step });
    }

    setUp();
    return { open };
  }

  // What an item is stands in viewer-items.js; the focus goes back to `opener` in the end.
  function open(items, index, opener) {
    viewer = viewer || makeViewer();
    viewer.open(items, index, opener);
  }

  function takeOver(event) {
    const link = event.target.closest("a.thumbnail[data-kind]");
    const plain = event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
    if (!link || !plain || event.defaultPrevented) return;
    event.preventDefault();
    const { items, index } = parts.readItems(link);
    open(items, index, link);
  }

  document.addEventListener("click", takeOver);
  jwstwatch.viewer = { open };
})();
