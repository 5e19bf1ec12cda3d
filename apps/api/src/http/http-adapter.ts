// Express under Nest, with limits for Node's HTTP server: how long a request may take to arrive, how the server answers
// bytes that are no request, and how it stops without losing a request that it has accepted.

import { createServer, STATUS_CODES, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { randomUUID } from 'node:crypto';
import { Server as TcpServer, type Socket } from 'node:net';
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import { ExpressAdapter } from '@nestjs/platform-express';
import type { Express, NextFunction, Request, Response } from 'express';
import { wakeAll, type Admission } from './admission.js';
import type { Headers } from './answer-headers.js';
import { FAIR_QUEUE } from './fair-queue.js';
import { HttpProblem, problemDocument } from './problem.js';
import { normalUrl, routesAt } from './route-of.js';

const LIMITS = {
  headersTimeout: 5_000,
  requestTimeout: 10_000,
  connectionsCheckingInterval: 1_000,
  // We refuse a request without Host ourselves, with a problem document.
  requireHostHeader: false,
};

/** How long a refused caller may read the answer before the server destroys the connection. */
const LAST_WORD_MS = 1_000;

/** How long a stopping server still accepts requests on open connections, whose clients do not know yet. */
const GRACE_MS = 300;
/** When a stopping server destroys the connections that are left. */
const PATIENCE_MS = 6_000;

export class HttpAdapter extends ExpressAdapter {
  declare protected httpServer: Server;
  readonly #sockets = new Set<Socket>();
  readonly #inFlight = new Set<ServerResponse>();
  #isStopping = false;
  #isHangingUp = false;

  /**
   * @param headersFor gives the headers of every answer to a page of an origin
   * @param keepAliveTimeout in milliseconds; longer than load balancers keep idle connections, so that they close them
   */
  constructor(
    private readonly admission: Admission,
    private readonly headersFor: (origin: string | undefined) => Headers,
    private readonly keepAliveTimeout: number,
  ) {
    super();
  }

  override initHttpServer(): void {
    const express = this.getInstance<Express>();
    express.disable('x-powered-by').disable('etag');
    const server = createServer({ ...LIMITS, keepAliveTimeout: this.keepAliveTimeout }, (req, res) => {
      Object.assign(req, { sentUrl: req.url });
      req.url = normalUrl(express, req);
      if (this.admission.admits(req, res)) express(req, res);
    });
    server.on('request', (_req, res) => this.#follow(res));
    // RFC 9110 section 10.1.1 allows a server to ignore an expectation that it does not know.
    server.on('checkExpectation', (req: IncomingMessage, res: ServerResponse) => server.emit('request', req, res));
    server.on('clientError', (error, socket) => this.#refuse(error, socket as Socket));
    server.on('connection', (socket) => {
      this.#sockets.add(socket);
      // Each pipelined answer that waits for another one adds a listener (#follow).
      socket.setMaxListeners(0);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    this.httpServer = server;
  }

  /**
   * Sends JSON without Express' general code for answers. A transaction ends for many callers at once; each of them
   * gets its answer when it is the turn of its key.
   */
  override reply(res: Response, body: unknown, statusCode?: number): unknown {
    if (typeof body !== 'object' || body === null || res.headersSent) return super.reply(res, body, statusCode);
    FAIR_QUEUE.enter(res.req.key?.id, () => this.#reply(res, body, statusCode));
    return undefined;
  }

  #reply(res: Response, body: object, statusCode: number | undefined): void {
    if (res.headersSent) return;
    const json = JSON.stringify(body);
    if (statusCode !== undefined) res.statusCode = statusCode;
    if (!res.hasHeader('content-type')) res.setHeader('content-type', 'application/json; charset=utf-8');
    res.setHeader('content-length', Buffer.byteLength(json));
    res.end(json);
  }

  /** For requests without a route. When the path has other methods, `Allow` names them, and OPTIONS gets 204. */
  override setNotFoundHandler(handler: (req: Request, res: Response, next: NextFunction) => unknown): void {
    this.use((req: Request, res: Response, next: NextFunction) => {
      const methods = this.#methodsOf(req.path);
      if (methods.length > 0) res.setHeader('allow', [...methods, 'OPTIONS'].join(', '));
      if (methods.length > 0 && req.method === 'OPTIONS') res.status(204).end();
      else handler(req, res, next);
    });
  }

  /** The first step of `app.close()`: takes no new connection, and makes each answer the last one of its connection. */
  override beforeClose(): void {
    super.beforeClose();
    if (this.#isStopping || !this.httpServer.listening) return;
    this.#isStopping = true;
    // The HTTP server's own `close` would close a connection on which the client is just sending its next request.
    TcpServer.prototype.close.call(this.httpServer);
    // With pipelined requests only the last answer may end the connection.
    const last = new Map([...this.#inFlight].map((res) => [res.req.socket, res]));
    for (const res of last.values()) if (!res.headersSent) res.setHeader('connection', 'close');
    wakeAll();
  }

  /** Resolves when each accepted request has its answer and the last connection is closed. */
  override async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.httpServer.once('close', resolve));
    // The turn lets Node read the bytes that have arrived, even when a busy thread runs this late.
    if (this.#sockets.size > 0) await Promise.race([closed, sleep(GRACE_MS).then(() => turn())]);
    this.#isHangingUp = true;
    this.#hangUp(new Set([...this.#inFlight].map((res) => res.req.socket)));
    const patience = setTimeout(() => this.#hangUp(), PATIENCE_MS);
    await new Promise((resolve) => this.httpServer.close(resolve));
    clearTimeout(patience);
  }

  #follow(res: ServerResponse): void {
    this.#inFlight.add(res);
    if (this.#isStopping) res.setHeader('connection', 'close');
    if (!res.socket) closeWithConnection(res);
    res.on('close', () => {
      this.#inFlight.delete(res);
      if (this.#isHangingUp && !this.#openOn(res.req.socket)) res.req.socket.destroy();
    });
  }

  /** The open answer of a connection, if any. */
  #openOn(socket: Socket): ServerResponse | undefined {
    return [...this.#inFlight].find((res) => res.req.socket === socket);
  }

  #hangUp(except: ReadonlySet<Socket> = new Set()): void {
    for (const socket of this.#sockets) if (!except.has(socket)) socket.destroy();
  }

  /** Answers bytes that Node cannot read as a request, or a request that did not arrive in time. */
  #refuse(error: UnreadableError, socket: Socket): void {
    const open = this.#openOn(socket);
    if (error.code === 'ECONNRESET' || !socket.writable || open?.headersSent) return void socket.destroy();
    const problem = unreadable(error.code);
    const packet = error.rawPacket?.toString('latin1') ?? '';
    const origin = open?.req.headers.origin ?? /^origin: *([!-~]+) *\r?$/im.exec(packet)?.[1];
    const json = JSON.stringify(problemDocument(problem, open?.requestId ?? randomUUID()));
    const head = [
      `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}`,
      'content-type: application/problem+json; charset=utf-8',
      `content-length: ${Buffer.byteLength(json)}`,
      'connection: close',
      ...this.headersFor(origin).map((header) => header.join(': ')),
    ];
    socket.end(`${head.join('\r\n')}\r\n\r\n${json}`);
    // Node has no timeout for this connection any more: a caller that does not close its side would keep it for ever.
    setTimeout(() => socket.destroy(), LAST_WORD_MS).unref();
  }

  #methodsOf(path: string): string[] {
    const routes = routesAt(this.getInstance<Express>(), path);
    const methods = new Set(routes.flatMap((route) => Object.keys(route.methods)).map((name) => name.toUpperCase()));
    if (methods.has('GET')) methods.add('HEAD');
    return [...methods].sort();
  }
}

/** Node emits no 'close' on a pipelined answer that still waits when its connection breaks, so this does. */
function closeWithConnection(res: ServerResponse): void {
  const { socket } = res.req;
  const close = (): void => {
    // The answer has its turn by now, so Node emits the event.
    if (res.socket) return;
    res.destroyed = true;
    res.emit('close');
  };
  socket.once('close', close);
  res.once('close', () => socket.off('close', close));
}

interface UnreadableError extends NodeJS.ErrnoException {
  /** The bytes that Node was reading. */
  readonly rawPacket?: Buffer;
}

function unreadable(code: string | undefined): HttpProblem {
  if (code === 'HPE_HEADER_OVERFLOW') return new HttpProblem('header_too_large', 'the headers are too large');
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT')
    return new HttpProblem('request_timeout', 'the request did not arrive in time');
  return new HttpProblem('invalid_request', 'the request is not valid HTTP');
}
