// Before anything is drawn: the colours that somebody chose in this browser, if not those of his system.
"use strict";
{
	const root = document.documentElement;
	const key = "grayling-theme";
	const remembered = () => {
		try { return localStorage.getItem(key) ?? ""; } catch { return ""; } // storage may be forbidden
	};
	const apply = (theme) => {
		if (theme === "light" || theme === "dark") root.dataset.theme = theme;
		else delete root.dataset.theme;
	};
	apply(remembered());
	addEventListener("DOMContentLoaded", () => {
		const select = document.getElementById("theme");
		select.value = root.dataset.theme ?? "";
		select.addEventListener("change", () => {
			apply(select.value);
			try { localStorage.setItem(key, select.value); } catch { /* for this time only */ }
		});
	});
}
