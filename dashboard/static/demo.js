// The demo: how often its versions fail, and how long they take.

import { html, write } from "./dom.js";
import { share } from "./format.js";

const every = 2000; // somebody else may have turned them

export class Demo {
	constructor(notify) {
		this.notify = notify;
		this.sliders = [];
		this.element = html("section", { class: "card demo" }, html("h2", {}, "Demo: what the versions do"));
		this.load();
	}

	async load() {
		const versions = await this.ask();
		this.element.append(html("div", { class: "versions" }, versions.map((version) => html("fieldset", {}, html("legend", {}, version.name),
			this.slider(version, "error_rate", "Errors", 0.5, 0.002, share),
			this.slider(version, "latency_ms", "Latency", 1000, 10, (x) => `${x} ms`)))));
		setInterval(async () => {
			const now = await this.ask().catch(() => []);
			for (const version of now) for (const slider of this.sliders) slider(version);
		}, every);
	}

	async ask() { return (await fetch("demo")).json(); }

	slider(version, field, label, max, step, format) {
		const id = `${version.name}-${field}`;
		const value = html("output", { for: id }, format(version[field]));
		const range = html("input", { id, type: "range", min: 0, max, step, value: version[field], oninput: () => write(value, format(Number(range.value))), onchange: () => this.turn(version.name, field, Number(range.value)) });
		this.sliders.push((now) => {
			if (now.name !== version.name || document.activeElement === range) return;
			range.value = now[field];
			write(value, format(now[field]));
		});
		return html("div", { class: "slider" }, html("label", { for: id }, label), range, value);
	}

	async turn(name, field, value) {
		const response = await fetch("demo", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ name, [field]: value }) }).catch(() => null);
		if (!response?.ok) this.notify("The demo has ended: nothing was turned.");
	}
}
