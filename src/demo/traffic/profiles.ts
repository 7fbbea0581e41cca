/** How people use each system: what they read and write, how they stay signed in, and how many of them there are. */
import type { ExampleName } from '../systems/blueprints.js';
import { bearerCredentials, cookieCredentials, tokenCredentials } from './credentials.js';
import type { Credentials, Pages } from './person.js';

export interface Profile {
  readonly pages: Pages;
  /** @param url of the system. */
  readonly credentials: (url: string) => Credentials;
  /** People signed in at the same time, and requests a second of all of them together, unless asked for otherwise. */
  readonly people: number;
  readonly rate: number;
}

const titled = (username: string, turn: number): unknown => ({ title: `${username} ${turn}` });
const FEW = { people: 4, rate: 20 };

export const PROFILES: Readonly<Record<ExampleName, Profile>> = {
  mediavault: {
    pages: { reads: ['/api/auth/me', '/api/media'], write: '/api/media', body: titled },
    credentials: cookieCredentials,
    ...FEW,
  },
  'mgmt-vibe': {
    pages: { reads: ['/api/auth/me', '/api/tasks'], write: '/api/tasks', body: titled },
    credentials: cookieCredentials,
    ...FEW,
  },
  hms: {
    pages: { reads: ['/api/me', '/api/bookings'], write: '/api/bookings', body: titled },
    credentials: tokenCredentials,
    ...FEW,
  },
  arena: {
    pages: { reads: ['/api/me', '/api/queries'], write: '/api/queries', body: titled },
    credentials: bearerCredentials,
    ...FEW,
  },
  messaging: {
    pages: {
      reads: ['/api/me', '/api/messages'],
      write: '/api/messages',
      body: (username, turn, everybody) => ({
        to: everybody[turn % everybody.length] ?? username,
        text: `${username} ${turn}`,
      }),
    },
    credentials: tokenCredentials,
    // A swap of the database role is to be seen under at least 50 requests a second.
    people: 8,
    rate: 60,
  },
};
