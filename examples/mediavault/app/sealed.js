/**
 * AES-256-GCM for one column: `v1:nonce:tag:ciphertext`, each in base64. The provider's name is authenticated with it. With a second
 * key, values under either are read; new ones are written under the first.
 */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';

/** @param {string[]} keys any texts of 32 characters or more, each reduced to 256 bits by SHA-256. */
export function createSeal(keys) {
  const [first, ...others] = keys.map((key) => createHash('sha256').update(key).digest());
  return {
    /** @param {string} plaintext @param {string} provider */
    seal(plaintext, provider) {
      const nonce = randomBytes(12);
      const cipher = createCipheriv('aes-256-gcm', first, nonce).setAAD(Buffer.from(provider));
      const ciphertext = Buffer.concat([cipher.update(plaintext, 'utf8'), cipher.final()]);
      return ['v1', ...[nonce, cipher.getAuthTag(), ciphertext].map((part) => part.toString('base64'))].join(':');
    },
    /** @param {string} sealed @param {string} provider @returns {string | undefined} undefined when no key opens it. */
    open(sealed, provider) {
      const [version, ...parts] = sealed.split(':');
      if (version !== 'v1' || parts.length !== 3) return undefined;
      for (const bits of [first, ...others]) {
        const plaintext = opened(bits, parts, provider);
        if (plaintext !== undefined) return plaintext;
      }
      return undefined;
    },
  };
}

/** @param {Buffer} bits @param {string[]} parts @param {string} provider */
function opened(bits, parts, provider) {
  const [nonce, tag, ciphertext] = parts.map((part) => Buffer.from(part, 'base64'));
  try {
    const decipher = createDecipheriv('aes-256-gcm', bits, nonce, { authTagLength: 16 });
    decipher.setAAD(Buffer.from(provider)).setAuthTag(tag);
    return Buffer.concat([decipher.update(ciphertext), decipher.final()]).toString('utf8');
  } catch {
    return undefined;
  }
}
