/** What people should know before an encryption key is rotated (documents 000, 001, 004). */
import type { FoundSecret } from './find.js';

export function encryptionInWords({ environment, secret }: FoundSecret): (string | false)[] {
  const { encryption } = secret;
  if (!encryption) return [];
  const development = environment.tier === 'development';
  return [
    encryption.mode === 'atomic'
      ? `${secret.services.join(', ')} are stopped while all rows are re-encrypted in one transaction`
      : 'the services have both keys while the rows are re-encrypted batch by batch; nothing is stopped',
    encryption.mode === 'atomic' &&
      !secret.maintenanceWindow &&
      !development &&
      'no maintenance window is declared: the services are stopped as soon as the run comes to it',
    !development &&
      !secret.approval.gates.includes('retire') &&
      'no gate "retire": the old key is destroyed without a decision once no row needs it',
    (secret.verify ?? []).length === 0 &&
      'no check is named under verify: that the application itself decrypts will not be shown',
  ];
}
