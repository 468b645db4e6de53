// The page: which rollouts there are, and the one that is looked at.

import { Connection } from "./connection.js";
import { Demo } from "./demo.js";
import { List, html, mark, write } from "./dom.js";
import { stateOf, weightOf } from "./format.js";
import { Rollout } from "./rollout.js";
import { merge } from "./series.js";

const $ = (id) => document.getElementById(id);
const known = { rollouts: null, away: "", events: [], points: [], mirror: null, results: null };
let page, view, demo, shownName;

const states = { connecting: "Connecting", live: "Live", lost: "Reconnecting", away: "Gateway away" };

function tell(state) {
	const now = state === "live" && known.away ? "away" : state;
	if ($("link").dataset.state === now) return;
	$("link").dataset.state = now;
	write($("link-text"), states[now]);
	mark($("link"), "title", now === "away" ? known.away : null);
}

function notify(text) {
	const notice = html("p", { class: "notice" }, text);
	$("notices").append(notice);
	setTimeout(() => notice.remove(), 6000);
}

// explain says why the gateway does not answer: where the rollouts would be, or beside them.
function explain(why) {
	if (known.rollouts) notify(why);
	else write($("why"), why);
}

const connection = new Connection(hear, tell);

// hear takes in an answer of the control API.
function hear(path, status, body) {
	if (path === "rollouts") {
		const away = status === 200 ? "" : body.error ?? `The gateway answers ${status}.`;
		if (away && away !== known.away) explain(away);
		known.away = away;
		if (!away) write($("why"), "");
		tell("live");
		if (status === 200) known.rollouts = body.rollouts ?? [];
	} else if (status === 200 && path === `rollouts/${shownName}/events`) known.events = body.events;
	else if (status === 200 && path === `rollouts/${shownName}/series`) known.points = merge(known.points, body.points);
	else if (path === `rollouts/${shownName}/mirror`) known.mirror = status === 200 ? body : null;
	else if (path === `rollouts/${shownName}/results`) known.results = status === 200 ? body : null;
	requestAnimationFrame(show);
}

function wanted() {
	try { return decodeURIComponent(location.hash.slice(1)); } catch { return ""; } // somebody wrote it by hand
}

// choose is which rollout is looked at: the one that the address names, or the first.
const choose = () => known.rollouts.find((s) => s.name === wanted()) ?? known.rollouts[0];

function follow() {
	const name = shownName;
	connection.follow(["rollouts", ...name ? ["events", "series", "mirror", "results"].map((what) => `rollouts/${name}/${what}`) : []]);
}

const list = new List($("rollouts"), () => html("a", { class: "one" }, html("b", {}), html("span", { class: "state" }), html("span", { class: "track" }, html("span", { class: "fill" })), html("span", { class: "small muted" })), (a, s) => {
	const [name, state, track, weight] = a.children;
	const { name: text, tone } = stateOf(s);
	const candidate = s.candidate || s.variants.at(-1).name;
	mark(a, "href", `#${encodeURIComponent(s.name)}`);
	mark(a, "aria-current", s.name === shownName ? "page" : null);
	write(name, s.name);
	write(state, text);
	mark(state, "class", `state tone-${tone}`);
	track.firstChild.style.width = weightOf(s, candidate);
	write(weight, weightOf(s, candidate));
});

function show() {
	if (!known.rollouts || !page) return;
	const s = choose();
	if (s?.name !== shownName || !view) {
		shownName = s?.name;
		Object.assign(known, { events: [], points: [], mirror: null, results: null });
		view = s && new Rollout(page, s, { notify, latest, took });
		$("main").replaceChildren(...s ? [view.element] : [html("p", { class: "empty" }, "No rollout runs in this gateway. They are declared in its configuration, and appear here by themselves.")]);
		if (demo) $("main").append(demo.element);
		follow();
	}
	list.show(known.rollouts);
	if (!s) return;
	document.title = `${s.name} ${weightOf(s, s.candidate || s.variants.at(-1).name)} · Grayling`;
	view.show({ status: s, events: known.events, points: known.points, mirror: known.mirror, results: known.results });
}

// took takes in how a rollout is behind a command.
function took(status) {
	known.rollouts = known.rollouts.map((s) => s.name === status.name ? status : s);
	show();
}

// latest is how a rollout is now, for somebody who has been overtaken.
async function latest(name) {
	const response = await fetch(`api/rollouts/${encodeURIComponent(name)}`);
	return response.ok ? response.json() : known.rollouts.find((s) => s.name === name);
}

addEventListener("hashchange", () => {
	show();
	$("main").focus({ preventScroll: true });
});
tell("connecting");
while (!page) {
	// The server may be away for a moment just now.
	page = await fetch("page.json").then((response) => response.json()).catch(() => new Promise((again) => setTimeout(again, 1000)));
}
write($("gateway"), page.gateway);
if (page.demo) demo = new Demo(notify);
connection.follow(["rollouts"]);
