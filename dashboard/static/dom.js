// Elements are made once and then kept: focus, selections and scroll positions outlive updates. Whatever comes from the
// server becomes text, never markup.

const svgNamespace = "http://www.w3.org/2000/svg";

function attributes(element, values, children) {
	for (const [name, value] of Object.entries(values ?? {})) {
		if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
		else if (value === true) element.setAttribute(name, "");
		else if (value !== false && value != null) element.setAttribute(name, value);
	}
	element.append(...children.flat(2).filter((child) => child != null));
	return element;
}

// html makes an element: html("p", {class: "muted"}, "text", child).
export const html = (tag, values, ...children) => attributes(document.createElement(tag), values, children);

// svg makes an element of a drawing.
export const svg = (tag, values, ...children) => attributes(document.createElementNS(svgNamespace, tag), values, children);

// write changes an element's text if it is another one.
export function write(element, text) {
	const wanted = String(text ?? "");
	if (element.textContent !== wanted) element.textContent = wanted;
}

// mark changes an attribute if it is another one; null removes it.
export function mark(element, name, value) {
	if (value == null || value === false) element.removeAttribute(name);
	else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, String(value));
}

// List keeps one child of a parent for each item: made by make(), and brought up to date by update(child, item, index).
export class List {
	constructor(parent, make, update) {
		Object.assign(this, { parent, make, update, children: [] });
	}

	show(items) {
		while (this.children.length > items.length) this.children.pop().remove();
		items.forEach((item, i) => {
			if (!this.children[i]) {
				this.children[i] = this.make(i);
				this.parent.append(this.children[i]);
			}
			this.update(this.children[i], item, i);
		});
	}
}
