// Brings a page up to date while it is looked at, and tells times as ages. Pages can be read and used without it.
"use strict";

const EVERY_MS = 5000;
const LATEST_MS = 15000;
const GONE = "This page is not brought up to date: quell does not answer.";
const HELD = "What is shown here has changed. It is brought up to date once you have sent or taken back what you write, and nothing is selected.";
const OUT = "This page is no longer there for you; what you write here cannot be sent.";
const main = document.getElementById("main");
let shown = main.innerHTML;
let known = null;
let looking = false;
let pressed = false;

function age(seconds) {
  if (seconds < 60) return "just now";
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min ago`;
  const days = Math.floor(seconds / 86400);
  return days === 1 ? "1 day ago" : `${days} days ago`;
}

function tellAges() {
  for (const each of document.querySelectorAll("time")) {
    each.title = each.title || each.textContent;
    const seconds = (Date.now() - Date.parse(each.dateTime)) / 1000;
    each.textContent = seconds < 0 ? each.title : age(seconds);
  }
}

function say(text) {
  const line = document.getElementById("stale");
  if (line.textContent !== text) line.textContent = text;
  line.hidden = !text;
}

function changed(field) {
  if (field.matches("select")) return [...field.options].some((each) => each.selected !== each.defaultSelected);
  return field.type !== "hidden" && field.value !== field.defaultValue;
}

// Whether somebody is about something here that new content would take away.
function busy() {
  const active = document.activeElement;
  if (pressed || (main.contains(active) && active.matches("input, select"))) return true;
  const marked = getSelection();
  if (!marked.isCollapsed && main.contains(marked.anchorNode)) return true;
  return [...main.querySelectorAll("input, select")].some(changed);
}

function name(stop) {
  return [stop.tagName, stop.getAttribute("href"), stop.form?.elements.verb?.value, stop.parentElement.id].join(" ");
}

function stops() {
  return [...main.querySelectorAll("a, button, summary")];
}

// Pictures that are the same stay, and others keep their place until they are there, so that nothing jumps.
function keepPictures(fresh) {
  const old = main.querySelector("figure img");
  const next = fresh.querySelector("figure img");
  if (!old || !next || !old.complete || !old.naturalWidth) return;
  if (old.getAttribute("src") === next.getAttribute("src")) {
    next.replaceWith(old);
    return;
  }
  next.style.minHeight = `${old.offsetHeight}px`;
  next.addEventListener("load", () => { next.style.minHeight = ""; });
}

function replace(fresh) {
  const open = [...main.querySelectorAll("details[open]")].map((each) => each.id);
  const active = document.activeElement;
  const at = main.contains(active) ? name(active) : "";
  const place = at ? stops().filter((each) => name(each) === at).indexOf(active) : -1;
  keepPictures(fresh);
  main.replaceChildren(...fresh.childNodes);
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  if (place >= 0) stops().filter((each) => name(each) === at)[place]?.focus({ preventScroll: true });
  tellAges();
}

async function bring() {
  const quits = new AbortController();
  const late = setTimeout(() => quits.abort(), LATEST_MS);
  try {
    const headers = known ? { "If-None-Match": known } : {};
    const answer = await fetch(location.href, { headers, redirect: "manual", cache: "no-store", signal: quits.signal });
    if (answer.type === "opaqueredirect" || answer.status === 403 || answer.status === 404) {
      if (busy()) say(OUT);
      else location.reload();
      return;
    }
    if (answer.status === 304) return say("");
    if (!answer.ok) return say(GONE);
    const found = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = found.getElementById("main");
    const html = fresh.innerHTML;
    if (html !== shown) {
      if (busy()) return say(HELD);
      replace(fresh);
      document.title = found.title;
      shown = html;
    }
    known = answer.headers.get("ETag");
    say("");
  } catch {
    say(GONE);
  } finally {
    clearTimeout(late);
  }
}

async function look() {
  if (document.hidden || main.dataset.live !== "yes" || looking) return;
  looking = true;
  await bring();
  looking = false;
}

tellAges();
setInterval(tellAges, 30000);
setInterval(look, EVERY_MS);
document.addEventListener("visibilitychange", look);
addEventListener("pageshow", (event) => event.persisted && look());
addEventListener("pointerdown", () => { pressed = true; });
for (const end of ["pointerup", "pointercancel"]) addEventListener(end, () => { pressed = false; });
