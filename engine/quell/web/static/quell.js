// Brings a page up to date while it is looked at, and tells times as ages. Pages can be read and used without it.
"use strict";

const EVERY_MS = 5000;
let known = null;

function age(seconds) {
  if (seconds < 60) return "just now";
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min ago`;
  return `${Math.floor(seconds / 86400)} days ago`;
}

function tellAges() {
  for (const each of document.querySelectorAll("time")) {
    each.title = each.title || each.textContent;
    const seconds = (Date.now() - Date.parse(each.dateTime)) / 1000;
    each.textContent = seconds < 0 ? each.title : age(seconds);
  }
}

function busy(main) {
  const active = document.activeElement;
  if (main.contains(active) && active.matches("input, select, textarea")) return true;
  return [...main.querySelectorAll("input:not([type=hidden])")].some((each) => each.value !== each.defaultValue);
}

async function look() {
  const main = document.getElementById("main");
  if (document.hidden || main.dataset.live !== "yes" || busy(main)) return;
  const stale = document.getElementById("stale");
  try {
    const headers = known ? { "If-None-Match": known } : {};
    const answer = await fetch(location.href, { headers, redirect: "manual", cache: "no-store" });
    if (answer.type === "opaqueredirect") return location.reload();
    stale.hidden = answer.ok || answer.status === 304;
    if (!answer.ok || busy(main)) return;
    const found = new DOMParser().parseFromString(await answer.text(), "text/html");
    const open = [...main.querySelectorAll("details[open]")].map((each) => each.id);
    main.replaceChildren(...found.getElementById("main").childNodes);
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    document.title = found.title;
    known = answer.headers.get("ETag");
    tellAges();
  } catch {
    stale.hidden = false;
  }
}

tellAges();
setInterval(tellAges, 30000);
setInterval(look, EVERY_MS);
document.addEventListener("visibilitychange", look);
