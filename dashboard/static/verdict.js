// What the checks say, and why.

import { List, html, mark, write } from "./dom.js";

const verdicts = {
	pass: ["good", "✓", "The checks pass"],
	hold: ["warn", "…", "Not enough to know yet"],
	fail: ["bad", "✕", "The checks fail"],
};

export class Verdict {
	constructor() {
		this.sign = html("span", { class: "sign", "aria-hidden": "true" });
		this.title = html("b", { class: "verdict-title" });
		this.count = html("span", { class: "muted small" });
		this.reason = html("p", { class: "reason-box", tabindex: "0", "aria-label": "Why" });
		this.checks = html("ul", { class: "checks" });
		this.element = html("section", { class: "card verdict" },
			html("h2", {}, "Verdict"), html("div", { class: "verdict-head" }, this.sign, this.title, this.count), this.reason, this.checks);
		this.list = new List(this.checks, () => html("li", {}, html("i", { class: "bullet" }), html("code", {})), (li, { text, tone }) => {
			mark(li.firstChild, "class", `bullet tone-${tone}`);
			write(li.lastChild, text);
		});
	}

	show(s) {
		const e = s.evaluation;
		const over = s.state === "rolled_back";
		const [tone, sign, title] = over ? ["bad", "↩", "Rolled back"] : verdicts[e?.verdict] ?? ["plain", "·", s.steps ? "Not looked at yet" : "No checks without a plan"];
		mark(this.sign, "class", `sign tone-${tone}`);
		write(this.sign, sign);
		write(this.title, title);
		write(this.count, !over && e?.failures ? `${e.failures} of ${e.limit} fails` : "");
		write(this.reason, over ? s.reason : e?.reason ?? s.reason ?? "");
		this.list.show((s.checks ?? []).map(({ text }) => {
			const decided = (over ? s.reason : e?.reason)?.startsWith(`${text}: `);
			return { text, tone: decided || e?.verdict === "pass" && !over ? tone : "plain" };
		}));
	}
}
