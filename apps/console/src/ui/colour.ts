// The colours of the style sheet for what is painted: resolved, as a canvas wants them.

/** @param names of custom properties, each a colour */
export function coloursOf<Name extends string>(names: Readonly<Record<Name, string>>): Readonly<Record<Name, string>> {
  const probe = document.body.appendChild(document.createElement('span'));
  const entries = Object.entries<string>(names).map(([key, property]) => {
    probe.style.color = `var(${property})`;
    return [key, getComputedStyle(probe).color];
  });
  probe.remove();
  return Object.fromEntries(entries) as Record<Name, string>;
}
