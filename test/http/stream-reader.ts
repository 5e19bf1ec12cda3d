// A reader of a stream of server-sent events, which looks at every byte and can stop reading.

import { request, type IncomingMessage } from 'node:http';
import type { EventView } from '@app/tokens';
import { mustBeA } from './client.js';

export interface StreamReader {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  /** In the order in which they came, each as openapi.json says. */
  readonly events: EventView[];
  /** Of the last message, one without data among them. */
  lastId: string;
  /** All of it, as it came. */
  text: string;
  /** Resolves when the condition holds; it is looked at whenever something has come. */
  until(condition: () => boolean): Promise<void>;
  readonly over: Promise<'ended' | 'broken'>;
  pause(): void;
  resume(): void;
  leave(): void;
}

export const streamOf = (pool: string, query = ''): string => `/api/pools/${pool}/events/stream${query}`;

/** @param lastId sent as `Last-Event-ID` */
export async function openStream(
  { url }: { readonly url: string },
  path: string,
  lastId?: string,
): Promise<StreamReader> {
  const headers = lastId === undefined ? {} : { 'last-event-id': lastId };
  const asked = request(new URL(path, url), { headers: { accept: 'text/event-stream', ...headers }, agent: false });
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    asked.once('response', resolve).once('error', reject).end();
  });
  const waiting = new Set<() => void>();
  const look = (): void => waiting.forEach((one) => one());
  let rest = '';
  const reader: StreamReader = {
    status: answer.statusCode!,
    headers: answer.headers,
    events: [],
    lastId: lastId ?? '',
    text: '',
    until: (condition) =>
      new Promise((resolve, reject) => {
        const one = (): void => {
          if (condition()) resolve();
          else if (answer.closed) reject(new Error(`the stream is over: ${reader.text.slice(-500)}`));
          else return;
          waiting.delete(one);
        };
        waiting.add(one);
        one();
      }),
    over: new Promise((resolve) => {
      answer.once('close', () => {
        resolve(answer.complete ? 'ended' : 'broken');
        look();
      });
    }),
    pause: () => void answer.pause(),
    resume: () => void answer.resume(),
    leave: () => void asked.destroy(),
  };
  asked.on('error', () => undefined);
  answer.on('error', () => undefined);
  answer.setEncoding('utf8').on('data', (text: string) => {
    reader.text += text;
    const blocks = (rest + text).split('\n\n');
    rest = blocks.pop()!;
    for (const block of blocks) take(block, reader);
    look();
  });
  return reader;
}

/** As the standard says, as far as it is used; throws at a line that is not of it. */
function take(block: string, reader: StreamReader): void {
  for (const line of block.split('\n')) {
    const [, field, value] = /^(id|data|retry|): (.*)$/.exec(line) ?? [];
    if (field === undefined) throw new Error(`not a line of a stream: ${line}`);
    if (field === 'id') reader.lastId = value!;
    if (field !== 'data') continue;
    const event = JSON.parse(value!) as EventView;
    mustBeA('TokenEvent', event);
    if (reader.lastId !== String(event.seq)) throw new Error(`event ${event.seq} has the id ${reader.lastId}`);
    reader.events.push(event);
  }
}
