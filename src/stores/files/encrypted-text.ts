/** Files whose values are kept encrypted, by a tool that alone may write them: what stands there is no value. */
import { KeyturnError } from '../../domain/errors.js';

const ASSIGNED = String.raw`^[ \t]*(?:export[ \t]+)?[\w.-]{1,200}[ \t]*[=:][ \t]*["']?`;

const TOOLS: readonly (readonly [name: string, mark: RegExp])[] = [
  [
    'SOPS',
    new RegExp(
      `${ASSIGNED}ENC\\[AES256_GCM,|^ENC\\[AES256_GCM,|^sops_(?:mac|version)=|^sops:[ \\t]*$|^[ \\t]*"sops":`,
      'm',
    ),
  ],
  [
    'dotenvx',
    new RegExp(`${ASSIGNED}encrypted:|^encrypted:|^[ \\t]*(?:export[ \\t]+)?DOTENV_PUBLIC_KEY\\w{0,100}[ \\t]*=`, 'm'),
  ],
  ['Ansible Vault', /^\$ANSIBLE_VAULT;/m],
  ['age', /^-----BEGIN AGE ENCRYPTED FILE-----|^age-encryption\.org\/v1/m],
  ['PGP', /^-----BEGIN PGP MESSAGE-----/m],
  ['git-crypt', /^\u0000GITCRYPT/],
];

/** @throws KeyturnError `malformed`, by the tool's name and the line. */
export function assertPlaintext(text: string, path: string): void {
  for (const [tool, mark] of TOOLS) {
    const found = mark.exec(text);
    if (!found) continue;
    const line = text.slice(0, found.index).split('\n').length;
    throw new KeyturnError('malformed', `${path}:${line}: is encrypted by ${tool}, which alone may write it`, {
      hint: `name the decrypted file that the services read, or rotate the value with ${tool} by hand`,
    });
  }
}
