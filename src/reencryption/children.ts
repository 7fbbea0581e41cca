/** Tables that inherit from a declared one: a SELECT from it shows their rows, which have keys of their own. */
import { KeyturnError } from '../domain/errors.js';
import type { ColumnFacts } from './column-facts.js';

/** @throws KeyturnError `undeclared-children`: every one is declared by itself, or half of what people see stays under the old key. */
export function demandChildren(columns: readonly ColumnFacts[]): void {
  const missing = columns.flatMap((facts) =>
    facts.children.filter((child) => !columns.some(isColumnOf(child, facts))).map((child) => ({ facts, child })),
  );
  if (missing.length === 0) return;
  const said = missing.map(({ facts, child }) => `${child} inherits from ${facts.schema}.${facts.table}`);
  const wanted = missing.map(({ facts, child }) => declarationOf(child, facts.column, facts.path));
  throw new KeyturnError('undeclared-children', `${said.join('; ')}, and its rows are not declared`, {
    hint: `each such table has rows and a key of its own; add to encryption.columns: ${wanted.join(', ')}`,
  });
}

function isColumnOf(child: string, { column, path }: ColumnFacts): (other: ColumnFacts) => boolean {
  return (other) =>
    `${other.schema}.${other.table}` === child &&
    other.column === column &&
    JSON.stringify(other.path) === JSON.stringify(path);
}

/** As the inventory takes it. */
export function declarationOf(table: string, column: string, path: readonly string[] | null): string {
  return `{ table: ${yaml(table)}, column: ${yaml(column)}${path ? `, path: [${path.map(yaml).join(', ')}]` : ''} }`;
}

function yaml(text: string): string {
  return /^[A-Za-z_][A-Za-z0-9_.]*$/.test(text) ? text : JSON.stringify(text);
}
