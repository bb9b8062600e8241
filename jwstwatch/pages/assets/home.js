// The home page: what is new by the reader's clock, and how the profiles stand.
"use strict";

(() => {
  const home = document.getElementById("home");
  if (!home) return;
  const jwstwatch = (window.jwstwatch = window.jwstwatch || {});
  const known = JSON.parse(home.dataset.home);
  const hour = 3600e3;
  const day = 24 * hour;
  const looks = { complete: "present", partial: "stale", failed: "failed", cancelled: "gone" };
  let standing = null;

  const count = (number, word) => `${number.toLocaleString("en")} ${word}${number === 1 ? "" : "s"}`;

  // What arrived in the hours that have ended less than so many milliseconds ago, and of which proposals.
  function arrivedWithin(span) {
    const first = Math.floor((Date.now() - span) / hour);
    const sum = { files: 0, bytes: 0, reprocessed: 0, proposals: new Map() };
    for (const [number, entries] of known.hours) {
      if (number < first) break; // newest first
      for (const [proposal, files, bytes, reprocessed] of entries) {
        sum.files += files;
        sum.bytes += bytes;
        sum.reprocessed += reprocessed;
        sum.proposals.set(proposal, (sum.proposals.get(proposal) ?? 0) + files);
      }
    }
    return sum;
  }

  function fillTile(id, sum) {
    const tile = document.getElementById(id);
    const [figure, words] = tile.querySelectorAll("p");
    figure.textContent = count(sum.files, "file");
    const facts = [jwstwatch.sizeText(sum.bytes), count(sum.proposals.size, "proposal")];
    if (sum.reprocessed) facts.push(`${sum.reprocessed.toLocaleString("en")} reprocessed`);
    words.textContent = sum.files ? facts.join(", ") : "nothing arrived";
    tile.classList.toggle("some", sum.files > 0);
    tile.classList.toggle("none", sum.files === 0);
    tile.hidden = false;
  }

  function markProposals(lately, week) {
    for (const row of document.querySelectorAll("#proposals tr[data-proposal]")) {
      const proposal = Number(row.dataset.proposal);
      const [files, when] = lately.proposals.has(proposal)
        ? [lately.proposals.get(proposal), "24 h"]
        : [week.proposals.get(proposal) ?? 0, "7 d"];
      row.classList.toggle("fresh", when === "24 h");
      let badge = row.querySelector(".fresh-count");
      if (!files) {
        badge?.remove();
        continue;
      }
      if (!badge) {
        badge = document.createElement("span");
        badge.className = "badge fresh-count";
        row.querySelector("td.arrival").append(badge);
      }
      badge.textContent = `${files.toLocaleString("en")} new in ${when}`;
    }
  }

  function distance(milliseconds) {
    const minutes = Math.round(Math.abs(milliseconds) / 60e3);
    if (minutes < 1) return "less than a minute";
    if (minutes < 90) return `${minutes} min`;
    const hours = Math.round(minutes / 60);
    return hours < 48 ? `${hours} h` : `${Math.round(hours / 24)} d`;
  }

  const ago = (moment) => `${distance(Date.now() - Date.parse(moment))} ago`;

  function timeOf(moment) {
    const made = document.createElement("time");
    made.dateTime = moment;
    made.textContent = moment.replace(/:\d\dZ$/, "Z");
    return made;
  }

  function describeFiles(files) {
    const settled = files.downloaded + files.unchanged;
    const facts = [`${count(settled, "file")} in order`];
    for (const word of ["waiting", "withheld", "failed"]) {
      if (files[word]) facts.push(`${files[word].toLocaleString("en")} ${word}`);
    }
    return facts.join(", ");
  }

  function showProfile(line, profile) {
    const words = line.querySelector(".standing");
    const badge = document.createElement("span");
    if (!profile.outcome) {
      words.textContent = "no run has ended yet";
      return;
    }
    badge.className = `badge ${looks[profile.outcome] ?? "gone"}`;
    badge.textContent = profile.outcome;
    words.replaceChildren(badge, `last run ${ago(profile.finished_at)} (`, timeOf(profile.finished_at), ")");
    const { downloaded, unchanged, waiting, withheld, failed } = profile.files;
    if (downloaded + unchanged + waiting + withheld + failed) words.append(`; ${describeFiles(profile.files)}`);
    if (profile.next_run_at) {
      const left = Date.parse(profile.next_run_at) - Date.now();
      words.append(left > 0 ? `; next run in ${distance(left)} (` : "; the next run is due (", timeOf(profile.next_run_at), ")");
    }
    if (profile.error) {
      const trouble = document.createElement("span");
      trouble.className = "trouble";
      trouble.textContent = profile.error;
      words.append(trouble);
    }
  }

  function showArchive(archive) {
    const words = document.getElementById("archive");
    words.hidden = archive.reachable === null;
    if (words.hidden) return;
    const told = archive.reachable ? "The archive answered" : "The archive did not answer";
    words.replaceChildren(`${told} ${ago(archive.checked_at)} (`, timeOf(archive.checked_at), ").");
    words.classList.toggle("trouble", !archive.reachable);
  }

  function show() {
    const lately = arrivedWithin(day);
    const week = arrivedWithin(7 * day);
    fillTile("new-day", lately);
    fillTile("new-week", week);
    markProposals(lately, week);
    if (!standing) return;
    showArchive(standing.archive);
    for (const line of document.querySelectorAll("li[data-profile]")) {
      const profile = standing.profiles.find((each) => each.name === line.dataset.profile);
      if (profile) showProfile(line, profile);
    }
  }

  // The script that the end of each run writes calls this.
  jwstwatch.standing = (told) => {
    standing = told;
    show();
  };

  function askStanding() {
    if (!known.standing || document.hidden) return;
    // A mark of the time: no browser shall show what it kept of an earlier run. Not `?v=`, which is kept for ever.
    jwstwatch.load(`${known.standing}?at=${Math.floor(Date.now() / 60e3)}`).catch(() => {});
  }

  show();
  askStanding();
  setInterval(show, 60e3);
  setInterval(askStanding, 5 * 60e3);
  document.addEventListener("visibilitychange", askStanding);
})();
