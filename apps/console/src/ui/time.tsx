// Times in the reader's zone, with the exact value on hover, and running displays of time left or passed.

import { useComputed } from '@preact/signals';
import { countdown, duration } from '../words.js';
import { now } from './tick.js';

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const DAY = new Intl.DateTimeFormat(undefined, {
  month: 'short',
  day: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
});
const EXACT = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'long' });

/** @param at RFC 3339, as in the API's answers */
export function Time({ at }: { readonly at: string }) {
  const date = new Date(at);
  const isToday = date.toDateString() === new Date(now.peek()).toDateString();
  return (
    <time dateTime={at} title={`${at}\n${EXACT.format(date)}`}>
      {(isToday ? CLOCK : DAY).format(date)}
    </time>
  );
}

/** "12 s ago", with the exact time on hover. */
export function Ago({ at }: { readonly at: string }) {
  const since = Date.parse(at);
  const text = useComputed(() => {
    const seconds = Math.floor((now.value - since) / 1000);
    return seconds < 1 ? 'now' : seconds > 86_400 ? DAY.format(since) : `${duration(coarse(seconds))} ago`;
  });
  return (
    <time dateTime={at} title={`${at}\n${EXACT.format(since)}`}>
      {text}
    </time>
  );
}

/** @param until milliseconds since the epoch, by the server's clock */
export function TimeLeft({ until }: { readonly until: number }) {
  const text = useComputed(() => countdown(until - now.value));
  return (
    <span class="digits" title={new Date(until).toISOString()}>
      {text}
    </span>
  );
}

/** @param since milliseconds since the epoch, by the server's clock */
export function TimePassed({ since }: { readonly since: number }) {
  const text = useComputed(() => duration(Math.max(Math.floor((now.value - since) / 1000), 0)));
  return <span class="digits">{text}</span>;
}

/** Drops the seconds when they no longer matter. */
const coarse = (seconds: number): number => (seconds < 60 ? seconds : seconds - (seconds % 60));
