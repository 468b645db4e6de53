// Tables of a rollout: its variants, the gateways of a fleet, what mirrored requests were answered differently, and which
// variant's clients reach goals.

import { List, html, mark, write } from "./dom.js";
import { count, lasting, milliseconds, share } from "./format.js";
import { looks } from "./series.js";

// Table shows rows of texts below a head. The first column names what the row is about.
class Table {
	constructor(title, columns) {
		this.note = html("p", { class: "muted small note" });
		this.body = html("tbody", {});
		this.element = html("section", { class: "card" }, html("h2", {}, title),
			html("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": title },
				html("table", {}, html("thead", {}, html("tr", {}, columns.map((name) => html("th", { scope: "col" }, name)))), this.body)), this.note);
		this.rows = new List(this.body, () => html("tr", {}, columns.map((_, i) => i === 0 ? html("th", { scope: "row" }, html("i", {}), html("span", {})) : html("td", {}))), (tr, { look, cells }) => {
			[...tr.children].forEach((cell, i) => write(i === 0 ? cell.lastChild : cell, cells[i]));
			mark(tr.firstChild.firstChild, "class", look == null ? null : `swatch-${look}`);
		});
	}

	show(rows, note = "") {
		this.rows.show(rows);
		write(this.note, note);
	}
}

// Variants are what was seen of each since the step began.
export class Variants extends Table {
	constructor() { super("Variants", ["Variant", "Weight", "Requests", "Errors", "p50", "p95", "p99"]); }

	show(s) {
		const look = looks(s);
		super.show(s.variants.map((v) => ({
			look: look.get(v.name),
			cells: [v.name + (v.name === s.base ? " (base)" : ""), v.weight, count(v.requests), share(v.requests ? v.failures / v.requests : null),
				...[v.latency_p50_ns, v.latency_p95_ns, v.latency_p99_ns].map((ns) => milliseconds((ns ?? 0) / 1e6))],
		})), s.sample_ratio_off && s.steps ? `Whether clients are divided as the weights say is not watched: ${s.sample_ratio_off}.` : "");
	}
}

// Members are the gateways whose sum is judged.
export class Members extends Table {
	constructor() { super("Gateways", ["Gateway", "Revision", "Step", "Weight", "Requests", "Errors", "Verdict", "Reported"]); }

	show(s) {
		const members = s.members ?? [];
		this.element.hidden = members.length === 0;
		super.show(members.map((m) => ({ cells: [
			(m.name || m.id) + (m.self ? " (this one)" : ""), m.revision, m.step, m.weight ?? "–", count(m.requests), share(m.requests ? m.failures / m.requests : null),
			(m.verdict ?? "–") + (m.judges ? ", judges" : ""), m.self ? "now" : `${lasting(m.reported_ago_ns)} ago`,
		] })), members.filter((m) => m.differs).map((m) => `${m.name || m.id} differs from this one: ${m.differs}.`).join(" "));
	}
}

// Mirrors are in what the answers to mirrored requests differ.
export class Mirrors extends Table {
	constructor() { super("Mirror", ["Differs in", "Share", "Requests", "Noise"]); }

	show(answer) {
		const mirrors = answer?.mirrors ?? [];
		this.element.hidden = mirrors.length === 0;
		super.show(mirrors.flatMap((m) => (m.fields ?? []).map((f) => ({ cells: [`${m.mirror}: ${f.name}`, share(f.share) + (f.above_noise ? "" : " (chance)"), count(f.different), count(f.noise)] }))),
			mirrors.map((m) => `${m.mirror}: ${count(m.compared)} compared, ${share(m.mismatch)} differ${m.controlled ? " beyond the noise" : ""}`).join("; "));
	}
}

const verdicts = { better: "better", worse: "worse", open: "not known" };
const signed = (x) => `${x > 0 ? "+" : ""}${(100 * x).toFixed(2)}%`;

// Results are what share of each variant's clients reaches a goal, in the present period.
export class Results extends Table {
	constructor() { super("Results", ["Goal and variant", "Clients", "Reached", "Rate", "Difference", "From", "To", "Is"]); }

	show(answer) {
		const [now] = answer?.results ?? [];
		this.element.hidden = !now;
		super.show((now?.goals ?? []).flatMap((goal) => goal.variants.map((v, i) => {
			const c = v.against_baseline;
			return { cells: [`${goal.name}: ${v.name}`, count(v.clients), count(v.reached), `${(100 * v.rate).toFixed(2)}%`, c ? signed(c.difference) : "–",
				c ? signed(c.interval.low) : "–", c ? signed(c.interval.high) : "–", c ? verdicts[c.verdict] : i === 0 ? "baseline" : "too few"] };
		})), !now ? "" : now.believe ? "" : "Do not believe this: clients do not divide as the weights say.");
	}
}
