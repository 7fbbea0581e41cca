import { describe, expect, test } from 'vitest';
import { addressIn } from '../../../src/databases/access/log-formats.js';

const MESSAGE = 'role "app_v1" is not permitted to log in';
const FATAL = `FATAL:  ${MESSAGE}`;

describe('plain lines', () => {
  test.each([
    ['%m [%p] ', `2026-11-21 19:22:33.123 UTC [4711] ${FATAL}`, null],
    ['%m [%p] %h ', `2026-11-21 19:22:33.123 UTC [4711] 10.0.0.5 ${FATAL}`, '10.0.0.5'],
    ['%t:%r:%u@%d:[%p]: ', `2026-11-21 19:22:33 UTC:10.0.0.5(51234):app_v1@app:[4711]: ${FATAL}`, '10.0.0.5'],
    ['%m [%p] %q%u@%d %h ', `2026-11-21 19:22:33.1 UTC [4711] app_v1@app fe80::1%eth0 ${FATAL}`, 'fe80::1%eth0'],
    ['%-20h|%p ', `10.0.0.5            |4711 ${FATAL}`, '10.0.0.5'],
    ['(%p) $%h^ %% ', `(4711) $10.0.0.5^ % ${FATAL}`, '10.0.0.5'],
    ['%h ', `[local] ${FATAL}`, '[local]'],
    ['', FATAL, null],
  ])('with log_line_prefix %j', (prefix, line, address) => {
    expect(addressIn(line, MESSAGE, 'stderr', prefix)).toBe(address);
  });

  test.each([
    `x FATAL:  role "app_v10" is not permitted to log in`,
    `x LOG:  role "app_v1" is not permitted to log in`,
    `\t${FATAL}`,
    `x ${FATAL} at all`,
  ])('another line: %j', (line) => {
    expect(addressIn(line, MESSAGE, 'stderr', 'x ')).toBeUndefined();
  });
});

describe('csv', () => {
  const line = (message: string, severity = 'FATAL', from = '10.0.0.5:51234'): string =>
    `2026-11-21 19:22:33.123 UTC,"app_v1","app",4711,"${from}",67.1,2,"authentication",2026-11-21 19:22:33 UTC,3/2,0,${severity},28000,"${message.replaceAll('"', '""')}",,,,,,,,,"","client backend",,0`;
  test('is read by its columns', () => {
    expect(addressIn(line(MESSAGE), MESSAGE, 'csvlog', '')).toBe('10.0.0.5');
    expect(addressIn(line(MESSAGE, 'FATAL', '[local]'), MESSAGE, 'csvlog', '')).toBe('[local]');
    expect(addressIn(line(MESSAGE, 'LOG'), MESSAGE, 'csvlog', '')).toBeUndefined();
    expect(addressIn(line(`statement: ${FATAL}`), MESSAGE, 'csvlog', '')).toBeUndefined();
    expect(addressIn('a line of, "a statement', MESSAGE, 'csvlog', '')).toBeUndefined();
  });
});

describe('json', () => {
  const line = (entry: object): string => JSON.stringify({ error_severity: 'FATAL', message: MESSAGE, ...entry });
  test('is read by its names', () => {
    expect(addressIn(line({ remote_host: '10.0.0.5', remote_port: 1 }), MESSAGE, 'jsonlog', '')).toBe('10.0.0.5');
    expect(addressIn(line({}), MESSAGE, 'jsonlog', '')).toBeNull();
    expect(addressIn(line({ error_severity: 'LOG' }), MESSAGE, 'jsonlog', '')).toBeUndefined();
    expect(addressIn(line({}).slice(0, -4), MESSAGE, 'jsonlog', '')).toBeUndefined();
  });
});
