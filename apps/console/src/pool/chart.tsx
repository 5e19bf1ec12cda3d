// A chart over time: uPlot in the colours of the page, a legend with the values under the pointer, and the same data as
// a table for screen readers.

import { useSignal } from '@preact/signals';
import { useEffect, useId, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { coloursOf } from '../ui/colour.js';
import { paint } from '../ui/theme-switch.js';
import './chart.css';

export interface ChartSeries {
  readonly label: string;
  /** The name of a colour in the style sheet. */
  readonly colour: string;
  readonly shape: 'area' | 'line' | 'bars';
  /** The drawn values; for stacked bars, the cumulative sums. */
  readonly drawn: readonly (number | null)[];
  /** The values themselves, for the legend and the table. */
  readonly values: readonly (number | null)[];
}

interface Props {
  readonly title: string;
  /** A summary of the chart in words, for screen readers. */
  readonly summary: string;
  /** The ends of the buckets, in milliseconds since the epoch. */
  readonly times: readonly number[];
  /** In drawing order: later series cover earlier ones. */
  readonly series: readonly ChartSeries[];
  /** Formats a value, and a mark of the axis. */
  readonly format: (value: number) => string;
  readonly empty?: string | null;
}

const HEIGHT = 190;
const MINUTE = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const CLOCK = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit' });

export function Chart({ title, summary, times, series, format, empty = null }: Props) {
  const heading = useId();
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const pointed = useSignal<number | null>(null);
  const data = useRef<uPlot.AlignedData>([[]]);
  data.current = [times.map((at) => at / 1000), ...series.map(({ drawn }) => [...drawn])] as uPlot.AlignedData;
  const colours = paint();
  const names = series.map(({ label }) => label).join();

  useEffect(() => {
    const parent = place.current!;
    const width = (): number => Math.floor(parent.clientWidth);
    const chart = new uPlot(
      options(series, format, width(), (index) => (pointed.value = index)),
      data.current,
      parent,
    );
    plot.current = chart;
    const resize = new ResizeObserver(() => chart.setSize({ width: width(), height: HEIGHT }));
    resize.observe(parent);
    return () => {
      resize.disconnect();
      chart.destroy();
      plot.current = null;
    };
  }, [colours, names]);
  useEffect(() => plot.current?.setData(data.current), [times, series]);

  const at = pointed.value;
  return (
    <section class="card chart" aria-labelledby={heading}>
      <header class="card-head">
        <h2 id={heading}>{title}</h2>
        <span class="note digits">{at !== null && times[at] !== undefined ? CLOCK.format(times[at]) : ''}</span>
      </header>
      <ul class="legend">
        {series.map(({ label, colour, values }) => (
          <li key={label}>
            <span class="swatch" style={{ background: `var(${colour})` }} aria-hidden="true" />
            {label}
            {at !== null && <strong class="digits">{values[at] == null ? '–' : format(values[at])}</strong>}
          </li>
        ))}
      </ul>
      <div class="plot" ref={place} role="img" aria-label={`${title}. ${summary}`} />
      {empty !== null && <p class="chart-empty">{empty}</p>}
      <Table title={title} times={times} series={series} format={format} />
    </section>
  );
}

function Table({ title, times, series, format }: Pick<Props, 'title' | 'times' | 'series' | 'format'>) {
  const isOpen = useSignal(false);
  const rows = times
    .map((at, i) => ({ at, i }))
    .filter(({ i }) => series.some(({ values }) => values[i]))
    .reverse();
  return (
    <details class="chart-table" onToggle={({ currentTarget }) => (isOpen.value = currentTarget.open)}>
      <summary>As a table</summary>
      {isOpen.value && (
        <div class="scroll" tabIndex={0} role="region" aria-label={`${title} as a table`}>
          <table>
            <thead>
              <tr>
                <th scope="col">Until</th>
                {series.map(({ label }) => (
                  <th scope="col" class="number" key={label}>
                    {label}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {rows.map(({ at, i }) => (
                <tr key={at}>
                  <th scope="row">
                    <time dateTime={new Date(at).toISOString()}>{CLOCK.format(at)}</time>
                  </th>
                  {series.map(({ label, values }) => (
                    <td class="number digits" key={label}>
                      {values[i] == null ? '–' : format(values[i])}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </details>
  );
}

function options(
  series: readonly ChartSeries[],
  format: Props['format'],
  width: number,
  point: (index: number | null) => void,
): uPlot.Options {
  const { text, grid } = coloursOf({ text: '--muted', grid: '--line' });
  const lines = coloursOf(Object.fromEntries(series.map(({ label, colour }) => [label, colour])));
  const axis: uPlot.Axis = {
    stroke: text,
    grid: { stroke: grid, width: 1 },
    ticks: { show: false },
    font: '12px system-ui, sans-serif',
  };
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    padding: [8, 4, 0, 0],
    cursor: { y: false, drag: { setScale: false }, points: { show: false }, sync: { key: 'pool' } },
    scales: { x: { time: true }, y: { range: (_plot, least, most) => rangeOf(least, most) } },
    axes: [
      {
        ...axis,
        grid: { show: false },
        space: 70,
        size: 30,
        values: (_plot, marks) => marks.map((mark) => MINUTE.format(mark * 1000)),
      },
      {
        ...axis,
        // As wide as its widest label.
        size: (_plot, marks) => 22 + 6.5 * Math.max(...(marks ?? []).map((mark) => mark.length), 2),
        space: 34,
        incrs: [0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1_200, 1_800, 3_600, 7_200, 36_000, 86_400],
        values: (_plot, marks) => marks.map((mark) => (mark === null ? '' : format(Math.abs(mark)))),
      },
    ],
    series: [{}, ...series.map(({ label, shape }) => lineOf(label, lines[label]!, shape))],
    hooks: { setCursor: [({ cursor }) => point(cursor.idx ?? null)] },
  };
}

function lineOf(label: string, colour: string, shape: ChartSeries['shape']): uPlot.Series {
  if (shape === 'bars') {
    return {
      label,
      fill: colour,
      width: 0,
      points: { show: false },
      paths: uPlot.paths.bars!({ size: [0.8, 24], align: -1 }),
    };
  }
  const line = { label, stroke: colour, width: 2, spanGaps: shape === 'line' };
  if (shape === 'line') return { ...line, points: { show: true, size: 4, fill: colour, width: 0 } };
  return { ...line, fill: `color-mix(in srgb, ${colour} 18%, transparent)`, points: { show: false } };
}

/** The range includes zero, and extends below it if a series does. */
function rangeOf(least: number | null, most: number | null): [number, number] {
  const top = Math.max(most ?? 0, 1) * 1.08;
  return [least !== null && least < 0 ? Math.min(least * 1.08, -1) : 0, top];
}
