/** The lines of a PostgreSQL log, in its three formats: is this one that FATAL message, and where did the client come from? */

export type LogFormat = 'stderr' | 'csvlog' | 'jsonlog';

/**
 * @param prefix log_line_prefix, which says where in a plain line the address stands (%h or %r), if it does.
 * @returns undefined: another line; null: that message, and the line does not tell the address.
 */
export function addressIn(line: string, message: string, format: LogFormat, prefix: string): string | null | undefined {
  if (format === 'jsonlog') return fromJson(line, message);
  if (format === 'csvlog') return fromCsv(line, message);
  const end = `FATAL:  ${message}`;
  // What belongs to the line before is indented: a statement may hold anything, also this text.
  if (!line.endsWith(end) || line.startsWith('\t')) return undefined;
  return prefixPattern(prefix).exec(line.slice(0, -end.length))?.groups?.address ?? null;
}

function fromJson(line: string, message: string): string | null | undefined {
  try {
    const entry = JSON.parse(line) as Readonly<Record<string, unknown>>;
    if (entry.error_severity !== 'FATAL' || entry.message !== message) return undefined;
    return typeof entry.remote_host === 'string' ? entry.remote_host : null;
  } catch {
    return undefined;
  }
}

/** Columns as documented ("Using CSV-Format Log Output"), counted from 0. */
const CSV = { connectionFrom: 4, severity: 11, message: 13 };

function fromCsv(line: string, message: string): string | null | undefined {
  const fields = [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,"]*))/g)].map(
    ([, quoted, bare]) => quoted?.replaceAll('""', '"') ?? bare ?? '',
  );
  if (fields[CSV.severity] !== 'FATAL' || fields[CSV.message] !== message) return undefined;
  const from = fields[CSV.connectionFrom] ?? '';
  return from === '' ? null : from.replace(/:\d+$/, '');
}

const TIME = '\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d(?:\\.\\d+)? \\S+?';
/** Those with separators inside, which would otherwise be taken for the prefix's own. */
const SHAPES: Readonly<Record<string, string>> = { t: TIME, m: TIME, s: TIME, n: '\\d+\\.\\d+', p: '\\d+' };

/** `%m [%p] %h ` as a pattern. Other escapes than these are whatever they are; %-20h and %20h are padded. */
function prefixPattern(prefix: string): RegExp {
  let seen = false;
  const source = prefix.replaceAll(/%(-?\d+)?([A-Za-z%])|[\s\S]/g, (text, _padding, escape: string | undefined) => {
    if (escape === undefined) return text.replaceAll(/[.*+?^${}()|[\]\\/]/g, '\\$&');
    if (escape === '%') return '%';
    if (escape === 'q') return '';
    if (!['h', 'r'].includes(escape) || seen) return SHAPES[escape] ?? '.*?';
    seen = true;
    return escape === 'h' ? '\\s*(?<address>[^\\s(]+?)\\s*' : '\\s*(?<address>[^\\s(]+)(?:\\(\\d+\\))?\\s*';
  });
  return new RegExp(`^${source}$`);
}
