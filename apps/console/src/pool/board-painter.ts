// Paints the board. A frame paints only the cells whose look has changed, so a board of ten thousand tokens costs ten
// thousand comparisons and a few painted cells.

import type { Flash } from '../live/live-pool.js';
import { statusOf, type PoolState, type Status, type TokenKind, type TokenState } from '../live/pool-state.js';
import { coloursOf } from '../ui/colour.js';
import { countdown, shortened, shortId } from '../words.js';
import { placeOf, type BoardLayout } from './board-layout.js';

export interface BoardView {
  readonly state: PoolState;
  /** The server's time, in milliseconds since the epoch. */
  readonly now: number;
  /** The lease length that fills a cell, in milliseconds. */
  readonly fullMs: number;
  readonly nextOut: TokenState | null;
  /** The tokens that match the filter; null: all. */
  readonly matches: ((token: TokenState) => boolean) | null;
  readonly flashes: Map<string, Flash>;
  readonly selected: string | null;
  readonly cursor: number;
}

export const FLASH_MS = 1_600;
/** The share of a flash before it fades. */
const STAYS = 0.55;
/** The last share of a lease, which the board marks as ending. */
const SOON = 0.2;

const PROPERTIES = {
  surface: '--surface',
  free: '--cell-free',
  freeLine: '--cell-free-line',
  held: '--cell-held',
  drained: '--cell-drained',
  heldLine: '--cell-held-line',
  soon: '--cell-soon',
  soonLine: '--cell-soon-line',
  out: '--cell-out',
  outLine: '--cell-out-line',
  dirtyLine: '--cell-dirty-line',
  text: '--cell-text',
  muted: '--muted',
  nextOut: '--next-out',
  focus: '--focus',
  granted: '--kind-granted',
  renewed: '--kind-renewed',
  released: '--kind-released',
  evicted: '--kind-evicted',
  cleaned: '--kind-cleaned',
  expired: '--kind-expired',
  deleted: '--kind-deleted',
  flashText: '--flash-text',
} as const;

type Colours = Readonly<Record<keyof typeof PROPERTIES, string>>;

const FLASH_COLOUR: Readonly<Record<TokenKind, keyof Colours>> = {
  granted: 'granted',
  renewed: 'renewed',
  released: 'released',
  evicted: 'evicted',
  cleaned: 'cleaned',
  expired: 'expired',
  'ended-by-deletion': 'deleted',
  generated: 'renewed',
  described: 'renewed',
  deleted: 'deleted',
  soiled: 'expired',
  'made-clean': 'granted',
  disabled: 'deleted',
  enabled: 'renewed',
};

const STATUSES: readonly Status[] = ['available', 'active', 'cooling', 'dirty', 'cleaning', 'disabled'];

/** What a large cell says of a token that nobody gets now. */
const STATUS_WORD: Readonly<Partial<Record<Status, string>>> = {
  dirty: 'dirty',
  cleaning: 'cleaning',
  cooling: 'resting',
  disabled: 'out',
};

const KINDS = Object.keys(FLASH_COLOUR) as TokenKind[];

/** What a name leaves free of the width of its cell, in pixels. */
const MARGIN = 8;
/** The width of a monospace character, by the size of its font. */
const CHARACTER = 0.62;
/** The smallest font of a name. A longer name loses its middle. */
const LEAST_PIXELS = 9;

const FLASH_WORD: Readonly<Record<TokenKind, string>> = {
  granted: 'granted',
  renewed: 'renewed',
  released: 'released',
  evicted: 'evicted',
  cleaned: 'ended',
  expired: 'expired',
  'ended-by-deletion': 'ended',
  generated: 'new',
  described: 'changed',
  deleted: 'deleted',
  soiled: 'dirty',
  'made-clean': 'clean',
  disabled: 'disabled',
  enabled: 'enabled',
};

export class BoardPainter {
  readonly #context: CanvasRenderingContext2D;
  #layout: BoardLayout | null = null;
  #looks: (string | number)[] = [];
  #colours: Colours;
  #ratio = 1;
  #stillness = matchMedia('(prefers-reduced-motion: reduce)');

  /** The number of cells that the last frame painted. */
  painted = 0;

  constructor(private readonly canvas: HTMLCanvasElement) {
    this.#context = canvas.getContext('2d')!;
    this.#colours = coloursOf(PROPERTIES);
  }

