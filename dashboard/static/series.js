// What charts show, out of what the control API tells.

import { percent } from "./format.js";
import { eventWords } from "./events.js";

const smooth = 6; // points that an error rate is of: a minute, where the checks are looked at every ten seconds
const ms = 1e6; // nanoseconds

// look is the number of a variant's colour: the baseline's is the calmest, the candidate's the most vivid.
export function looks(s) {
	const order = [s.variants[0].name, ...(s.candidate ? [s.candidate] : []), ...s.variants.slice(1).map((v) => v.name).filter((name) => name !== s.candidate)];
	return new Map(order.map((name, i) => [name, Math.min(i, 4)]));
}

// merge adds new points to those that are known. Points that begin again are of another process.
export function merge(points, news) {
	if (news.length === 0) return points;
	if (points.length > 0 && news[0].id <= points.at(-1).id) return news;
	return [...points, ...news].slice(-360);
}

const names = (s) => [...looks(s)].map(([name, look]) => ({ name, look }));

function lines(s, points, value) {
	return names(s).map(({ name, look }) => ({
		name, look, points: points.map((point, i) => [Date.parse(point.time), value(name, i)]),
	}));
}

const of = (point, name) => point.variants.find((v) => v.name === name);

// range is the time that the points are of; of the last minutes only, if that is wanted.
function range(points, minutes) {
	const to = points.length > 0 ? Date.parse(points.at(-1).time) : Date.now();
	const first = points.length > 0 ? Date.parse(points[0].time) - points[0].for_ns / ms : to - 60000;
	return { from: Math.min(Math.max(first, to - minutes * 60000), to - 20000), to };
}

function limits(s, kind, quantile, write) {
	const found = (s.checks ?? []).flatMap((check) => check.limits ?? []).filter((limit) => limit.of === kind && (quantile == null || limit.quantile === quantile));
	const seen = new Map(found.map((limit) => [`${limit.op}${limit.value}`, limit]));
	return [...seen.values()].map((limit) => ({ value: limit.value, text: `${limit.op.replace("<=", "≤").replace(">=", "≥")} ${write(limit.value)}` }));
}

// errorRates are rates over the last points of each variant.
export function errorRates(s, points, minutes, write) {
	const rate = (name, i) => {
		let requests = 0, failures = 0;
		for (const point of points.slice(Math.max(0, i - smooth + 1), i + 1)) {
			requests += of(point, name)?.requests ?? 0;
			failures += of(point, name)?.failures ?? 0;
		}
		return requests > 0 && of(points[i], name)?.requests > 0 ? failures / requests : null;
	};
	return { ...range(points, minutes), lines: lines(s, points, rate), limits: limits(s, "error_rate", null, write) };
}

// latencies are those that a share of the answers kept within, in milliseconds.
export function latencies(s, points, minutes, quantile, write) {
	const field = `latency_p${Math.round(quantile * 100)}_ns`;
	return { ...range(points, minutes), lines: lines(s, points, (name, i) => of(points[i], name)?.[field] / ms || null), limits: limits(s, "latency_ms", quantile, write) };
}

// requestRates are requests in a second.
export function requestRates(s, points, minutes) {
	return { ...range(points, minutes), lines: lines(s, points, (name, i) => (of(points[i], name)?.requests ?? 0) / Math.max(0.001, points[i].for_ns / 1e9)) };
}

// quantiles that checks have limits for come first.
export function quantileOf(s) {
	const limit = (s.checks ?? []).flatMap((check) => check.limits ?? []).find((one) => [0.5, 0.95, 0.99].includes(one.quantile));
	return limit?.quantile ?? 0.95;
}

// timeline is the share of the candidate since the plan began, and what happened.
export function timeline(s, events) {
	const now = Date.now();
	const begins = events.findLastIndex((e) => (e.event === "started" || e.event === "restarted") && e.revision === s.revision);
	const past = events.slice(Math.max(0, begins));
	const points = past.map((e) => [Date.parse(e.time), weightAfter(s, e)]).filter(([, weight]) => weight != null);
	const shown = s.variants.find((v) => v.name === (s.candidate || s.variants.at(-1).name)) ?? s.variants.at(-1);
	const since = points.length > 0 ? points[0][0] : now - 60000;
	const end = points.length > 0 ? points.at(-1)[0] : now;
	const over = s.state === "promoted" || s.state === "rolled_back";
	const to = over ? Math.min(now, end + Math.max((end - since) / 5, 60000)) : now;
	points.push([to, percent(shown.weight) / 100]);
	if (points.length === 1) points.unshift([since, points[0][1]]);
	return {
		from: Math.min(since, to - 20000), to,
		lines: [{ name: shown.name, look: looks(s).get(shown.name), points }],
		marks: past.map((e) => ({ time: Date.parse(e.time), tone: eventWords(e, s).tone, text: `${eventWords(e, s).title}${e.reason ? `: ${e.reason}` : ""}` })),
	};
}

// weightAfter is the candidate's share behind an event, as far as the event tells.
function weightAfter(s, e) {
	if (e.state === "rolled_back") return 0;
	if (e.state === "promoted") return 1;
	if (e.event === "weight_set") { // its reason is "canary 5%"
		const [variant, weight] = (e.reason ?? "").split(" ");
		return variant === s.candidate || !s.candidate ? percent(weight) / 100 : null;
	}
	const step = s.steps?.[e.step - 1];
	return step ? percent(step.weight) / 100 : null;
}

