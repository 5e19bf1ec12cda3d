// Parses server-sent events from pieces of text.
// https://html.spec.whatwg.org/multipage/server-sent-events.html

export interface StreamMessage {
  /** The last `id` of the stream, from this message or an earlier one. */
  readonly id: string;
  /** Null if the message has no data and only changes the id. */
  readonly data: string | null;
}

export class EventStreamParser {
  #rest = '';
  #id = '';
  #data: string[] = [];

  /** Adds a piece of text, and returns the messages that it completes. */
  push(text: string): StreamMessage[] {
    // A piece may end between \r and \n.
    const lines = (this.#rest + text).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop() ?? '';
    const messages: StreamMessage[] = [];
    for (const line of lines) {
      if (line !== '') this.#field(line);
      else messages.push({ id: this.#id, data: this.#takeData() });
    }
    return messages;
  }

  #field(line: string): void {
    const [, name, value = ''] = /^([^:]*):? ?(.*)$/s.exec(line) ?? [];
    if (name === 'data') this.#data.push(value);
    else if (name === 'id' && !value.includes('\0')) this.#id = value;
  }

  #takeData(): string | null {
    const data = this.#data.length === 0 ? null : this.#data.join('\n');
    this.#data = [];
    return data;
  }
}
