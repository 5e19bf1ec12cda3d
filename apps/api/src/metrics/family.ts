// What is shown under one name, as of one instant. Counts are kept as plain numbers and become samples when somebody
// asks: prom-client's own counters cost a microsecond per count, which every request would pay.

export interface Sample {
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
  /** Where it is not the family's. */
  readonly metricName?: string;
}

export interface Family {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly samples: readonly Sample[];
}

/** A sample for each value of one label. */
export const by = <Value extends string>(
  label: string,
  counts: Readonly<Record<Value, number>>,
  others: Sample['labels'] = {},
): Sample[] =>
  Object.entries<number>(counts).map(([value, count]) => ({ labels: { ...others, [label]: value }, value: count }));
