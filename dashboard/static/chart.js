// Line charts in SVG: a time axis, lines by variant, limits, and marks of events. Charts that share a cursor show the values
// of one moment together.

import { List, html, mark, svg, write } from "./dom.js";

const margin = { top: 12, right: 14, bottom: 22, left: 54 };
const second = 1000, minute = 60 * second, hour = 60 * minute, day = 24 * hour;
const intervals = [5 * second, 10 * second, 15 * second, 30 * second, minute, 2 * minute, 5 * minute, 10 * minute, 15 * minute, 30 * minute,
	hour, 2 * hour, 3 * hour, 6 * hour, 12 * hour, day, 2 * day, 7 * day, 14 * day, 28 * day];

// Cursor is the moment that somebody points at, in all charts at once; null for none.
export class Cursor {
	charts = [];
	time = null;

	point(time) {
		this.time = time;
		for (const chart of this.charts) chart.read();
	}
}

// top is a round number that no value exceeds, and whose half is round.
function top(largest) {
	const power = 10 ** Math.floor(Math.log10(largest));
	return power * [1, 2, 3, 4, 6, 8, 10].find((m) => m * power >= largest * 0.999);
}

function timeTicks(from, to, most) {
	const every = intervals.find((interval) => (to - from) / interval <= most) ?? intervals.at(-1);
	const offset = new Date(from).getTimezoneOffset() * minute; // days begin at midnight, here
	const ticks = [];
	for (let t = Math.ceil((from - offset) / every) * every + offset; t <= to; t += every) ticks.push(t);
	const options = every >= day ? { month: "short", day: "numeric" } : { hour: "2-digit", minute: "2-digit", second: every < minute ? "2-digit" : undefined };
	return ticks.map((time) => ({ time, text: new Date(time).toLocaleString(every >= day ? "en-US" : "en-GB", options) }));
}

// Chart draws {from, to, lines, limits, marks}, times in milliseconds:
//
//	lines   {name, look, points: [[time, value or null]]}; look is the number of a colour
//	limits  {value, text}
//	marks   {time, tone, text}
//
// Its options are title, format(value), least (the smallest top of the value axis), top (a fixed one), height, steps (values
// last until the next), area (what is below the last line is tinted), and control (an element beside the title).
export class Chart {
	constructor(cursor, options) {
		Object.assign(this, { cursor, options, width: 0, data: null });
		this.height = options.height ?? 190;
		this.title = html("h2", {}, options.title);
		this.when = html("span", { class: "when" });
		this.legend = html("ul", { class: "legend" });
		this.parts = {};
		for (const part of ["grid", "times", "marks", "area", "lines", "limits", "cursor", "dots"]) this.parts[part] = svg("g", { class: part });
		this.canvas = svg("svg", { height: this.height, tabindex: "0", role: "img", "aria-label": options.title }, Object.values(this.parts));
		this.empty = html("p", { class: "none" }, "No data yet");
		this.element = html("figure", { class: "chart card" },
			html("div", { class: "head" }, this.title, options.control, this.when), this.legend, html("div", { class: "canvas" }, this.canvas, this.empty));
		this.makeParts();
		this.listen();
		cursor.charts.push(this);
	}

	makeParts() {
		const { grid, times, marks, area, lines, limits, cursor, dots } = this.parts;
		const x = (t) => this.x(t).toFixed(1), y = (v) => this.y(v).toFixed(1);
		const right = () => this.width - margin.right, bottom = this.height - margin.bottom;
		this.grid = new List(grid, () => svg("g", {}, svg("line", {}), svg("text", { x: margin.left - 8, "text-anchor": "end", dy: "0.32em" })), (g, value) => {
			const [line, text] = g.children;
			place(line, { x1: margin.left, x2: right(), y1: y(value), y2: y(value) });
			mark(text, "y", y(value));
			write(text, this.options.format(value));
		});
		this.times = new List(times, () => svg("text", { y: this.height - 5, "text-anchor": "middle" }), (text, tick) => {
			mark(text, "x", x(tick.time));
			write(text, tick.text);
		});
		this.marks = new List(marks, () => svg("g", {}, svg("title"), svg("line", { y1: margin.top - 4, y2: bottom }), svg("circle", { cy: margin.top - 4, r: 4 })), (g, one) => {
			const [title, line, circle] = g.children;
			write(title, one.text);
			mark(g, "class", `tone-${one.tone}`);
			place(line, { x1: x(one.time), x2: x(one.time) });
			mark(circle, "cx", x(one.time));
		});
		this.lines = new List(lines, () => svg("path", {}), (path, line) => {
			mark(path, "class", `stroke-${line.look}`);
			mark(path, "d", this.path(line.points));
		});
		this.area = new List(area, () => svg("path", {}), (path, line) => {
			mark(path, "class", `tint-${line.look}`);
			mark(path, "d", this.path(line.points, bottom));
		});
		this.limits = new List(limits, () => svg("g", {}, svg("line", {}), svg("text", { "text-anchor": "end" })), (g, limit) => {
			const [line, text] = g.children;
			place(line, { x1: margin.left, x2: right(), y1: y(limit.value), y2: y(limit.value) });
			place(text, { x: right(), y: (this.y(limit.value) - 5).toFixed(1) });
			write(text, limit.text);
		});
		this.hair = svg("line", { y1: margin.top, y2: bottom });
		cursor.append(this.hair);
		this.dots = new List(dots, () => svg("circle", { r: 3.5 }), (dot, { line, point }) => {
			mark(dot, "class", `fill-${line.look}`);
			place(dot, { cx: x(point[0]), cy: y(point[1]) });
		});
		this.keys = new List(this.legend, () => html("li", {}, html("i", {}), html("span", {}), html("b", {})), (li, key) => {
			const [swatch, name, value] = li.children;
			mark(swatch, "class", key.look == null ? "dash" : `swatch-${key.look}`);
			write(name, key.name);
			write(value, key.value);
		});
	}

