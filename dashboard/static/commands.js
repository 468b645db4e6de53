// What somebody tells a rollout: buttons, each of which asks before it does anything, and is for the version that he saw.

import { html, mark, write } from "./dom.js";
import { command } from "./connection.js";
import { stateOf, weightOf } from "./format.js";

const active = ["progressing", "paused"];

// next is what promote leads to.
function next(s) {
	const step = s.steps?.[s.step];
	return step ? `step ${s.step + 1}: ${step.weight} of the traffic for ${s.candidate}` : `the promotion: ${s.candidate} gets all traffic, and becomes the base`;
}

// commands are those of the control API. may(s) tells whether a state is one for it, or says why not; fields(s) asks for what
// it needs, and body(form) is that.
const commands = {
	promote: {
		label: "Promote", look: "primary", may: (s) => active.includes(s.state) || "There is no step to end.",
		text: (s) => `Ends step ${s.step}, whatever it waits for, and goes on with ${next(s)}.`,
	},
	pause: {
		label: "Pause", may: (s) => ["progressing", "outdated"].includes(s.state) || "Only a plan that goes on can be paused.",
		text: (s) => s.state === "outdated" ? "Pauses what other gateways release." : `Keeps ${s.candidate} at ${weightOf(s)} until somebody resumes. Checks that fail still roll it back.`,
	},
	resume: {
		label: "Resume", may: (s) => s.state === "paused" || "It is not paused.",
		text: (s) => `Goes on with step ${s.step}. Weights that were set by hand are dropped.`,
	},
	abort: {
		label: "Abort", look: "danger", may: (s) => [...active, "promoted", "outdated"].includes(s.state) || "There is nothing to roll back.",
		text: (s) => s.state === "outdated" ? "Rolls back what other gateways release." : `Rolls back: from the next request on nobody gets ${s.candidate}.`,
	},
	full: {
		verb: "promote", label: "Promote to 100%", may: (s) => active.includes(s.state) || "There is no step to end.", body: () => ({ full: true }),
		text: (s) => `Skips all steps that are left: ${s.candidate} gets all traffic.`,
	},
	step: {
		label: "Go to a step", may: (s) => active.includes(s.state) || "There is no step to leave.",
		text: () => "Goes forward or back. A paused rollout stays paused.",
		fields: (s) => [field("step", "Step", html("select", { name: "step" }, s.steps.map((step, i) => html("option", { value: i + 1, selected: i === s.step }, `${i + 1}: ${step.weight}`))))],
		body: (form) => ({ step: Number(form.elements.step.value) }),
	},
	weight: {
		label: "Set a weight", may: (s) => s.state === "paused" || s.state === "idle" || "With a plan, weights can be set while it is paused.",
		text: (s) => s.state === "paused" ? "Lasts until the rollout is resumed. The baseline takes what the others leave." : "Lasts until the configuration declares other weights. The baseline takes what the others leave.",
		fields: (s) => [
			field("variant", "Variant", html("select", { name: "variant" }, s.variants.slice(1).map((v) => html("option", { value: v.name, selected: v.name === s.candidate }, v.name)))),
			field("weight", "Percent", html("input", { name: "weight", type: "number", min: 0, max: 100, step: "any", required: true, value: Number.parseFloat(weightOf(s, s.candidate ?? s.variants[1]?.name)), inputmode: "decimal" })),
		],
		body: (form) => ({ variant: form.elements.variant.value, weight: `${form.elements.weight.value}%` }),
	},
	restart: {
		label: "Restart the plan", may: (s) => [...active, "promoted", "rolled_back", "outdated"].includes(s.state) || "There is no plan.",
		text: (s) => `${s.state === "outdated" ? `Has revision ${s.revision} released in the place of what other gateways release. ` : ""}Begins anew at step 1${s.steps?.[0] ? `, with ${s.steps[0].weight} for ${s.candidate}` : ""}.`,
	},
};

const field = (name, label, control) => {
	control.id = `field-${name}`;
	return html("div", { class: "field" }, html("label", { for: control.id }, label), control);
};

