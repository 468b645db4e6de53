// One rollout, in full.

import { html, mark, write } from "./dom.js";
import { Chart, Cursor } from "./chart.js";
import { Commands } from "./commands.js";
import { Events } from "./events.js";
import { Plan } from "./plan.js";
import { Members, Mirrors, Results, Variants } from "./tables.js";
import { Verdict } from "./verdict.js";
import { clock, count, expectation, milliseconds, share, stateOf, weightOf } from "./format.js";
import { errorRates, latencies, quantileOf, requestRates, timeline } from "./series.js";

const wide = (width, part) => {
	part.element.classList.add(width);
	return part.element;
};
const option = (value, text, selected) => html("option", { value, selected }, text);

export class Rollout {
	constructor(page, status, calls) {
		const cursor = new Cursor();
		this.minutes = html("select", { "aria-label": "Time shown", onchange: () => this.draw() }, option(5, "5 min"), option(15, "15 min", true), option(60, "1 h"));
		const first = quantileOf(status);
		this.quantile = html("select", { "aria-label": "Latency shown", onchange: () => this.draw() }, [0.5, 0.95, 0.99].map((q) => option(q, `p${q * 100}`, q === first)));
		this.timeline = new Chart(cursor, { title: "Share of the candidate, since the plan began", format: share, top: 1, height: 150, steps: true, area: true });
		this.errors = new Chart(new Cursor(), { title: "Error rate", format: share, least: 0.01, control: this.minutes });
		this.latency = new Chart(this.errors.cursor, { title: "Latency", format: (ms) => ms === 0 ? "0" : milliseconds(ms), least: 10, control: this.quantile });
		this.requests = new Chart(this.errors.cursor, { title: "Requests per second", format: (n) => n == null ? "–" : count(n), least: 1 });
		this.commands = page.read_only ? null : new Commands(calls);
		Object.assign(this, { plan: new Plan(), verdict: new Verdict(), events: new Events(), variants: new Variants(), members: new Members(), mirrors: new Mirrors(), results: new Results() });
		this.name = html("h1", {});
		this.state = html("span", { class: "state" });
		this.facts = html("p", { class: "facts-line muted" });
		this.weight = html("b", { class: "weight" });
		this.weightText = html("span", { class: "muted" });
		this.expectation = html("p", { class: "expectation" });
		this.warning = html("p", { class: "warning" });
		this.element = html("article", { class: "rollout" },
			html("header", { class: "title" }, html("div", {}, html("div", { class: "name" }, this.name, this.state), this.facts), this.commands?.element),
			this.warning,
			html("div", { class: "cards" },
				html("section", { class: "card now" }, html("div", { class: "share" }, this.weight, this.weightText), html("div", { class: "going" }, this.expectation, this.plan.element)),
				this.verdict.element, this.timeline.element, wide("half", this.errors), wide("half", this.latency), this.events.element,
				wide("third", this.requests), wide("rest", this.variants), this.members.element, this.mirrors.element, this.results.element));
	}

	// show brings the page up to date with what is known.
	show({ status: s, events, points, mirror, results }) {
		Object.assign(this, { status: s, points });
		const { name, tone } = stateOf(s);
		const shown = s.candidate || s.variants.at(-1).name;
		write(this.name, s.name);
		write(this.state, name);
		mark(this.state, "class", `state tone-${tone}`);
		write(this.facts, [s.revision && `Revision ${s.revision}`, s.since && `since ${clock(s.since)}`, s.member && `on ${s.member}`].filter(Boolean).join("  ·  "));
		write(this.weight, weightOf(s, shown));
		mark(this.weight, "class", `weight tone-${s.state === "idle" || s.state === "unknown" ? "plain" : tone}`);
		write(this.weightText, `of the traffic to ${shown}`);
		write(this.expectation, expectation(s));
		write(this.warning, s.store_away ? `The store of its state is away, so its steps do not go on: ${s.store_away}` : "");
		this.plan.show(s);
		this.verdict.show(s);
		this.events.show(s, events);
		this.variants.show(s);
		this.members.show(s);
		this.mirrors.show(mirror);
		this.results.show(results);
		this.commands?.show(s);
		this.timeline.show(timeline(s, events));
		this.draw();
	}

	// draw shows what the points tell, of the time and the latency that somebody chose.
	draw() {
		const { status: s, points } = this;
		const minutes = Number(this.minutes.value), quantile = Number(this.quantile.value);
		const marks = this.timeline.data.marks;
		this.errors.show({ ...errorRates(s, points, minutes, share), marks });
		this.latency.show({ ...latencies(s, points, minutes, quantile, milliseconds), marks });
		this.requests.show({ ...requestRates(s, points, minutes), marks });
	}
}