	listen() {
		new ResizeObserver(([entry]) => {
			this.width = Math.floor(entry.contentRect.width);
			mark(this.canvas, "width", this.width);
			this.draw();
		}).observe(this.canvas.parentElement ?? this.canvas);
		const drop = () => this.cursor.point(null);
		this.canvas.addEventListener("pointermove", (event) => {
			const at = event.clientX - this.canvas.getBoundingClientRect().left;
			if (this.data) this.cursor.point(this.data.from + (at - margin.left) / this.span() * (this.data.to - this.data.from));
		});
		this.canvas.addEventListener("pointerleave", drop);
		this.canvas.addEventListener("blur", drop);
		this.canvas.addEventListener("keydown", (event) => {
			const direction = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
			if (event.key === "Escape") drop();
			if (!direction || !this.data) return;
			event.preventDefault();
			const length = (this.data.to - this.data.from) / 60;
			const from = this.cursor.time ?? (direction < 0 ? this.data.to : this.data.from);
			this.cursor.point(Math.min(this.data.to, Math.max(this.data.from, from + direction * length)));
		});
	}

	span() { return Math.max(1, this.width - margin.left - margin.right); }
	x(time) { return margin.left + (time - this.data.from) / Math.max(1, this.data.to - this.data.from) * this.span(); }
	y(value) { return margin.top + (1 - value / this.most) * (this.height - margin.top - margin.bottom); }

	// path draws points, with gaps where there is no value; down to a base it is an area.
	path(points, base) {
		const runs = [];
		let run = null;
		for (const [time, value] of points) {
			if (value == null) run = null;
			else if (run) run.push([time, value]);
			else runs.push(run = [[time, value]]);
		}
		return runs.map((run) => {
			let d = "";
			run.forEach(([time, value], i) => {
				const x = this.x(time).toFixed(1), y = this.y(value).toFixed(1);
				if (i === 0) d += `M${x} ${y}`;
				else if (this.options.steps) d += `H${x}V${y}`;
				else d += `L${x} ${y}`;
			});
			if (base != null) return d + `V${base}H${this.x(run[0][0]).toFixed(1)}Z`;
			return run.length > 1 ? d : d + "h0.01"; // a point alone is seen, too
		}).join("");
	}

	show(data) {
		this.data = data;
		this.read(); // the legend needs no width, and has its place from the beginning
		this.draw();
	}

	draw() {
		if (!this.data || !this.width) return;
		const { from, to, lines, limits = [], marks = [] } = this.data;
		const values = lines.flatMap((line) => line.points.map((point) => point[1])).filter((value) => value != null);
		const largest = Math.max(...values, 0);
		const near = limits.filter((limit) => limit.value <= 10 * Math.max(largest, this.options.least)); // a far one would flatten the lines
		this.most = this.options.top ?? top(Math.max(largest * 1.05, this.options.least, ...near.map((limit) => limit.value * 1.25)));
		this.empty.hidden = values.length > 0;
		this.grid.show([0, this.most / 2, this.most]);
		this.times.show(timeTicks(from, to, this.width / 90).filter((tick) => this.x(tick.time) > margin.left + 8 && this.x(tick.time) < this.width - 24));
		this.marks.show(marks.filter((one) => one.time >= from && one.time <= to));
		this.area.show(this.options.area ? lines.slice(-1) : []);
		this.lines.show(lines);
		this.limits.show(near);
		this.read();
	}

	// read shows the values of the moment that somebody points at, or else the last.
	read() {
		if (!this.data) return;
		const time = this.cursor.time;
		const inside = time != null && time >= this.data.from && time <= this.data.to;
		const seen = this.data.lines.map((line) => ({ line, point: inside ? nearest(line.points, time, this.options.steps) : last(line.points) }));
		this.keys.show([
			...seen.map(({ line, point }) => ({ look: line.look, name: line.name, value: this.options.format(point?.[1] ?? null) })),
			...(this.data.limits ?? []).map((limit) => ({ look: null, name: "limit", value: limit.text })),
		]);
		if (!this.width) return;
		write(this.when, inside ? new Date(time).toLocaleTimeString("en-GB") : "");
		mark(this.hair, "visibility", inside ? "visible" : "hidden");
		if (inside) place(this.hair, { x1: this.x(time).toFixed(1), x2: this.x(time).toFixed(1) });
		this.dots.show(inside && !this.options.steps ? seen.filter(({ point }) => point?.[1] != null) : []);
	}
}

const place = (element, values) => Object.entries(values).forEach(([name, value]) => mark(element, name, value));
const last = (points) => points.findLast((point) => point[1] != null);

function nearest(points, time, steps) {
	if (steps) return points.findLast((point) => point[0] <= time);
	let best;
	for (const point of points) if (!best || Math.abs(point[0] - time) < Math.abs(best[0] - time)) best = point;
	return best;
}
