/**
 * One AES-256-GCM value under one key, in the plainest way. Takes the value apart by itself, without the reencryptor's layout code:
 * it is what the reencryptor's work is verified with.
 */
import { createDecipheriv, createHash } from 'node:crypto';
import type { GcmFormat } from '../domain/specs/ciphertext.js';
import type { Reader } from './cipher.js';

const DIGITS = {
  hex: /^(?:[0-9a-fA-F]{2})*$/,
  base64: /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?$/,
  base64url: /^(?:[A-Za-z0-9_-]{4})*(?:[A-Za-z0-9_-]{2}(?:==)?|[A-Za-z0-9_-]{3}=?)?$/,
} as const;

/** @param key 32 bytes. */
export function gcmReader(format: GcmFormat, key: Buffer): Reader {
  const id = createHash('sha256').update(key).digest('hex').slice(0, 8);
  const prefix = Buffer.from(format.prefix.replaceAll('${key.id}', id));
  return {
    reads(value, associated) {
      if (!value.subarray(0, prefix.length).equals(prefix)) return false;
      const parts = split(format, value.subarray(prefix.length));
      if (parts === null) return false;
      const [iv, tag, ciphertext] = parts;
      if (iv.length !== format.ivLength || tag.length !== 16) return false;
      const decipher = createDecipheriv('aes-256-gcm', key, iv, { authTagLength: 16 });
      decipher.setAuthTag(tag);
      if (associated !== null) decipher.setAAD(associated);
      try {
        decipher.update(ciphertext);
        decipher.final();
        return true;
      } catch {
        return false;
      }
    },
  };
}

/** @returns iv, tag and ciphertext. */
function split(format: GcmFormat, stored: Buffer): [Buffer, Buffer, Buffer] | null {
  const pieces: Buffer[] = [];
  if (format.separator === undefined) {
    const bytes = read(stored, format.encoding);
    if (bytes === null) return null;
    let rest = bytes;
    for (const [place, part] of format.layout.entries()) {
      const after = format.layout.slice(place + 1).reduce((sum, next) => sum + fixedSize(format, next), 0);
      const size = part === 'ciphertext' ? rest.length - after : fixedSize(format, part);
      if (size < 0 || size > rest.length) return null;
      pieces.push(rest.subarray(0, size));
      rest = rest.subarray(size);
    }
  } else {
    const texts = stored.toString('latin1').split(Buffer.from(format.separator).toString('latin1'));
    if (texts.length !== 3) return null;
    for (const text of texts) {
      const bytes = read(Buffer.from(text, 'latin1'), format.encoding);
      if (bytes === null) return null;
      pieces.push(bytes);
    }
  }
  const at = (part: GcmFormat['layout'][number]): Buffer => pieces[format.layout.indexOf(part)] ?? Buffer.alloc(0);
  return [at('iv'), at('tag'), at('ciphertext')];
}

function fixedSize(format: GcmFormat, part: GcmFormat['layout'][number]): number {
  return { iv: format.ivLength, tag: 16, ciphertext: 0 }[part];
}

function read(stored: Buffer, encoding: GcmFormat['encoding']): Buffer | null {
  if (encoding === 'binary') return stored;
  const text = stored.toString('latin1');
  if (!DIGITS[encoding].test(text)) return null;
  const bytes = Buffer.from(text, encoding);
  // What the last digit has beyond the last byte is zero, or it was not written like that.
  const again = bytes.toString(encoding);
  return encoding === 'hex' || again.replace(/=+$/, '') === text.replace(/=+$/, '') ? bytes : null;
}
