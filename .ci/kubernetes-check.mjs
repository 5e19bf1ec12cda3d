// The manifests of deploy/kubernetes against the types that are made of Kubernetes' own schema, and against what was decided
// about them: `npm run kubernetes:check [folder]`. No cluster is asked. Of what others define (the operator's kinds) only
// the YAML and the kind are checked.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { parseAllDocuments } from 'yaml';

const folder = process.argv[2] ?? 'deploy/kubernetes';
const ROOT = join(import.meta.dirname, '..');
const OF_OTHERS = [
  'postgresql.cnpg.io/v1 Cluster',
  'postgresql.cnpg.io/v1 Pooler',
  'kustomize.config.k8s.io/v1beta1 Kustomization',
];
/** Before the pod is told to stop, and what the service takes afterwards at most (apps/api/src/lifetime.ts), in seconds. */
const [PRE_STOP, DRAIN] = [5, 10];

const problems = [];
const documents = readdirSync(folder)
  .filter((file) => file.endsWith('.yaml'))
  .flatMap((file) =>
    parseAllDocuments(readFileSync(join(folder, file), 'utf8')).map((document, place) => {
      problems.push(...document.errors.map(({ message }) => `${file}: ${message.split('\n')[0]}`));
      return { file, place, manifest: document.toJS() ?? {} };
    }),
  );

checkTypes();
for (const { file, manifest } of documents) {
  const must = (holds, what) => holds || problems.push(`${file}: ${manifest.kind} must ${what}`);
  const pod = manifest.spec?.template?.spec;
  if (pod) checkPod(pod, must);
  if (manifest.kind === 'Deployment') checkDeployment(manifest.spec, must);
  if (['Service', 'PodDisruptionBudget'].includes(manifest.kind)) checkSelector(manifest.spec.selector, must);
  if (manifest.kind === 'ConfigMap')
    must(manifest.data?.TRUST_PROXY, 'say by TRUST_PROXY how many proxies stand in front');
  if (manifest.kind === 'Secret') {
    const values = Object.values(manifest.stringData ?? {});
    must(
      !manifest.data && values.length > 0 && values.every((value) => value.includes('REPLACE')),
      'have no real secret in it',
    );
  }
  if (manifest.kind === 'Kustomization') {
    for (const resource of manifest.resources)
      must(existsSync(join(folder, resource)), `name files that exist, not ${resource}`);
  }
}

for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exit(1);
console.log(`${documents.length} manifests are sound`);

/** Each as the value of a constant of its type: what is misspelt, missing or of the wrong kind does not compile. */
function checkTypes() {
  const sources = new Map();
  for (const { file, place, manifest } of documents) {
    const what = `${manifest.apiVersion} ${manifest.kind}`;
    if (OF_OTHERS.includes(what)) continue;
    const [version, group = 'core'] = String(manifest.apiVersion).split('/').reverse();
    const types = `kubernetes-types/${group.split('.')[0]}/${version}`;
    if (!existsSync(join(ROOT, 'node_modules', `${types}.d.ts`))) problems.push(`${file}: nobody knows ${what}`);
    else {
      const value = JSON.stringify(manifest, null, 2);
      sources.set(
        join(ROOT, `${file}-${place}.ts`),
        `import type { ${manifest.kind} } from '${types}';\nexport const it: ${manifest.kind} = ${value};\n`,
      );
    }
  }
  const options = {
    noEmit: true,
    strict: true,
    skipLibCheck: true,
    types: [],
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
  };
  const host = ts.createCompilerHost(options);
  const { fileExists, getSourceFile } = host;
  host.fileExists = (name) => sources.has(name) || fileExists(name);
  host.getSourceFile = (name, language, ...rest) =>
    sources.has(name) ? ts.createSourceFile(name, sources.get(name), language) : getSourceFile(name, language, ...rest);
  for (const { file, messageText } of ts.getPreEmitDiagnostics(ts.createProgram([...sources.keys()], options, host))) {
    const name = file?.fileName.slice(ROOT.length + 1).replace(/-\d+\.ts$/, '');
    problems.push(`${name}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`);
  }
}

function checkPod({ securityContext, containers, automountServiceAccountToken }, must) {
  must(securityContext?.runAsNonRoot === true, 'not run as root');
  must(securityContext?.seccompProfile?.type === 'RuntimeDefault', 'have the seccomp profile RuntimeDefault');
  must(automountServiceAccountToken === false, 'carry no token of the cluster');
  for (const { securityContext: own, resources, image } of containers) {
    must(own?.readOnlyRootFilesystem === true, 'have a read-only file system');
    must(own?.allowPrivilegeEscalation === false, 'gain no privileges');
    must(own?.capabilities?.drop?.includes('ALL'), 'drop all capabilities');
    must(
      resources?.requests?.cpu && resources.requests.memory && resources.limits?.memory,
      'ask for a processor and memory, and be limited in memory',
    );
    must(image === 'token-pool-service', 'leave the image to kustomization.yaml');
  }
}

function checkDeployment({ replicas, strategy, selector, template }, must) {
  const {
    containers: [api],
    terminationGracePeriodSeconds: grace,
    topologySpreadConstraints: spread = [],
  } = template.spec;
  must(replicas >= 2, 'have two replicas at least');
  must(strategy?.rollingUpdate?.maxUnavailable === 0, 'bring a new one before it takes an old one');
  must(
    api.startupProbe?.httpGet?.path === '/health/live' && api.livenessProbe?.httpGet?.path === '/health/live',
    'ask /health/live whether it lives',
  );
  must(api.readinessProbe?.httpGet?.path === '/health/ready', 'ask /health/ready whether it can serve');
  must(
    api.lifecycle?.preStop?.exec?.command?.at(-1)?.includes(`${PRE_STOP}000`) && grace > PRE_STOP + DRAIN,
    `serve ${PRE_STOP} s on when told to stop, and have more than ${DRAIN} s after that`,
  );
  must(spread.length > 0, 'be spread');
  for (const { labelSelector } of [{ labelSelector: selector }, ...spread]) checkSelector(labelSelector, must);
}

/** It means the pods of the Deployment, and of nothing else. */
function checkSelector({ matchLabels, ...direct }, must) {
  const { manifest } = documents.find(({ manifest }) => manifest.kind === 'Deployment') ?? {};
  const labels = manifest?.spec.template.metadata?.labels;
  must(
    JSON.stringify(matchLabels ?? direct) === JSON.stringify(labels),
    'select the pods of the Deployment by both of their labels',
  );
}