  /** The next frame paints all cells. */
  resize(layout: BoardLayout): void {
    this.#ratio = layout.ratio;
    this.#layout = layout;
    this.canvas.width = Math.round(layout.width * this.#ratio);
    this.canvas.height = Math.round(layout.height * this.#ratio);
    // A whole number of device pixels: stretching by half a pixel would blur the whole canvas.
    this.canvas.style.width = `${this.canvas.width / this.#ratio}px`;
    this.canvas.style.height = `${this.canvas.height / this.#ratio}px`;
    this.#context.setTransform(this.#ratio, 0, 0, this.#ratio, 0, 0);
    this.#looks = [];
  }

  /** Reads the colours again after a change of theme. */
  recolour(): void {
    this.#colours = coloursOf(PROPERTIES);
    this.#looks = [];
    if (this.#layout) this.#context.clearRect(0, 0, this.#layout.width, this.#layout.height);
  }

  paint(view: BoardView): void {
    const layout = this.#layout;
    if (layout === null) return;
    const { tokens } = view.state;
    const pixels = layout.size * this.#ratio;
    const frameAt = performance.now();
    const isWorded = layout.size >= 34;
    this.painted = 0;
    for (let index = 0; index < layout.count; index++) {
      const token = tokens[index];
      if (token === undefined) continue;
      const status = statusOf(token, view.now);
      const until = status === 'cooling' ? token.restsUntil : (token.lease?.expiresAt ?? 0);
      const left = Math.max(until - view.now, 0);
      const part = Math.min(left / view.fullMs, 1);
      const flash = view.flashes.size > 0 ? view.flashes.get(token.id) : undefined;
      const progress = flash === undefined ? 1 : (frameAt - flash.at) / FLASH_MS;
      if (flash !== undefined && progress >= 1) view.flashes.delete(token.id);
      const isDim = view.matches !== null && !view.matches(token);
      const isNext = token === view.nextOut;
      const isChosen = token.id === view.selected ? 2 : index === view.cursor ? 1 : 0;
      const step = progress >= 1 ? 0 : this.#stillness.matches ? 1 : 1 + Math.floor(progress * 32);
      // A short key of the cell's look. Large cells contain text, so their key contains the seconds left and the id.
      const fill = left > 0 ? Math.max(Math.round(part * pixels), 1) : 0;
      const words = isWorded && left > 0 ? Math.ceil(left / 1000) : 0;
      const marks = (isDim ? 1 : 0) + (isNext ? 2 : 0) + isChosen * 4;
      const kind = step > 0 ? KINDS.indexOf(flash!.kind) : 0;
      const code =
        (((fill * 12 + marks) * 34 + step) * KINDS.length + kind) * STATUSES.length + STATUSES.indexOf(status);
      const look = isWorded ? `${code} ${words} ${token.id}` : code;
      if (this.#looks[index] === look) continue;
      this.#looks[index] = look;
      this.painted++;
      this.#paintCell(layout, index, token, { status, left, part, isDim, isNext, isChosen, flash, step, progress });
    }
  }

  #paintCell(layout: BoardLayout, index: number, token: TokenState, cell: Cell): void {
    const context = this.#context;
    const colours = this.#colours;
    const { size, pitch } = layout;
    const { x, y } = placeOf(layout, index);
    const radius = size >= 34 ? 8 : size >= 14 ? 4 : 2;
    const isHeld = cell.status === 'active' || cell.status === 'cleaning';
    const isOut = cell.status === 'disabled' || cell.status === 'dirty' || cell.status === 'cooling';
    const isSoon = cell.part <= SOON;
    context.clearRect(x, y, pitch, pitch);
    context.globalAlpha = cell.isDim ? 0.22 : 1;

    this.#box(x, y, size, radius, 0);
    context.fillStyle = isHeld ? colours.drained : isOut ? colours.out : colours.free;
    context.fill();
    if (isHeld) {
      const height = size * cell.part;
      context.save();
      context.clip();
      context.fillStyle = isSoon ? colours.soon : colours.held;
      context.fillRect(x, y + size - height, size, height);
      context.restore();
    }
    this.#pattern(x, y, size, radius, cell.status);
    if (size >= 14) {
      this.#box(x, y, size, radius, 0.5);
      context.lineWidth = 1;
      context.strokeStyle = isHeld
        ? isSoon
          ? colours.soonLine
          : colours.heldLine
        : isOut
          ? colours.outLine
          : colours.freeLine;
      if (cell.status === 'cooling') context.setLineDash([3, 3]);
      context.stroke();
      context.setLineDash([]);
    }
    if (cell.isNext) {
      const width = size >= 34 ? 3 : 2;
      this.#box(x, y, size, radius, width / 2);
      context.lineWidth = width;
      context.strokeStyle = colours.nextOut;
      context.stroke();
    }
    const isWord = cell.step > 0 && cell.progress < STAYS && size >= 44;
    if (size >= 34) this.#words(x, y, size, token, cell, isWord);
    if (cell.step > 0) this.#flash(x, y, size, radius, cell, isWord);
    context.globalAlpha = 1;
    if (cell.isChosen > 0) {
      this.#box(x, y, size, radius, 1);
      context.lineWidth = 2;
      context.strokeStyle = colours.focus;
      context.stroke();
    }
  }

  /** Tells the states apart also without colours: stripes for dirt, a cross for what is out of service. */
  #pattern(x: number, y: number, size: number, radius: number, status: Status): void {
    if (status !== 'dirty' && status !== 'cleaning' && status !== 'disabled') return;
    const context = this.#context;
    context.save();
    this.#box(x, y, size, radius, 0);
    context.clip();
    context.beginPath();
    // Behind the words of a large cell, the pattern steps back.
    if (size >= 34) context.globalAlpha *= 0.4;
    context.lineWidth = Math.max(size / 24, 1);
    context.strokeStyle = status === 'disabled' ? this.#colours.outLine : this.#colours.dirtyLine;
    if (status === 'disabled') {
      context.moveTo(x, y);
      context.lineTo(x + size, y + size);
      context.moveTo(x + size, y);
      context.lineTo(x, y + size);
    } else {
      const step = Math.max(size / 5, 4);
      for (let at = step; at < size * 2; at += step) {
        context.moveTo(x + at, y);
        context.lineTo(x + at - size, y + size);
      }
    }
    context.stroke();
    context.restore();
  }

  #words(x: number, y: number, size: number, token: TokenState, cell: Cell, isBelowWord: boolean): void {
    const context = this.#context;
    const middle = x + size / 2;
    context.textAlign = 'center';
    context.textBaseline = 'middle';
    const hasName = size >= 48;
    if (hasName) {
      const name = token.name ?? shortId(token.id).slice(0, size >= 72 ? 8 : 6);
      const pixels = Math.min(size / 5, 12, Math.max((size - MARGIN) / (CHARACTER * [...name].length), LEAST_PIXELS));
      context.font = `500 ${pixels}px ui-monospace, "SF Mono", Menlo, Consolas, monospace`;
      context.fillStyle = cell.status === 'available' ? this.#colours.muted : this.#colours.text;
      context.fillText(shortened(name, Math.floor((size - MARGIN) / (CHARACTER * pixels))), middle, y + size * 0.28);
    }
    const word = STATUS_WORD[cell.status];
    if (word !== undefined && size >= 44 && !isBelowWord) {
      context.font = `650 ${Math.min(size / 5, 12)}px system-ui, sans-serif`;
      context.fillStyle = this.#colours.text;
      context.fillText(word, middle, y + size * (cell.left > 0 ? 0.86 : hasName ? 0.62 : 0.54));
    }
    if (cell.left <= 0 || isBelowWord) return;
    context.font = `650 ${Math.min(size / 3.2, 20)}px system-ui, sans-serif`;
    context.fillStyle = this.#colours.text;
    context.fillText(countdown(cell.left), middle, y + size * (hasName ? 0.62 : 0.54));
    if (!cell.isNext || size < 44) return;
    context.font = `700 ${Math.min(size / 6, 11)}px system-ui, sans-serif`;
    context.fillStyle = this.#colours.nextOut;
    context.fillText('next out', middle, y + size * 0.86);
  }

  #flash(x: number, y: number, size: number, radius: number, cell: Cell, isWord: boolean): void {
    const context = this.#context;
    const { kind } = cell.flash!;
    const colour = this.#colours[FLASH_COLOUR[kind]];
    const fade = this.#stillness.matches ? 1 : Math.min((1 - cell.progress) / (1 - STAYS), 1);
    context.globalAlpha = (cell.isDim ? 0.4 : 0.96) * fade;
    this.#box(x, y, size, radius, 0);
    context.fillStyle = colour;
    context.fill();
    if (isWord) {
      context.globalAlpha = cell.isDim ? 0.5 : 1;
      context.font = `700 ${Math.min(size / 4.6, 14)}px system-ui, sans-serif`;
      context.textAlign = 'center';
      context.textBaseline = 'middle';
      context.fillStyle = this.#colours.flashText;
      context.fillText(FLASH_WORD[kind], x + size / 2, y + size / 2);
    }
  }

  #box(x: number, y: number, size: number, radius: number, inset: number): void {
    const context = this.#context;
    context.beginPath();
    context.roundRect(x + inset, y + inset, size - inset * 2, size - inset * 2, Math.max(radius - inset, 0));
  }
}

interface Cell {
  readonly status: Status;
  readonly left: number;
  readonly part: number;
  readonly isDim: boolean;
  readonly isNext: boolean;
  /** 0: none, 1: by the cursor, 2: by selection. */
  readonly isChosen: number;
  readonly flash: Flash | undefined;
  /** The strength of the flash; 0 without one. */
  readonly step: number;
  readonly progress: number;
}
