// Zoom and pan of the viewer: by wheel, mouse, fingers and, through its methods, by keys and buttons.
"use strict";

(() => {
  const jwstwatch = (window.jwstwatch = window.jwstwatch || {});
  const parts = (jwstwatch.viewerParts = jwstwatch.viewerParts || {});
  const MOST = 16;
  const STILL = 5;
  const SWIPE = 48;
  const DOUBLE = { time: 400, distance: 24 };

  const between = (least, value, most) => Math.max(least, Math.min(value, most));
  const distance = (one, other) => Math.hypot(one.x - other.x, one.y - other.y);

  // `scale` is in CSS pixels per pixel of the picture, `centre` what stands in the middle of the stage.
  function makeZoom(stage, paint) {
    const picture = { width: 1, height: 1 };
    const centre = { x: 0, y: 0 };
    let scale = 1;
    let fitted = true;

    const fitting = () => Math.min(stage.clientWidth / picture.width, stage.clientHeight / picture.height, MOST) || 1;

    // The middle of the stage stays on the picture; a narrower rule would make it jump below the pointer.
    function hold(axis, length) {
      centre[axis] = fitted ? length / 2 : between(0, centre[axis], length);
    }

    function update() {
      if (fitted) scale = fitting();
      hold("x", picture.width);
      hold("y", picture.height);
      paint({ ...box(), scale, fitted });
    }

    function box() {
      return {
        left: Math.round(stage.clientWidth / 2 - centre.x * scale),
        top: Math.round(stage.clientHeight / 2 - centre.y * scale),
        width: picture.width * scale,
        height: picture.height * scale,
      };
    }

    // The pixel under `at` (on the stage; its middle when left out) stays where it is.
    function set(wanted, at) {
      const fit = fitting();
      const next = between(Math.min(fit, 1), wanted, MOST);
      const x = at ? at.x - stage.clientWidth / 2 : 0;
      const y = at ? at.y - stage.clientHeight / 2 : 0;
      centre.x += x / scale - x / next;
      centre.y += y / scale - y / next;
      scale = next;
      fitted = Math.abs(scale / fit - 1) < 1e-3;
      update();
    }

    // Pictures of one size keep the place that is looked at, so that positions can be compared.
    function take(width, height) {
      if (width !== picture.width || height !== picture.height) fitted = true;
      Object.assign(picture, { width, height });
      update();
    }

    function shift(x, y) {
      centre.x -= x / scale;
      centre.y -= y / scale;
      update();
    }

    function toggle(at) {
      if (!fitted) fit();
      else set(fitting() < 0.8 ? 1 : 2 * fitting(), at);
    }

    function fit() {
      fitted = true;
      update();
    }

    function holds(at) {
      const { left, top, width, height } = box();
      return at.x >= left && at.x <= left + width && at.y >= top && at.y <= top + height;
    }

    const isWhole = () => box().width <= stage.clientWidth + 1 && box().height <= stage.clientHeight + 1;
    const by = (factor, at) => set(scale * factor, at);

    new ResizeObserver(update).observe(stage);
    return { take, set, by, fit, toggle, shift, holds, isWhole };
  }

  // onGround: a click beside the picture; onSwipe: one finger across a picture that is seen whole.
  function listenToGestures(stage, zoom, { onGround, onSwipe }) {
    const fingers = new Map();
    let begin = null;
    let moved = false;
    let pinched = false;
    let lastTap = null;
    let onGroundTapped = false;

    const place = (event) => {
      const frame = stage.getBoundingClientRect();
      return { x: event.clientX - frame.left, y: event.clientY - frame.top };
    };

    function tap(at, time) {
      onGroundTapped = !zoom.holds(at);
      if (lastTap && time - lastTap.time < DOUBLE.time && distance(at, lastTap) < DOUBLE.distance) {
        lastTap = null;
        zoom.toggle(at);
      } else lastTap = { ...at, time };
    }

    function pinch(event) {
      const [one, other] = fingers.values();
      const before = { gap: distance(one, other), x: (one.x + other.x) / 2, y: (one.y + other.y) / 2 };
      Object.assign(fingers.get(event.pointerId), place(event));
      const after = { x: (one.x + other.x) / 2, y: (one.y + other.y) / 2 };
      zoom.shift(after.x - before.x, after.y - before.y);
      if (before.gap > 0) zoom.by(distance(one, other) / before.gap, after);
    }

    stage.addEventListener("pointerdown", (event) => {
      onGroundTapped = false;
      if (event.button !== 0 || event.target.closest(".viewer-extra")) return;
      stage.setPointerCapture(event.pointerId);
      fingers.set(event.pointerId, place(event));
      if (fingers.size === 1) {
        begin = place(event);
        moved = pinched = false;
      } else moved = pinched = true;
    });

    stage.addEventListener("pointermove", (event) => {
      const before = fingers.get(event.pointerId);
      if (!before) return;
      if (fingers.size === 2) return pinch(event);
      const now = place(event);
      moved = moved || distance(begin, now) > STILL;
      if (moved) zoom.shift(now.x - before.x, now.y - before.y);
      if (moved) Object.assign(before, now);
    });

    stage.addEventListener("pointerup", (event) => {
      if (!fingers.delete(event.pointerId) || fingers.size) return;
      const end = place(event);
      if (!moved) tap(end, event.timeStamp);
      else if (!pinched && event.pointerType === "touch" && zoom.isWhole()) {
        const [x, y] = [end.x - begin.x, end.y - begin.y];
        if (Math.abs(x) > SWIPE && Math.abs(x) > 2 * Math.abs(y)) onSwipe(x < 0 ? 1 : -1);
      }
    });
    // Not before the click itself: it would go to what lies below the viewer.
    stage.addEventListener("click", (event) => {
      if (onGroundTapped) onGround(event);
      onGroundTapped = false;
    });
    // Also when the viewer is closed below the finger.
    stage.addEventListener("lostpointercapture", (event) => fingers.delete(event.pointerId));

    const turn = (event) => {
      event.preventDefault();
      const lines = event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? 1 : 33;
      // Two fingers on a touchpad come as a wheel with Ctrl and small steps.
      const speed = event.ctrlKey ? 0.01 : 0.0015;
      zoom.by(Math.exp(-speed * between(-250, event.deltaY * lines, 250)), place(event));
    };
    stage.addEventListener("wheel", turn, { passive: false });
  }

  Object.assign(parts, { makeZoom, listenToGestures });
})();
