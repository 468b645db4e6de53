// The demo: how often its versions fail, and how long they take.

import { html, write } from "./dom.js";

export class Demo {
	constructor(notify) {
		this.notify = notify;
		this.element = html("section", { class: "card demo" }, html("h2", {}, "Demo: what the versions do"));
		this.load();
	}

	async load() {
		const versions = await fetch("demo").then((response) => response.json());
		this.element.append(html("div", { class: "versions" }, versions.map((version) => html("fieldset", {}, html("legend", {}, version.name),
			this.slider(version, "error_rate", "Errors", 0.5, 0.01, (x) => `${Math.round(100 * x)}%`),
			this.slider(version, "latency_ms", "Latency", 1000, 10, (x) => `${x} ms`)))));
	}

	slider(version, field, label, max, step, format) {
		const id = `${version.name}-${field}`;
		const value = html("output", { for: id }, format(version[field]));
		const range = html("input", { id, type: "range", min: 0, max, step, value: version[field], oninput: () => write(value, format(Number(range.value))), onchange: () => this.turn(version.name, field, Number(range.value)) });
		return html("div", { class: "slider" }, html("label", { for: id }, label), range, value);
	}

	async turn(name, field, value) {
		const response = await fetch("demo", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ name, [field]: value }) }).catch(() => null);
		if (!response?.ok) this.notify("The demo has ended: nothing was turned.");
	}
}
