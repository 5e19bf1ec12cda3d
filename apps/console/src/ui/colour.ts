// Resolves the colours of the style sheet for a canvas, which does not understand custom properties.

/** @param names custom properties that contain colours */
export function coloursOf<Name extends string>(names: Readonly<Record<Name, string>>): Readonly<Record<Name, string>> {
  const probe = document.body.appendChild(document.createElement('span'));
  const entries = Object.entries<string>(names).map(([key, property]) => {
    probe.style.color = `var(${property})`;
    return [key, getComputedStyle(probe).color];
  });
  probe.remove();
  return Object.fromEntries(entries) as Record<Name, string>;
}
