// Runs HAProxy in front of the processes of the API.

import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../../harness/port.js';
import { Daemon } from './daemon.js';

const SETTINGS = 'deploy/ha/haproxy.cfg';

export class Balancer {
  private constructor(
    readonly port: number,
    private readonly daemon: Daemon,
  ) {}

  static async start(
    program: string,
    directory: string,
    logs: string,
    apis: readonly [number, number],
  ): Promise<Balancer> {
    const port = await freePort();
    const settings = join(directory, 'haproxy.cfg');
    copyFileSync(SETTINGS, settings);
    const [API_1, API_2] = apis.map((api) => `127.0.0.1:${api}`) as [string, string];
    const env = { HAPROXY_BIND: `127.0.0.1:${port}`, API_1, API_2 };
    const log = join(logs, 'haproxy.log');
    return new Balancer(port, await Daemon.start({ program, args: ['-db', '-f', settings], env, port, log }));
  }

  async remove(): Promise<void> {
    await this.daemon.kill();
  }
}
