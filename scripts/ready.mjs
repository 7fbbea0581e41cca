#!/usr/bin/env node
/**
 * Makes a clone ready to run, and does nothing when it is: dependencies as package-lock.json says, dist/ as src/ says,
 * and the workflow bundle as dist/workflows says (a worker starts in 0.9 s from it, against 2.2 s bundling by itself).
 * Plain node without dependencies: it runs before there are any.
 *
 *   node scripts/ready.mjs            what is out of date
 *   node scripts/ready.mjs --force    compile and bundle again whatever their state
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { withFileLock } from './file-lock.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const at = (...path) => join(root, ...path);
const STAMPS = at('dist', '.ready.json');
const BUNDLE = at('dist', 'workflow-bundle.js');

class NotReady extends Error {
  constructor(message, hint) {
    super(message);
    this.hint = hint;
  }
}

try {
  needNode();
  const force = process.argv.includes('--force');
  // Looked at first without the lock: when nothing changed, nothing is written and nobody waits.
  if (force || !isReady()) {
    await withFileLock(
      at('.keyturn', 'ready.lock'),
      () => makeReady(force),
      () => say('another copy is preparing this clone, waiting for it'),
    );
  }
} catch (error) {
  if (!(error instanceof NotReady)) throw error;
  process.stderr.write(`error: ${error.message}\nhint: ${error.hint}\n`);
  process.exitCode = 1;
}

function isReady() {
  if (!dependenciesMatch()) return false;
  const stamps = readStamps();
  return stamps.sources === sourcesDigest() && stamps.bundle === bundleDigest() && bundleIsThere();
}

async function makeReady(force) {
  if (!dependenciesMatch()) installDependencies();
  const stamps = force ? {} : readStamps();
  const sources = sourcesDigest();
  if (stamps.sources !== sources) {
    compile();
    writeStamps({ ...stamps, sources });
  }
  const bundle = bundleDigest();
  if (stamps.bundle !== bundle || !bundleIsThere()) {
    await bundleWorkflows();
    writeStamps({ sources, bundle });
  }
}

function needNode() {
  const wanted = readJson(at('package.json')).engines.node.replace('>=', '');
  const [wantedMajor = 0, wantedMinor = 0] = wanted.split('.').map(Number);
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)) return;
  throw new NotReady(
    `Keyturn needs Node.js ${wanted} or newer, this is ${process.versions.node}`,
    'install a newer Node.js and run the same command again',
  );
}

/** What npm wrote into node_modules last, at the very end of an installation, against what the lock file asks for. */
function dependenciesMatch() {
  const wanted = readJson(at('package-lock.json')).packages;
  const manifest = readJson(at('package.json'));
  for (const group of ['dependencies', 'devDependencies']) {
    const locked = JSON.stringify(sorted(wanted[''][group]));
    if (locked !== JSON.stringify(sorted(manifest[group]))) {
      throw new NotReady(
        `package.json and package-lock.json disagree on ${group}`,
        'run `npm install` and commit both files',
      );
    }
  }
  const hidden = at('node_modules', '.package-lock.json');
  if (!existsSync(hidden)) return false;
  const installed = readJson(hidden).packages;
  return Object.entries(wanted).every(([path, entry]) => {
    if (path === '') return true;
    const found = installed[path];
    // Optional packages are those of other platforms.
    if (found === undefined) return entry.optional === true || entry.devOptional === true;
    return found.version === entry.version && found.integrity === entry.integrity;
  });
}

function installDependencies() {
  const started = say('installing dependencies (npm ci)');
  const clean = run('npm', ['ci', '--no-audit', '--no-fund', '--include=dev', '--loglevel=error']);
  if (clean.status !== 0) {
    throw new NotReady(
      `npm ci failed\n${tail(clean)}`,
      'check that the npm registry can be reached, then run the same command again',
    );
  }
  if (!dependenciesMatch())
    throw new NotReady(
      'npm ci ended without installing what package-lock.json asks for',
      'run `npm ci` by hand and read what it says',
    );
  took(started);
}

function compile() {
  const started = say('compiling');
  const compiler = at('node_modules', 'typescript', 'bin', 'tsc');
  const result = run(process.execPath, [compiler, '-p', at('tsconfig.json'), '--pretty', 'false']);
  if (result.status !== 0)
    throw new NotReady(`the sources do not compile\n${tail(result)}`, 'correct the lines named above');
  removeOrphans();
  took(started);
}

