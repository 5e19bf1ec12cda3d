// Draws lines over time as an SVG that is readable on light and on dark pages.

const WIDTH = 820;
const HEIGHT = 340;
/** Leaves room for six names. */
const LEGEND_LEFT = 16;
const LANE = 16;
const LANE_NAMES = 70;
/** The space below the axis and left of it. */
const NOTHING = { below: 0, beside: 0 };
const BOX = { left: 74, right: 16, top: 64, bottom: 46 };
const INNER = { width: WIDTH - BOX.left - BOX.right, height: HEIGHT - BOX.top - BOX.bottom };

/** Okabe and Ito's colours, which stay distinct on light and dark pages and for colour-blind readers. */
const COLOURS = ['#0072b2', '#e69f00', '#009e73', '#cc79a7', '#56b4e9', '#d55e00', '#8c8c8c'];

const STYLE = `
  text { font: 12px system-ui, sans-serif; fill: #1f2328 }
  .title { font-size: 15px; font-weight: 600 }
  .small { font-size: 10px }
  .grid { stroke: #d0d7de; stroke-width: 1 }
  .line { fill: none; stroke-width: 2; stroke-linejoin: round }
  @media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .grid { stroke: #3d444d } }`;

export interface Lines {
  readonly title: string;
  readonly unit: string;
  /** The unit of the time axis. */
  readonly timeUnit: string;
  readonly series: readonly {
    readonly name: string;
    readonly points: readonly { readonly x: number; readonly y: number }[];
  }[];
  /** Events below the axis: a lane for each kind, in the colour of its group. */
  readonly lanes?: readonly {
    readonly name: string;
    readonly group: number;
    readonly marks: readonly { readonly from: number; readonly to: number; readonly title: string }[];
  }[];
}

export function lines({ title, unit, timeUnit, series, lanes = [] }: Lines): string {
  const points = series.flatMap((one) => one.points);
  const scale = scaleTo(points.map(({ y }) => y));
  const end = Math.max(...points.map(({ x }) => x));
  const x = (time: number): number => BOX.left + (time / end) * INNER.width;
  const marks = series.map(
    ({ points: own }, s) =>
      `<polyline class="line" stroke="${colour(s)}" points="${own.map((p) => `${n(x(p.x))},${n(scale.y(p.y))}`).join(' ')}"/>`,
  );
  for (let step = 0; step <= 6; step++) {
    const time = (end * step) / 6;
    marks.push(text(x(time), HEIGHT - BOX.bottom + 18, short(time), '', 'middle'));
  }
  marks.push(text(BOX.left + INNER.width, HEIGHT - 8, timeUnit, '', 'end'));
  lanes.forEach(({ name, group, marks: those }, place) => {
    const y = HEIGHT + place * LANE;
    marks.push(
      `<line class="grid" x1="${BOX.left}" x2="${WIDTH - BOX.right}" y1="${n(y + LANE / 2)}" y2="${n(y + LANE / 2)}"/>`,
      text(BOX.left - 8, y + 11, name, 'small', 'end'),
      ...those.map(({ from, to, title: hint }) => {
        const width = Math.max(2, x(to) - x(from));
        return `<rect x="${n(x(from))}" y="${n(y + 2)}" width="${n(width)}" height="${LANE - 4}" fill="${colour(group)}"><title>${escaped(hint)}</title></rect>`;
      }),
    );
  });
  const more = lanes.length === 0 ? NOTHING : { below: lanes.length * LANE + 12, beside: LANE_NAMES };
  return plot(title, unit, series, scale, marks, more);
}

interface Scale {
  readonly steps: readonly number[];
  readonly y: (value: number) => number;
}

/** The scale from 0 to a round number above the largest value. */
function scaleTo(values: readonly number[]): Scale {
  const largest = Math.max(1e-9, ...values.filter((value) => Number.isFinite(value)));
  const power = 10 ** Math.floor(Math.log10(largest / 4));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((one) => one * 5 >= largest) as number;
  const count = Math.ceil(largest / step);
  const steps = Array.from({ length: count + 1 }, (_, i) => i * step);
  return { steps, y: (value) => BOX.top + INNER.height * (1 - value / (count * step)) };
}

function plot(
  title: string,
  unit: string,
  series: readonly { readonly name: string }[],
  { steps, y }: Scale,
  marks: readonly string[],
  { below, beside } = NOTHING,
): string {
  const grid = steps.map(
    (step) =>
      `<line class="grid" x1="${BOX.left}" x2="${WIDTH - BOX.right}" y1="${n(y(step))}" y2="${n(y(step))}"/>` +
      text(BOX.left - 8, y(step) + 4, short(step), '', 'end'),
  );
  let left = LEGEND_LEFT;
  const legend = series.map(({ name }, s) => {
    const entry = `<rect x="${n(left)}" y="36" width="11" height="11" fill="${colour(s)}"/>${text(left + 16, 46, name)}`;
    left += 30 + name.length * 6.2;
    return entry;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="${-beside} 0 ${WIDTH + beside} ${HEIGHT + below}" width="${WIDTH + beside}" height="${HEIGHT + below}" role="img">`,
    `<title>${escaped(title)}</title><style>${STYLE}</style>`,
    text(BOX.left, 22, `${title} (${unit})`, 'title'),
    ...legend,
    ...grid,
    ...marks,
    '</svg>\n',
  ].join('\n');
}

const colour = (place: number): string => COLOURS[place % COLOURS.length] as string;
const n = (value: number): string => String(Math.round(value * 10) / 10);
const escaped = (words: string): string => words.replaceAll('&', '&amp;').replaceAll('<', '&lt;');

const text = (x: number, y: number, words: string, kind = '', anchor = 'start'): string =>
  `<text x="${n(x)}" y="${n(y)}"${kind && ` class="${kind}"`} text-anchor="${anchor}">${escaped(words)}</text>`;

function short(value: number): string {
  if (value >= 10_000) return `${Math.round(value / 1000)}k`;
  if (value >= 1000) return `${Number((value / 1000).toFixed(1))}k`;
  return String(Number(value.toPrecision(3)));
}
