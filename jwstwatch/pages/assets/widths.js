// How wide the columns of a live table are: by their longest text, measured once, so that none jumps.
"use strict";

(() => {
  const jwstwatch = (window.jwstwatch = window.jwstwatch || {});
  const PADDING = 21;
  const ARROW = 14;
  const MOST = 260;
  const LEAST = 52;

  const canvas = document.createElement("canvas").getContext("2d");

  function measure(text, font) {
    canvas.font = font;
    return Math.ceil(canvas.measureText(text).width);
  }

  const fontOf = (place, size, weight = 400, family = null) =>
    `${weight} ${size}px ${family ?? getComputedStyle(place).fontFamily}`;

  // The first column has room for the longest name; pictures have theirs as configured.
  jwstwatch.measureColumns = ({ table, columns, listing, box, headName }) => {
    const size = parseFloat(getComputedStyle(table).fontSize);
    const [body, head] = [fontOf(table, size), fontOf(table, size * 0.92, 600)];
    const mono = getComputedStyle(document.documentElement).getPropertyValue("--mono");
    const key = measure(listing.longestKey || headName, fontOf(table, size * 0.93, 400, mono));
    const widths = columns.map(({ name, kind, tally }) => {
      const named = measure(name, head) + PADDING + ARROW;
      const content = kind === "picture" ? box[0] + 17 : Math.min(MOST, measure(tally.longest, body) * 1.04 + PADDING);
      return Math.ceil(Math.max(LEAST, named, content));
    });
    return [Math.min(360, Math.max(220, key + PADDING + 24)), ...widths];
  };
})();
