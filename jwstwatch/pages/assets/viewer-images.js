// The viewer's pictures: asked for once, decoded before they are shown, the latest ones kept.
"use strict";

(() => {
  const jwstwatch = (window.jwstwatch = window.jwstwatch || {});
  const parts = (jwstwatch.viewerParts = jwstwatch.viewerParts || {});
  // A decoded picture of a detector is 16 MB: enough for its stages and both neighbours.
  const KEPT = 10;
  const kept = new Map();

  function request(address) {
    let image = kept.get(address);
    if (!image) {
      image = new Image();
      image.draggable = false;
      image.src = address;
    }
    kept.delete(address);
    kept.set(address, image);
    for (const oldest of kept.keys()) {
      if (kept.size <= KEPT) break;
      kept.delete(oldest);
    }
    return image;
  }

  async function load(address) {
    const image = request(address);
    try {
      await image.decode();
    } catch (error) {
      // A picture may be too large to be decoded ahead and can be shown all the same.
      if (!image.complete || !image.naturalWidth) {
        kept.delete(address);
        throw error;
      }
    }
    return image;
  }

  parts.images = { load, preload: request, forget: () => kept.clear() };
})();
