// What happened to a rollout, the latest first.

import { List, html, mark, write } from "./dom.js";
import { clock } from "./format.js";

const kinds = {
	started: ["accent", "Started"],
	step_advanced: ["accent", "Step"],
	held: ["warn", "Held"],
	stalled: ["warn", "Stalled"],
	paused: ["warn", "Paused"],
	resumed: ["accent", "Resumed"],
	promoted: ["good", "Promoted"],
	rolled_back: ["bad", "Rolled back"],
	restarted: ["accent", "Restarted"],
	weight_set: ["plain", "Weight set"],
	sample_ratio_mismatch: ["warn", "Clients divided unevenly"],
};

const causes = { check: "by the checks", operator: "by somebody", ended: "at its end" };

// eventWords says what an event is, and its tone.
export function eventWords(e, s) {
	const [tone, name] = kinds[e.event] ?? ["plain", e.event];
	const step = s.steps?.[e.step - 1];
	let title = name;
	if (e.event === "step_advanced") title = `Step ${e.step}`;
	if (["started", "step_advanced", "restarted", "resumed"].includes(e.event) && step) title += ` at ${step.weight}`;
	if (["paused", "rolled_back", "promoted"].includes(e.event) && causes[e.cause]) title += ` ${causes[e.cause]}`;
	return { tone, title };
}

// Events is the list. Its rows are all of one height, and stay where they are: what moves is what stands in them.
export class Events {
	constructor() {
		this.list = html("ol", { class: "events", tabindex: "0", "aria-label": "Events, the latest first" });
		this.empty = html("p", { class: "muted small" }, "Nothing has happened yet.");
		this.dialog = html("dialog", { class: "details", "aria-labelledby": "event-title" });
		this.element = html("section", { class: "card happened" }, html("h2", {}, "Events"), this.empty, this.list, this.dialog);
		this.rows = new List(this.list, () => this.row(), (li, { event, words }) => {
			const button = li.firstChild;
			const [dot, title, time, reason] = button.children;
			button.event = { event, words };
			mark(dot, "class", `bullet tone-${words.tone}`);
			write(title, words.title);
			write(time, clock(event.time));
			mark(time, "datetime", event.time);
			write(reason, event.reason);
		});
	}

	row() {
		const button = html("button", { type: "button", onclick: () => this.explain(button.event) },
			html("i", { class: "bullet" }), html("b", {}), html("time", {}), html("span", { class: "reason" }));
		return html("li", {}, button);
	}

	show(s, events) {
		this.empty.hidden = events.length > 0;
		this.list.hidden = events.length === 0;
		this.rows.show(events.toReversed().map((event) => ({ event, words: eventWords(event, s) })));
	}

	// explain shows all that is known of an event.
	explain({ event, words }) {
		const facts = [["Time", new Date(event.time).toLocaleString("en-GB")], ["Revision", event.revision], ["Epoch", event.epoch], ["Step", event.step],
			...Object.entries(event.figures ?? {}).map(([name, value]) => [name, Number(value.toPrecision(4))])];
		this.dialog.replaceChildren(
			html("h3", { id: "event-title" }, words.title),
			html("p", {}, event.reason ?? ""),
			html("dl", { class: "facts" }, facts.map(([name, value]) => [html("dt", {}, name), html("dd", { class: "mono" }, String(value))])),
			html("div", { class: "actions" }, html("button", { type: "button", onclick: () => this.dialog.close() }, "Close")));
		this.dialog.showModal();
	}
}
