import { expect, test } from 'vitest';
import { Origins } from '../../src/checks/origins.js';

test('a host that was captured, whole or in part, must be known already', () => {
  const origins = new Origins(['https://sso.example']);
  origins.admit('https://app.example/login', 'https://app.example/login');
  // A worker's own setting or input is the inventory's word.
  origins.admit('${inputs.base}/me', 'http://localhost:3000/me');
  for (const [written, filled] of [
    ['${captured.next}', 'https://app.example/next'],
    ['${captured.next}', 'http://localhost:3000/next'],
    ['${captured.next}', 'https://sso.example/authorize?x=1'],
    ['https://app.example/${captured.path}', 'https://app.example/a%2Fb'],
    ['https://${captured.host}/x', 'https://app.example/x'],
  ] as const)
    expect(() => origins.admit(written, filled)).not.toThrow();
  for (const [written, filled] of [
    ['${captured.next}', 'https://evil.example/collect'],
    ['${captured.next}', 'http://app.example/next'],
    ['${captured.next}', 'https://app.example:8443/next'],
    ['${captured.next}', 'https://app.example@evil.example/next'],
    ['https://${captured.host}/x', 'https://evil.example/x'],
    ['https://app.${captured.domain}/x', 'https://app.evil.example/x'],
  ] as const)
    expect(() => origins.admit(written, filled)).toThrow(expect.objectContaining({ code: 'other-origin' }));
});