/** tsc leaves the output of a source that was removed or renamed; it could still be imported. */
function removeOrphans() {
  for (const file of filesIn(at('dist'))) {
    const source = /^(.*)\.js(\.map)?$/.exec(relative(at('dist'), file))?.[1];
    if (source === undefined || file === BUNDLE) continue;
    if (!existsSync(at('src', `${source}.ts`))) rmSync(file, { force: true });
  }
}

async function bundleWorkflows() {
  const workflows = at('dist', 'workflows', 'index.js');
  if (!existsSync(workflows)) {
    rmSync(BUNDLE, { force: true });
    return;
  }
  const started = say('bundling workflows');
  // Resolved from node_modules at this moment: npm may have just put it there.
  const { bundleWorkflowCode } = await import(
    pathToFileURL(at('node_modules', '@temporalio', 'worker', 'lib', 'index.js')).href
  );
  const silent = Object.fromEntries(
    ['log', 'trace', 'debug', 'info', 'warn', 'error'].map((level) => [level, () => undefined]),
  );
  const preloadModules = [at('dist', 'workflows', 'shared.js')];
  const { code } = await bundleWorkflowCode({ workflowsPath: workflows, preloadModules, logger: silent }).catch(
    (error) => {
      throw new NotReady(
        `the workflows cannot be bundled\n${String(error?.message ?? error)}`,
        'a workflow may import only what is deterministic: no Node.js module, no adapter',
      );
    },
  );
  replaceFile(BUNDLE, withoutSources(code));
  took(started);
}

/** Places in the sources are looked up in its source map; the sources that it quotes would only take 25 MB of each worker. */
function withoutSources(code) {
  const [body = '', map = ''] = code.split(/(?<=\n\/\/# sourceMappingURL=data:[^,]*base64,)(?=[\w+/=]+\s*$)/);
  const { sourcesContent, ...rest } = JSON.parse(Buffer.from(map, 'base64').toString());
  if (!Array.isArray(sourcesContent)) throw new Error('the bundle has another source map than expected');
  return `${body}${Buffer.from(JSON.stringify(rest)).toString('base64')}\n`;
}

function bundleIsThere() {
  return existsSync(BUNDLE) || !existsSync(at('dist', 'workflows', 'index.js'));
}

function sourcesDigest() {
  return digest([at('tsconfig.json'), at('package-lock.json'), ...filesIn(at('src'))]);
}

function bundleDigest() {
  const compiled = ['workflows', 'domain'].flatMap((folder) => filesIn(at('dist', folder)));
  return digest([at('package-lock.json'), ...compiled.filter((file) => file.endsWith('.js'))]);
}

/** By content, not by time: a checkout touches every file. About 10 ms for all of src. */
function digest(files) {
  const hash = createHash('sha256').update(process.versions.node.split('.')[0] ?? '');
  for (const file of files.sort()) {
    hash.update(`\0${relative(root, file).split(sep).join('/')}\0`).update(readFileSync(file));
  }
  return hash.digest('hex');
}

function filesIn(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return filesIn(path);
    return entry.isFile() ? [path] : [];
  });
}

function readStamps() {
  try {
    return readJson(STAMPS);
  } catch {
    // Missing, or cut short by a crash: everything is made again.
    return {};
  }
}

function writeStamps(stamps) {
  mkdirSync(dirname(STAMPS), { recursive: true });
  replaceFile(STAMPS, JSON.stringify(stamps));
}

function replaceFile(path, content) {
  const whole = `${path}.${String(process.pid)}.tmp`;
  writeFileSync(whole, content);
  renameSync(whole, path);
}

function run(command, args) {
  const result = spawnSync(command, args, {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 64 * 1024 * 1024,
  });
  if (result.error !== undefined)
    throw new NotReady(
      `${command} cannot be started: ${result.error.message}`,
      `install ${command} and run the same command again`,
    );
  return result;
}

function tail(result) {
  return `${result.stdout}${result.stderr}`.trim().split('\n').slice(-40).join('\n');
}

function sorted(record) {
  return Object.entries(record ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
}

function readJson(path) {
  return JSON.parse(readFileSync(path, 'utf8'));
}

function say(text) {
  process.stderr.write(`keyturn: ${text}\n`);
  return Date.now();
}

function took(started) {
  process.stderr.write(`keyturn: … ${((Date.now() - started) / 1000).toFixed(1)} s\n`);
}
