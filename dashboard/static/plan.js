// The plan: its steps side by side, as far as they are done.

import { List, html, mark, write } from "./dom.js";
import { lasting } from "./format.js";

// gate is what a step waits for. A last step of 100% that waits for nothing promotes when it is entered.
function gate(step) {
	if (step.manual) return "until promoted";
	if (step.confirm) return "until confirmed";
	if (step.for_ns) return lasting(step.for_ns);
	return step.weight === "100%" ? "at once" : "until checks pass";
}

// done is how much of a step is over, from 0 to 1.
function done(s, i) {
	if (s.state === "promoted" || i + 1 < s.step) return 1;
	if (i + 1 > s.step) return 0;
	if (s.state === "rolled_back") return 1;
	const { for_ns: length } = s.steps[i];
	return length ? Math.min(1, s.age_ns / length) : 0.5;
}

export class Plan {
	constructor() {
		this.element = html("ol", { class: "plan", "aria-label": "Steps of the plan" });
		this.steps = new List(this.element, () => html("li", {}, html("b", {}), html("span", { class: "muted small" }), html("div", { class: "track" }, html("div", { class: "fill" }))), (li, { s, step }, i) => {
			const [weight, how, track] = li.children;
			const current = i + 1 === s.step && s.state !== "promoted";
			mark(li, "aria-current", current ? "step" : null);
			mark(li, "class", i + 1 > s.step && s.state !== "promoted" ? "ahead" : null);
			write(weight, step.weight);
			write(how, gate(step));
			track.firstChild.style.width = `${(100 * done(s, i)).toFixed(1)}%`;
		});
	}

	show(s) {
		this.element.hidden = !s.steps?.length;
		mark(this.element, "data-state", s.held || s.stalled ? "held" : s.state);
		this.steps.show((s.steps ?? []).map((step) => ({ s, step })));
	}
}
