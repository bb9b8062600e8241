// What the scripts of all pages share: data scripts, links, elements, the browser's memory, the clipboard.
"use strict";

(() => {
  const jwstwatch = (window.jwstwatch = window.jwstwatch || {});
  const delivered = new Map();
  const requested = new Map();

  const nameOf = (kind, part, section, chunk) => `${kind} ${part} ${section} ${chunk}`;
  const deliver = (kind) => (payload) => {
    delivered.set(nameOf(kind, payload.part, payload.section, payload.chunk), payload);
  };

  // Data scripts call these two: pages opened as files can load scripts, but nothing else.
  jwstwatch.rows = deliver("rows");
  jwstwatch.details = deliver("details");

  // Hands over what a data script brought; undefined where it was broken or had something else in it.
  jwstwatch.take = (kind, part, section, chunk) => {
    const name = nameOf(kind, part, section, chunk);
    const payload = delivered.get(name);
    delivered.delete(name);
    return payload;
  };

  jwstwatch.load = (address) => {
    if (!requested.has(address)) {
      const loading = addScript(address);
      requested.set(address, loading);
      const forget = () => requested.delete(address);
      loading.then(forget, forget); // the next asker tries again: what came may have been broken
    }
    return requested.get(address);
  };

  function addScript(address) {
    return new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.addEventListener("load", () => (script.remove(), resolve()));
      script.addEventListener("error", () => (script.remove(), reject(new Error(address))));
      script.src = address;
      document.head.append(script);
    });
  }

  // The address of a file of the site for the page of a proposal; null for what would lead elsewhere.
  jwstwatch.link = (folder, name) => {
    if (typeof folder !== "string" || typeof name !== "string") return null;
    const steps = [...(folder === "" ? [] : folder.split("/")), ...name.split("/")];
    if (steps.some((step) => step === "" || step === "." || step === "..")) return null;
    try {
      return `../${steps.map(encodeURIComponent).join("/")}`;
    } catch {
      return null; // a name that is no text has no address
    }
  };

  // Children are elements or text, never markup.
  jwstwatch.element = (tag, facts = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(facts)) {
      if (name === "click") made.addEventListener("click", value);
      else if (value === true) made.setAttribute(name, "");
      else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value);
    }
    made.append(...children.filter((child) => child !== null && child !== undefined));
    return made;
  };

  // The browser may refuse to remember: private windows and strict settings do.
  jwstwatch.remember = (name, value) => {
    try {
      if (value === null) localStorage.removeItem(`jwstwatch:${name}`);
      else localStorage.setItem(`jwstwatch:${name}`, JSON.stringify(value));
    } catch {
      return false;
    }
    return true;
  };

  jwstwatch.recall = (name) => {
    try {
      return JSON.parse(localStorage.getItem(`jwstwatch:${name}`));
    } catch {
      return null;
    }
  };

  // Pages opened as files or over plain http have no navigator.clipboard.
  jwstwatch.copy = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      return copySelected(text);
    }
  };

  function copySelected(text) {
    const before = document.activeElement;
    const area = jwstwatch.element("textarea", { class: "unseen", readonly: true, "aria-hidden": "true" });
    area.value = text;
    (document.querySelector("dialog[open]") ?? document.body).append(area);
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    before?.focus({ preventScroll: true });
    return copied;
  }

  const prefixes = ["kB", "MB", "GB", "TB", "PB"];

  // As the pages write sizes elsewhere: decimal units, three digits.
  jwstwatch.sizeText = (size) => {
    if (typeof size !== "number") return "";
    if (size < 1000) return `${size} B`;
    let amount = size / 1000;
    let prefix = 0;
    while (amount >= 999.5 && prefix < prefixes.length - 1) {
      amount /= 1000;
      prefix += 1;
    }
    return `${amount.toFixed(Math.max(0, 3 - String(Math.trunc(amount)).length))} ${prefixes[prefix]}`;
  };
})();
