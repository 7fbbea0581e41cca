import { serve } from '../../lib/serve.js';
import { createMediavault } from './mediavault.js';

await serve({ name: 'mediavault', port: 3000, create: createMediavault });
