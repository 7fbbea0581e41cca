/** The one place that knows which cipher is which file. */
import type { ValueFormat } from '../domain/specs/ciphertext.js';
import type { Reader, Reencryptor } from './cipher.js';
import { fernetFinder } from './fernet-finder.js';
import { fernetReader } from './fernet-reader.js';
import { fernetReencryptor } from './fernet-reencryptor.js';
import type { Finder } from './finder.js';
import { gcmFinder } from './gcm-finder.js';
import { checkGcmFormat } from './gcm-layout.js';
import { gcmReader } from './gcm-reader.js';
import { gcmReencryptor } from './gcm-reencryptor.js';

/**
 * @param keys 32 bytes each, from `deriveKey`; the two differ.
 * @throws KeyturnError `bad-format` for a layout that cannot be told apart.
 */
export function openReencryptor(
  format: ValueFormat,
  keys: { readonly from: Buffer; readonly to: Buffer },
): Reencryptor {
  return format.cipher === 'fernet' ? fernetReencryptor(keys) : gcmReencryptor(format, keys);
}

/** @param key 32 bytes, from `deriveKey`. @throws KeyturnError as openReencryptor. */
export function openReader(format: ValueFormat, key: Buffer): Reader {
  if (format.cipher === 'fernet') return fernetReader(key);
  checkGcmFormat(format);
  return gcmReader(format, key);
}

/** @param key 32 bytes, from `deriveKey`. @throws KeyturnError as openReencryptor. */
export function openFinder(format: ValueFormat, key: Buffer): Finder {
  if (format.cipher === 'fernet') return fernetFinder(key);
  checkGcmFormat(format);
  return gcmFinder(format, key);
}
