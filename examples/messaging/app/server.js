import { serve } from '../../lib/serve.js';
import { createMessaging } from './messaging.js';

await serve({ name: 'messaging', port: 5000, create: createMessaging });
