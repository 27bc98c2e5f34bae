// The demo page: shows the events that realtime.js receives. Its buttons run Python code.

import { RealtimeClient } from "./realtime.js";

const PING_MS = 2000; // between two measurements of the latency
const STATS_MS = 1000; // between two requests for the figures
const LIST_MAX = 100; // events in the list
const DONE_MS = 1200; // how long a finished progress dialog stays
const COLOURS = ["#2a6fdb", "#b0418f", "#2f9e5b", "#c2691b"];

const $ = (id) => document.getElementById(id);
const boot = await (await fetch("/demo/boot")).json();
const users = Object.keys(boot.users);

/** An element with a class, text, and children. */
function make(tag, className = "", text = "", ...children) {
    const element = document.createElement(tag);
    element.className = className;
    element.textContent = text;
    element.append(...children);
    return element;
}

function makeAvatar(user) {
    const name = boot.users[user] ?? user;
    const avatar = make("span", "avatar", name[0]);
    avatar.style.background = COLOURS[Math.max(0, users.indexOf(user)) % COLOURS.length];
    avatar.title = name;
    avatar.dataset.user = user;
    return avatar;
}

// --- who is logged in ---------------------------------------------------------------------------

function showLogin() {
    for (const user of users) {
        const button = make("button", "", "", makeAvatar(user), boot.users[user]);
        button.name = "user";
        button.value = user;
        $("people").append(button);
    }
    document.querySelector(".account").hidden = $("connection").hidden = true;
    $("login").hidden = false;
}

function showAccount() {
    $("my-avatar").replaceWith(makeAvatar(boot.user));
    for (const user of users) $("switch").append(new Option(boot.users[user], user));
    $("switch").value = boot.user;
    $("switch").onchange = () => $("switch").form.submit();
    $("app").hidden = false;
}

// --- the connection -----------------------------------------------------------------------------

const realtime = new RealtimeClient({
    url: `${location.protocol}//${location.hostname}:${boot.port}`,
    site: boot.site,
});

function showState(state) {
    $("connection").dataset.state = state;
    $("state").textContent = state;
    $("transport").textContent = state === "connected" ? "websocket" : "";
    $("latency").textContent = "";
}

async function measureLatency() {
    if (!realtime.connected) return;
    const ms = await realtime.latency().catch(() => null);
    if (ms !== null && realtime.connected) $("latency").textContent = `${ms.toFixed(1)} ms`;
}

// --- events -------------------------------------------------------------------------------------

/** The room of an event. The server does not name it; the demo's own events do, others are known. */
function getRoom(event, message) {
    const document = `${boot.doctype}/${boot.docname}`;
    const known = {
        progress: `user:${boot.user}`,
        msgprint: `user:${boot.user}`,
        list_update: `doctype:${boot.doctype}`,
        doc_viewers: `open_doc:${document}`,
    };
    return message?.to ?? known[event] ?? "";
}

let newest = { event: null };

function showEvent(event, message) {
    if (event === "pong") return;
    const json = JSON.stringify(message, null, 2);
    const thousandths = String(Date.now() % 1000).padStart(3, "0");
    const time = `${new Date().toLocaleTimeString("en-GB")}.${thousandths}`;
    if (newest.event === event && event === "progress") {
        newest.count.textContent = `× ${++newest.times}`;
        newest.time.textContent = time;
        newest.json.textContent = json;
        return;
    }
    newest = { event, times: 1, time: make("time", "", time), count: make("span", "count"), json: make("pre", "", json) };
    const name = make("div", "", "", make("span", "name", event), make("span", "chip", getRoom(event, message)), newest.count);
    const item = make("li", "", "", newest.time, name, newest.json);
    item.dataset.event = event;
    $("list").prepend(item);
    while ($("list").children.length > LIST_MAX) $("list").lastChild.remove();
}

function toast(text) {
    const element = make("div", "toast", text);
    $("toasts").append(element);
    setTimeout(() => element.remove(), 4000);
}

let closing = 0;

