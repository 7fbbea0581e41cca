/** The project's own code as programs to start and kill: a fresh build of src/, apart from dist/, which may be older. */
import { cp, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { execa } from 'execa';

const ROOT = resolve(import.meta.dirname, '../..');

export interface Build {
  /** Laid out like a clone: dist/, scripts/, package.json, node_modules. */
  readonly directory: string;
  remove(): Promise<void>;
}

/** @param parent defaults to a place inside this clone; elsewhere, node_modules is linked to this clone's. */
export async function compiledProject(parent: string = join(ROOT, '.keyturn')): Promise<Build> {
  await mkdir(parent, { recursive: true });
  const directory = await mkdtemp(join(parent, 'build-'));
  await cp(join(ROOT, 'scripts'), join(directory, 'scripts'), { recursive: true });
  await cp(join(ROOT, 'package.json'), join(directory, 'package.json'));
  await symlink(join(ROOT, 'node_modules'), join(directory, 'node_modules'));
  // Types are another check's business (npm run lint); this one takes a second.
  const options = ['--noCheck', '--incremental', 'false', '--tsBuildInfoFile', 'null', '--sourceMap', 'false'];
  const compiler = join(ROOT, 'node_modules', '.bin', 'tsc');
  await execa(compiler, ['-p', join(ROOT, 'tsconfig.json'), '--outDir', join(directory, 'dist'), ...options]);
  return { directory, remove: () => rm(directory, { recursive: true, force: true }) };
}