// changes says what is different now, in words.
function changes(before, now) {
	const found = [];
	const compare = (what, was, is) => was !== is && found.push(`${what}: ${was}, and now ${is}`);
	compare("State", stateOf(before).name, stateOf(now).name);
	compare("Revision", before.revision, now.revision);
	compare("Step", before.step, now.step);
	for (const v of now.variants) compare(`Weight of ${v.name}`, weightOf(before, v.name), v.weight);
	compare("Version", before.version, now.version);
	if (now.reason && now.reason !== before.reason) found.push(`Reason: ${now.reason}`);
	return found;
}

// Commands are the buttons, and the dialog in which they ask. notify(text) tells people something, latest(name) promises the
// present status, and took(status) hears how a rollout is behind a command.
export class Commands {
	constructor({ notify, latest, took }) {
		Object.assign(this, { notify, latest, took, status: null });
		this.buttons = {};
		for (const [name, { label, look }] of Object.entries(commands)) {
			this.buttons[name] = html("button", { type: "button", class: look, "data-command": name, onclick: () => this.ask(name) }, label);
		}
		const { promote, pause, resume, abort, ...more } = this.buttons;
		this.menu = html("div", { class: "menu", id: "more", popover: true }, Object.values(more));
		this.more = html("button", { type: "button", popovertarget: "more", "aria-haspopup": "true" }, "More");
		this.element = html("div", { class: "commands" }, promote, pause, resume, abort, html("div", { class: "anchor" }, this.more, this.menu));
		this.dialog = html("dialog", { class: "ask", "aria-labelledby": "ask-title", "aria-describedby": "ask-text" });
		this.element.append(this.dialog);
	}

	show(s) {
		this.status = s;
		for (const [name, { may }] of Object.entries(commands)) {
			const allowed = may(s);
			mark(this.buttons[name], "aria-disabled", allowed === true ? null : "true");
			mark(this.buttons[name], "title", allowed === true ? null : allowed);
		}
		const [shown, other] = s.state === "paused" ? ["resume", "pause"] : ["pause", "resume"]; // in one place
		this.buttons[shown].hidden = false;
		if (document.activeElement === this.buttons[other]) this.buttons[shown].focus();
		this.buttons[other].hidden = true;
	}

	// ask says what a command will do to the rollout as it is now, and does it if that is wanted.
	ask(name) {
		const one = commands[name], s = this.status;
		const allowed = one.may(s);
		if (this.menu.matches(":popover-open")) this.menu.hidePopover();
		if (allowed !== true) return this.notify(allowed);
		const error = html("div", { class: "problem", role: "alert" });
		const confirm = html("button", { type: "submit", class: `primary ${one.look ?? ""}` }, one.label);
		const form = html("form", {},
			html("h3", { id: "ask-title" }, `${one.label}: ${s.name}`),
			html("p", { id: "ask-text" }, one.text(s)),
			one.fields?.(s), error,
			html("div", { class: "actions" }, html("button", { type: "button", onclick: () => this.dialog.close() }, "Cancel"), confirm));
		let seen = s;
		form.addEventListener("submit", async (event) => {
			event.preventDefault();
			mark(confirm, "aria-disabled", "true");
			const answer = await command(s.name, one.verb ?? name, one.body?.(form), seen.version);
			mark(confirm, "aria-disabled", null);
			if (answer.status) {
				this.dialog.close();
				this.took(answer.status);
				this.notify(`${s.name}: ${stateOf(answer.status).name.toLowerCase()}, ${s.candidate ?? answer.status.variants[0].name} ${weightOf(answer.status, s.candidate ?? answer.status.variants[0].name)}`);
			} else if (answer.code === "version") {
				const now = await this.latest(s.name);
				error.replaceChildren(html("p", {}, "It has changed since you looked, and nothing was done:"),
					html("ul", {}, changes(seen, now).map((text) => html("li", {}, text))));
				seen = now;
				write(form.querySelector("#ask-text"), one.may(now) === true ? one.text(now) : one.may(now));
				write(confirm, `${one.label} all the same`);
			} else error.replaceChildren(html("p", {}, answer.error));
		});
		this.dialog.replaceChildren(form);
		this.dialog.showModal();
		(form.querySelector("select, input") ?? confirm).focus();
	}
}
