export type Content = Node | string;
type Attributes = Readonly<Record<string, string | undefined>>;

/** An HTML element. Text only ever becomes text: nothing that a client sent is read as markup. */
export function element<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...contents: readonly Content[]
): HTMLElementTagNameMap[Tag] {
  const made = document.createElement(tag);
  setAll(made, attributes);
  made.append(...contents);
  return made;
}

export function svg(tag: string, attributes: Attributes = {}, ...contents: readonly Content[]): SVGElement {
  const made = document.createElementNS('http://www.w3.org/2000/svg', tag);
  setAll(made, attributes);
  made.append(...contents);
  return made;
}

/** The part of the page with this id, which page.html has. */
export function part<Kind extends HTMLElement = HTMLElement>(id: string): Kind {
  return document.getElementById(id) as Kind;
}

function setAll(target: Element, attributes: Attributes): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined) target.setAttribute(name, value);
  }
}