function showProgress({ percent, title, description }) {
    clearTimeout(closing);
    $("progress-title").textContent = title ?? "Progress";
    $("progress-text").textContent = description ?? "";
    $("progress-percent").textContent = `${Math.round(percent)} %`;
    const bar = document.querySelector(".bar");
    bar.setAttribute("aria-valuenow", Math.round(percent));
    bar.firstElementChild.style.width = `${percent}%`;
    if (!$("progress").open) $("progress").showModal();
    if (percent >= 100) closing = setTimeout(() => $("progress").close(), DONE_MS);
}

// --- the document -------------------------------------------------------------------------------

let open = false;

function toggleDocument() {
    open = !open;
    const [subscribe, view] = open ? ["doc_subscribe", "doc_open"] : ["doc_unsubscribe", "doc_close"];
    realtime[subscribe](boot.doctype, boot.docname);
    realtime[view](boot.doctype, boot.docname);
    $("toggle-doc").textContent = open ? "Close it" : "Open it";
    showViewers(open ? [boot.user] : []);
}

function showViewers(viewers) {
    $("viewers").replaceChildren(...viewers.map(makeAvatar));
    const others = viewers.filter((user) => user !== boot.user).map((user) => boot.users[user] ?? user);
    $("viewers-text").textContent = !open
        ? "You have closed it; the others see that."
        : others.length ? `${others.join(", ")} and you are viewing` : "Only you are viewing";
}

/** Cookies belong to a host name, not to a port: the host's other name allows a second login. */
function showOtherWindow() {
    const host = location.hostname === "localhost" ? "127.0.0.1" : "localhost";
    const somebody = users.find((user) => user !== boot.user);
    $("other-window").textContent = `Open a window as ${boot.users[somebody]}`;
    $("other-window").href = `//${host}:${location.port}/?as=${encodeURIComponent(somebody)}`;
}

// --- buttons and figures ------------------------------------------------------------------------

function showActions() {
    for (const [name, { label, code }] of Object.entries(boot.actions)) {
        const button = make("button", "action", "", make("b", "", label), make("code", "", code));
        button.type = "button";
        button.title = code;
        button.dataset.action = name;
        button.onclick = () => fetch(`/demo/publish/${name}`, { method: "POST" });
        $("actions").append(button);
    }
}

const figures = new Map(); // label -> element
const history = [];
let before = null;

function showFigure(label, value) {
    if (!figures.has(label)) {
        const element = make("div", "figure", "", make("b"), make("span", "", label));
        figures.set(label, element.firstChild);
        $("stats").append(element);
    }
    figures.get(label).textContent = value.toLocaleString("en");
}

async function showStats() {
    if (document.hidden) return;
    const answer = await fetch("/demo/stats").catch(() => null);
    if (!answer?.ok) return;
    const stats = await answer.json();
    const now = performance.now();
    const rate = before ? ((stats.deliveries - before.deliveries) * 1000) / (now - before.now) : 0;
    before = { deliveries: stats.deliveries, now };
    for (const label of ["connections", "rooms", "deliveries"]) showFigure(label, stats[label]);
    showFigure("deliveries a second", Math.round(rate));
    history.push(rate);
    if (history.length > 60) history.shift();
    const top = Math.max(...history, 1);
    const point = (value, n) => `${(n * 240) / 59},${38 - (value / top) * 36}`;
    $("spark").setAttribute("points", history.map(point).join(" "));
}

// --- start --------------------------------------------------------------------------------------

$("site").textContent = boot.site;
if (!boot.user) {
    showLogin();
} else {
    showAccount();
    showActions();
    showOtherWindow();
    $("doc-type").textContent = boot.doctype;
    $("doc-name").textContent = boot.docname;
    $("toggle-doc").onclick = toggleDocument;
    $("clear").onclick = () => $("list").replaceChildren();
    realtime.onstatechange = showState;
    realtime.onAny(showEvent);
    realtime.on("connect", measureLatency);
    realtime.on("connect_error", (error) => toast(`Connection: ${error.message}`));
    realtime.on("progress", showProgress);
    realtime.on("msgprint", (message) => toast(message.message ?? message));
    realtime.on("doc_viewers", (message) => open && showViewers(message.users));
    realtime.doctype_subscribe(boot.doctype);
    toggleDocument();
    realtime.connect();
    setInterval(measureLatency, PING_MS);
    setInterval(showStats, STATS_MS);
    showStats();
}
