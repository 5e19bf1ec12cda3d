// A collector of OpenTelemetry that takes everything and keeps nothing.

import { createServer } from 'node:http';

export async function listen(): Promise<void> {
  createServer((req, res) => {
    req.resume().once('end', () => res.setHeader('content-type', 'application/x-protobuf').end());
  }).listen(Number(process.env['PORT']), '127.0.0.1');
  process.on('SIGTERM', () => process.exit());
}
