import { serve } from '../../lib/serve.js';
import { createMgmtVibe } from './mgmt-vibe.js';

await serve({ name: 'mgmt-vibe', port: 8080, create: createMgmtVibe });
