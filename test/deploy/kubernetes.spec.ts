// `npm run kubernetes:check` finds what it is there to find: the real manifests pass, and a copy fails for each of its faults.

import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const ROOT = join(__dirname, '../..');
const MANIFESTS = join(ROOT, 'deploy/kubernetes');

function check(folder: string): { passed: boolean; said: string[] } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(ROOT, '.ci/kubernetes-check.mjs'), folder], {
    encoding: 'utf8',
  });
  return { passed: status === 0, said: (stdout + stderr).trim().split('\n') };
}

describe('the check of the manifests for Kubernetes', () => {
  const folder = mkdtempSync(join(tmpdir(), 'kubernetes-check-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  it('passes them as they are', () => {
    expect(check(MANIFESTS)).toEqual({ passed: true, said: [expect.stringMatching(/^\d+ manifests are sound$/)] });
  });

  it.each<[string, [file: string, from: string, to: string, complaint: string][]]>([
    [
      'of the schema',
      [
        ['deployment.yaml', 'readinessProbe:', 'readinesProbe:', "readinesProbe\"' does not exist in type 'Container'"],
        ['service.yaml', 'port: 80', "port: '80'", "Type 'string' is not assignable to type 'number'"],
        ['migration.yaml', 'template:', 'templates:', "templates\"' does not exist in type 'JobSpec'"],
        ['network-policy.yaml', 'v1\n', 'v3\n', 'nobody knows networking.k8s.io/v3 NetworkPolicy'],
        ['postgres.example.yaml', 'kind: Pooler', 'kind: Pool', 'nobody knows postgresql.cnpg.io/v1 Pool'],
        ['config.yaml', '  AUTH: keys', '\tAUTH: keys', 'Tabs are not allowed as indentation'],
      ],
    ],
    [
      'of our own rules',
      [
        ['deployment.yaml', 'runAsNonRoot: true', 'runAsNonRoot: false', 'Deployment must not run as root'],
        ['deployment.yaml', 'readOnlyRootFilesystem: true', '', 'Deployment must have a read-only file system'],
        ['deployment.yaml', 'replicas: 2', 'replicas: 1', 'must have two replicas at least'],
        ['deployment.yaml', 'maxUnavailable: 0', 'maxUnavailable: 1', 'must bring a new one before'],
        ['deployment.yaml', 'Seconds: 20', 'Seconds: 15', 'must serve 5 s on when told to stop'],
        ['deployment.yaml', '/health/ready', '/health/live', 'must ask /health/ready whether it can serve'],
        ['migration.yaml', '- ALL', '- NET_RAW', 'Job must drop all capabilities'],
        ['migration.yaml', 'type: RuntimeDefault', 'type: Unconfined', 'Job must have the seccomp profile'],
        ['migration.yaml', 'memory: 256Mi', '', 'must ask for a processor and memory'],
        ['disruption-budget.yaml', 'component: api', 'component: app', 'PodDisruptionBudget must select the pods'],
        ['config.yaml', 'TRUST_PROXY', 'TRUSTED', 'ConfigMap must say by TRUST_PROXY how many proxies'],
        ['secret.example.yaml', 'tokens_owner:REPLACE', 'tokens_owner:hunter2', 'Secret must have no real secret'],
        ['kustomization.yaml', '- service.yaml', '- services.yaml', 'must name files that exist, not services.yaml'],
      ],
    ],
  ])('refuses them for each fault %s', (_, faults) => {
    cpSync(MANIFESTS, folder, { recursive: true });
    for (const [file, from, to] of faults) {
      const text = readFileSync(join(folder, file), 'utf8');
      expect(text).toContain(from);
      writeFileSync(join(folder, file), text.replace(from, to));
    }
    const { passed, said } = check(folder);
    expect(passed).toBe(false);
    for (const [file, , , complaint] of faults) {
      expect(said).toContainEqual(expect.stringMatching(new RegExp(`^${file}: .*${inPattern(complaint)}`)));
    }
  });
});

const inPattern = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
