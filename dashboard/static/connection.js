// The one connection to the server: a stream of what the control API answers, as it changes.

const silence = 8000; // after which a connection is taken for dead: the server says something every second
const longestWait = 10000;

// Connection follows paths of the control API. hear(path, status, body) gets every answer that differs from the one before;
// tell(state) hears connecting, live and lost.
export class Connection {
	constructor(hear, tell) {
		Object.assign(this, { hear, tell, paths: [], wait: 500 });
		setInterval(() => this.source && Date.now() - this.heard > silence && this.lose(), 1000);
	}

	// follow goes over to other paths; everything is told anew.
	follow(paths) {
		if (paths.join() === this.paths.join()) return;
		this.paths = paths;
		this.open();
	}

	open() {
		clearTimeout(this.timer);
		this.source?.close();
		const query = this.paths.map((path) => `watch=${encodeURIComponent(path)}`).join("&");
		const source = new EventSource(`stream?${query}`);
		this.source = source;
		this.heard = Date.now();
		source.onmessage = (event) => {
			if (source !== this.source) return;
			this.heard = Date.now();
			this.wait = 500;
			this.tell("live");
			const { path, status, body } = JSON.parse(event.data);
			if (path) this.hear(path, status, body);
		};
		source.onerror = () => source === this.source && this.lose();
	}

	// lose tries again, less and less often. Browsers would by themselves, but not after every kind of error.
	lose() {
		this.source.close();
		this.source = null;
		this.tell("lost");
		this.timer = setTimeout(() => this.open(), this.wait);
		this.wait = Math.min(2 * this.wait, longestWait);
	}
}

// command tells a rollout what to do, if it still has the version that somebody saw.
export async function command(name, verb, body, version) {
	const headers = { "If-Match": `"${version}"` };
	if (body) headers["Content-Type"] = "application/json";
	try {
		const response = await fetch(`api/rollouts/${encodeURIComponent(name)}/${verb}`, { method: "POST", headers, body: body && JSON.stringify(body) });
		const answer = await response.json().catch(() => ({}));
		if (response.ok) return { status: answer };
		return { code: answer.code ?? "", error: answer.error ?? `The server answers ${response.status}.` };
	} catch {
		return { code: "lost", error: "The server cannot be reached: whether it got the command is not known." };
	}
}
