// Comparison of two pictures in one place: blinking, by hand, or beside a curtain.
"use strict";

(() => {
  const jwstwatch = (window.jwstwatch = window.jwstwatch || {});
  const parts = (jwstwatch.viewerParts = jwstwatch.viewerParts || {});
  // Changes a second. More than three flashes a second can cause seizures (WCAG 2.3.1).
  const PACES = [0.5, 1, 1.5, 2, 2.5, 3];
  const USUAL = PACES.indexOf(2);

  // A choice is {value, text, src, name, own}: what the menu calls it, and the captions of it and of the picture
  // on the stage. `place` lays a picture out where the one on the stage is.
  function makeCompare({ stage, tools }, { place, say, complain }) {
    const calm = window.matchMedia("(prefers-reduced-motion: reduce)");
    let choices = [];
    // What was compared last, or chosen for it: kept from picture to picture.
    let wanted = "";
    let mode = "off";
    let byHand = false;
    let pair = null;
    let seen = false;
    let pace = USUAL;
    let share = 50;
    let timer = null;
    let turn = 0;
    let standing = "none"; // of the picture itself: "none", "coming" or "there"
    let otherFirst = false; // what was asked for while it was coming

    const chosen = () => choices.find((choice) => choice.value === tools.against.value);

    function pause() {
      clearTimeout(timer);
      tools.pace.hidden = true;
    }

    function run() {
      tools.pace.hidden = false;
      timer = setTimeout(() => {
        see(!seen);
        run();
      }, 1000 / PACES[pace]);
    }

    function see(other) {
      seen = other;
      const both = mode === "curtain";
      stage.main.style.opacity = both || !seen ? "1" : "0";
      stage.other.style.opacity = both || seen ? "1" : "0";
      stage.seen.textContent = seen && !both ? pair.name : pair.own;
      stage.seen.classList.toggle("second", seen && !both);
      stage.seen.classList.toggle("half", both);
    }

    function draw(next) {
      share = next;
      stage.other.style.clipPath = mode === "curtain" ? `inset(0 0 0 ${share}%)` : "none";
      stage.line.style.left = `${share}%`;
      tools.divide.value = share;
    }

    function showMode() {
      for (const name of ["blink", "curtain"]) tools[name].setAttribute("aria-pressed", String(mode === name));
      tools.extra.hidden = mode === "off";
      tools.swap.hidden = mode !== "blink";
      tools.divide.hidden = mode !== "curtain";
    }

    function clear() {
      pause();
      turn += 1;
      pair = null;
      seen = false;
      stage.main.style.opacity = "1";
      stage.other.replaceChildren();
      for (const element of [stage.other, stage.seen, stage.behind, stage.line]) element.hidden = true;
    }

    function end() {
      clear();
      mode = "off";
      showMode();
    }

    function show(choice, image, other) {
      pair = choice;
      image.alt = choice.name;
      stage.other.replaceChildren(image);
      place(image);
      draw(share);
      stage.behind.textContent = choice.name;
      stage.behind.hidden = stage.line.hidden = mode !== "curtain";
      stage.other.hidden = stage.seen.hidden = false;
      see(other);
      if (mode === "blink" && !byHand) run();
      say(tell(choice, other));
    }

    function tell({ own, name }, other) {
      if (mode === "curtain") return `Curtain: ${own} left, ${name} right`;
      if (!byHand) return `Blinking: ${own} and ${name}`;
      return other ? name : `${own} and ${name}: Space shows the other`;
    }

    // Neither picture is hidden before both are decoded: what blinks is never a picture that still loads.
    async function begin(next, { hand = calm.matches, other = false } = {}) {
      const choice = chosen();
      if (!choice || standing === "none") return end();
      clear();
      const mine = turn;
      mode = next;
      byHand = hand;
      wanted = choice.value;
      showMode();
      if (standing === "coming") {
        otherFirst = other;
        return; // `resume` goes on from here
      }
      try {
        const image = await parts.images.load(choice.src);
        if (mine === turn) show(choice, image, other);
      } catch {
        if (mine !== turn) return;
        end();
        complain(choice.src);
      }
    }

    function offer(offered) {
      choices = offered;
      tools.against.replaceChildren(...choices.map((choice) => new Option(choice.text, choice.value)));
      if (choices.some((choice) => choice.value === wanted)) tools.against.value = wanted;
      else if (mode !== "off") end();
      tools.compare.hidden = !choices.length;
    }

    function hold() {
      standing = "coming";
      otherFirst = false;
      clear();
    }

    function resume() {
      standing = "there";
      goOn({ other: otherFirst });
    }

    function miss() {
      standing = "none";
    }

    function choose() {
      wanted = tools.against.value;
      goOn();
    }

    function goOn(more = {}) {
      if (mode !== "off") begin(mode, { hand: byHand, ...more });
    }

    const toggle = (next) => (mode === next ? end() : begin(next));

    function swap() {
      if (mode !== "blink") begin("blink", { hand: true, other: true });
      else if (pair) {
        pause();
        byHand = true;
        see(!seen);
        say(stage.seen.textContent);
      }
    }

    function change(step) {
      pace = Math.max(0, Math.min(pace + step, PACES.length - 1));
      tools.rate.textContent = `${PACES[pace]} / s`;
      if (step) say(`${PACES[pace]} changes a second`);
    }

    function dragLine(event) {
      if (!stage.line.hasPointerCapture(event.pointerId)) return;
      const frame = stage.ground.getBoundingClientRect();
      draw(Math.round(Math.max(0, Math.min(1, (event.clientX - frame.left) / frame.width)) * 100));
    }

    tools.blink.addEventListener("click", () => toggle("blink"));
    tools.curtain.addEventListener("click", () => toggle("curtain"));
    tools.swap.addEventListener("click", swap);
    tools.slower.addEventListener("click", () => change(-1));
    tools.faster.addEventListener("click", () => change(1));
    tools.against.addEventListener("change", choose);
    tools.divide.addEventListener("input", () => draw(Number(tools.divide.value)));
    stage.line.addEventListener("pointerdown", (event) => {
      event.stopPropagation();
      stage.line.setPointerCapture(event.pointerId);
    });
    stage.line.addEventListener("pointermove", dragLine);
    change(0);
    showMode();
    return { offer, hold, resume, miss, end, toggle, swap, change };
  }

  parts.makeCompare = makeCompare;
})();
