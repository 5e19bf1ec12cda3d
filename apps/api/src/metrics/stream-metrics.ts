// Counts the streams of this process, the events they send, how streams end, and how late events are.

import { Injectable } from '@nestjs/common';
import { Distribution, LATENCIES } from './distribution.js';
import { by, type Family, type Sample } from './family.js';

type Ending = 'left' | 'cut_off' | 'stopped' | 'failed';

@Injectable()
export class StreamMetrics {
  readonly #delay = new Distribution(LATENCIES);
  readonly #endings: Record<Ending, number> = { left: 0, cut_off: 0, stopped: 0, failed: 0 };
  #open = 0;
  #sent = 0;

  opened(): void {
    this.#open++;
  }

  ended(ending: Ending): void {
    this.#open--;
    this.#endings[ending]++;
  }

  /** Counts events sent to one stream. */
  sent(events: number): void {
    this.#sent += events;
  }

  /** Counts the delay between writing an event and reading it. */
  arrived(delaySeconds: number): void {
    this.#delay.add(delaySeconds);
  }

  /** @param furthestBehind how many events the slowest stream has still to send */
  families(furthestBehind: number): Family[] {
    const family = (name: string, type: Family['type'], help: string, samples: Sample[]): Family => ({
      name,
      type,
      help,
      samples,
    });
    const only = (value: number): Sample[] => [{ labels: {}, value }];
    return [
      family('token_pool_streams', 'gauge', 'Streams that are open.', only(this.#open)),
      family('token_pool_streams_ended_total', 'counter', 'Streams, by how they ended.', by('how', this.#endings)),
      family('token_pool_stream_events_total', 'counter', 'Events sent to streams.', only(this.#sent)),
      family(
        'token_pool_stream_backlog',
        'gauge',
        'Events that the stream furthest behind has still to be sent.',
        only(furthestBehind),
      ),
      family(
        'token_pool_stream_delay_seconds',
        'histogram',
        'From when an event was written down until it was read for the streams.',
        this.#delay.samples('token_pool_stream_delay_seconds'),
      ),
    ];
  }
}
