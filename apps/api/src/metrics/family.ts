// The samples of one metric at one instant. The counts are plain numbers and become samples only for a scrape:
// prom-client's own counters cost a microsecond per count, which every request would pay.

export interface Sample {
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
  /** Given where it is not the family's name. */
  readonly metricName?: string;
}

export interface Family {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly samples: readonly Sample[];
}

/** Makes a sample for each value of one label. */
export const by = <Value extends string>(
  label: string,
  counts: Readonly<Record<Value, number>>,
  others: Sample['labels'] = {},
): Sample[] =>
  Object.entries<number>(counts).map(([value, count]) => ({ labels: { ...others, [label]: value }, value: count }));
