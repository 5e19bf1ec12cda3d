// The session of docs/tutorial.md as requests to click, one after the other. Its commands are read, not copied: a test
// runs them as they stand there.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const TUTORIAL = join(import.meta.dirname, '../../../docs/tutorial.md');
const SERVICE = /^(http:\/\/)?localhost:4000/;
const BLOCK = /((?:[^\n]+\n)+)\n```console\n([\s\S]*?)```/g;

/** As items of a Postman collection, which look at the status that is printed, and keep what later ones need. */
export function tutorialSession() {
  return [...readFileSync(TUTORIAL, 'utf8').matchAll(BLOCK)].flatMap(([, prose, block]) =>
    itemsOf(block, prose.trim().replaceAll('\n', ' ')),
  );
}

function itemsOf(block, prose) {
  const items = [];
  for (const part of block.split(/^\$ /m).slice(1)) {
    const [command, ...printed] = part.split('\n');
    const [, name, inner = command] = /^(\w+)=\$\((.*)\)$/.exec(command) ?? [];
    const field = /^node -p 'JSON\.parse\(process\.argv\[1\]\)\.(\w+)'/.exec(inner)?.[1];
    if (field !== undefined) {
      keep(items.at(-1), name, `pm.response.json().${field}`);
    } else if (/\bcurl\b/.test(inner)) {
      const loop = /^for \w+ in (.*?); do (.*); done$/.exec(inner);
      const statuses = loop ? printed.join(' ').trim().split(' ') : [statusIn(printed.join('\n'))];
      if (loop && statuses.length !== loop[1].split(' ').length) throw new Error(`no status each: ${command}`);
      for (const status of statuses) items.push(itemOf(loop ? loop[2] : inner, prose, status));
      if (name !== undefined) keep(items.at(-1), name, 'pm.response.text()');
    } else if (!inner.startsWith('echo ')) {
      throw new Error(`not understood: ${command}`);
    }
  }
  return items;
}

/** Errors say their status; what succeeded does not. */
const statusIn = (printed) => /"status":(\d{3})/.exec(printed)?.[1] ?? '2..';

function itemOf(command, description, status) {
  const [, ...words] = wordsOf(command.replace(/\|.*$/, ''));
  const request = { method: 'GET', header: [], description };
  while (words.length > 0) {
    const word = words.shift();
    if (word === '-X') request.method = words.shift();
    else if (word === '-H') request.header.push(headerOf(words.shift()));
    else if (word === '-d') request.body = { mode: 'raw', raw: words.shift(), options: { raw: { language: 'json' } } };
    else if (word === '-o' || word === '-w') words.shift();
    else if (SERVICE.test(word)) request.url = word.replace(SERVICE, '{{baseUrl}}');
    else if (word !== '-s') throw new Error(`not understood: ${word} in ${command}`);
  }
  const test = `pm.test('answers ${status}', () => pm.expect(String(pm.response.code)).to.match(/^${status}$/));`;
  const name = `${request.method} ${request.url.replace('{{baseUrl}}', '')}`;
  return { name, event: [{ listen: 'test', script: { type: 'text/javascript', exec: [test] } }], request };
}

const keep = (item, name, value) => item.event[0].script.exec.push(`pm.collectionVariables.set('${name}', ${value});`);

function headerOf(line) {
  const [key, value] = line.split(': ');
  return { key, value };
}

/** As the shell reads them, its variables as Postman writes its own. */
const wordsOf = (command) =>
  [...command.matchAll(/'([^']*)'|"((?:[^"\\]|\\.)*)"|(\S+)/g)].map(([, quoted, doubly, bare]) =>
    quoted === undefined ? withVariables((doubly ?? bare).replaceAll(/\\(.)/g, '$1')) : quoted,
  );

const withVariables = (word) => word.replaceAll(/\$(\w+)/g, '{{$1}}');
