/** The workflow types that a worker registers: the runbooks. */
export { rotateSessionSecret } from './rotate-session-secret.js';
export { swapDatabaseCredential } from './swap-database-credential.js';
export { backUpSecrets } from './back-up-secrets.js';
export { recoverLostKey } from './recover-lost-key.js';
export { previewRotation } from './preview-rotation.js';
export { holdService } from './hold-service.js';
export { rotateEncryptionKey } from './rotate-encryption-key.js';
