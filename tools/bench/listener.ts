// One reader of a stream of events, as light as can be, for there are many of them in this process: it looks at ids
// and at what the writer noted, and at nothing else.

import { get, type ClientRequest, type IncomingMessage } from 'node:http';

/** Of one message: its id, and if it is a grant, when that was asked for. */
const MESSAGE = /^id: (\d+)(?:\n.*"at": ?([\d.]+))?/;

export class Listener {
  /** From asking for a grant until its event was here, in milliseconds. */
  readonly delays: number[] = [];
  events = 0;
  /** Events that came twice, or after one that is missing. */
  misplaced = 0;
  /** The id of the last message; undefined before the first one. */
  lastSeq: number | undefined;
  #rest = '';

  private constructor(private readonly request: ClientRequest) {}

  /** Resolves when it knows where the stream begins. */
  static async open(url: string, pool: string): Promise<Listener> {
    const request = get(`${url}/api/pools/${pool}/events/stream?after=latest`, { agent: false });
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      request.once('response', resolve).once('error', reject);
    });
    if (answer.statusCode !== 200) throw new Error(`a stream was answered with ${answer.statusCode}`);
    const listener = new Listener(request);
    request.on('error', () => undefined);
    answer.on('error', () => undefined).setEncoding('latin1');
    await new Promise<void>((resolve) => {
      answer.on('data', (text: string) => {
        listener.#take(text);
        if (listener.lastSeq !== undefined) resolve();
      });
    });
    return listener;
  }

  leave(): void {
    this.request.destroy();
  }

  #take(text: string): void {
    const now = performance.now();
    const messages = (this.#rest + text).split('\n\n');
    this.#rest = messages.pop()!;
    for (const message of messages) {
      const [, id, at] = MESSAGE.exec(message.slice(message.indexOf('id: '))) ?? [];
      const seq = Number(id);
      if (message.includes('\ndata: ')) {
        this.events++;
        if (seq !== this.lastSeq! + 1) this.misplaced++;
      }
      this.lastSeq = seq;
      if (at !== undefined) this.delays.push(now - Number(at));
    }
  }
}
