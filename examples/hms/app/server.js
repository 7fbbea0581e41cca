import { serve } from '../../lib/serve.js';
import { createHms } from './hms.js';

await serve({ name: 'hms', port: 4000, create: createHms });
