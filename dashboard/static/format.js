// Numbers, times and states in words.

const nanoseconds = 1e9;

// share writes a share from 0 to 1 in percent, with as many digits as it takes to tell small ones apart.
export function share(x) {
	if (x == null || !Number.isFinite(x)) return "–";
	const percent = 100 * x;
	if (percent === 0 || percent === 100) return `${percent}%`;
	const text = percent < 1 ? percent.toPrecision(2) : percent.toFixed(percent < 10 ? 1 : 0);
	return `${Number(text)}%`;
}

// percent reads a weight such as "0.5%" as a number.
export const percent = (weight) => Number.parseFloat(weight) || 0;

// milliseconds writes a latency in milliseconds.
export function milliseconds(ms) {
	if (!ms) return "–";
	if (ms >= 10000) return `${(ms / 1000).toFixed(1)} s`;
	return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
}

// count writes a number, large ones shorter.
export function count(n) {
	if (n < 10000) return n.toLocaleString("en-US", { maximumFractionDigits: n < 10 ? 1 : 0 });
	return n.toLocaleString("en-US", { notation: "compact", maximumFractionDigits: 1 });
}

// lasting writes a duration in nanoseconds with its two largest units.
export function lasting(ns) {
	const s = Math.max(0, Math.round(ns / nanoseconds));
	const parts = [[Math.floor(s / 86400), "d"], [Math.floor(s / 3600) % 24, "h"], [Math.floor(s / 60) % 60, "min"], [s % 60, "s"]];
	const first = parts.findIndex(([n]) => n > 0);
	if (first < 0) return "0 s";
	return parts.slice(first, first + 2).filter(([n]) => n > 0).map(([n, unit]) => `${n} ${unit}`).join(" ");
}

// clock writes the time of day, and the day if it is not today.
export function clock(time) {
	const at = new Date(time);
	const day = at.toDateString() === new Date().toDateString() ? "" : at.toLocaleDateString(undefined, { month: "short", day: "numeric" }) + " ";
	return day + at.toLocaleTimeString("en-GB");
}

const stateNames = { idle: "No plan", progressing: "Progressing", paused: "Paused", promoted: "Promoted", rolled_back: "Rolled back", unknown: "Unknown", outdated: "Outdated" };
const stateTones = { progressing: "accent", paused: "warn", promoted: "good", rolled_back: "bad", outdated: "warn" };

// stateOf names a rollout's state, and its tone.
export function stateOf(s) {
	const tone = s.stalled ? "warn" : stateTones[s.state] ?? "plain";
	let name = stateNames[s.state] ?? s.state;
	if (s.stalled) name = "Stalled";
	else if (s.awaits_confirmation) name = "Awaits confirmation";
	else if (s.held) name = "Held";
	return { name, tone: s.held && !s.stalled ? "warn" : tone };
}

// weightOf is the share of the candidate, as the status has it.
export const weightOf = (s, variant = s.candidate) => s.variants.find((v) => v.name === variant)?.weight ?? "0%";

// expectation says what a rollout waits for.
export function expectation(s) {
	const step = s.steps?.[s.step - 1];
	switch (s.state) {
	case "idle":
		return "There is no plan: weights are as declared, or as somebody sets them.";
	case "unknown":
		return `The store has not said yet how far the rollout has come. Until then nobody gets ${s.candidate}.`;
	case "outdated":
		return "Other gateways release another revision than this one has.";
	case "paused":
		return `Paused in step ${s.step} of ${s.steps.length}. Checks that fail still roll it back.`;
	case "promoted":
		return `${s.candidate} has all traffic, and is the base.`;
	case "rolled_back":
		return `Nobody gets ${s.candidate}. A new revision, or restart, begins the plan anew.`;
	}
	if (!step) return "The plan is about to begin.";
	const here = `Step ${s.step} of ${s.steps.length}`;
	if (s.stalled) return `${here} is over, and has been held for the plan's deadline.`;
	if (s.awaits_confirmation) return `${here} waits for the answer of its confirm.`;
	if (step.manual) return `${here} lasts until somebody promotes.`;
	if (s.held) return `${here} is over, and waits for the checks to pass.`;
	if (!step.for_ns) return `${here} ends as soon as the checks pass.`;
	const left = step.for_ns - s.age_ns;
	if (left <= 0) return `${here} ends now, if the checks pass.`;
	return `${here} ends in ${lasting(left)}, if the checks pass.`;
}
