// Small helpers: elements are made and filled as text, never as markup.

export const $ = (id) => document.getElementById(id);

export function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

// Writes only what has changed: the eye is not drawn to what has not, and a selection stays.
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// "`homing engage`" as code between plain words.
export function withCode(text) {
  return text.split("`").map((part, index) => (index % 2 ? make("code", { textContent: part }) : part));
}

// Replaces the children only where what they show has changed.
export function refill(element, key, children) {
  if (element.dataset.key === key) return;
  element.dataset.key = key;
  element.replaceChildren(...children());
}
