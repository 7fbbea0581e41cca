/**
 * What goes wrong around a rotation, what must hold then, and the tests that hold it: docs/reliability.md is made of this.
 * A test is named by its file, without what says in which suite it runs, and a title in it.
 */
export interface Failure {
  readonly what: string;
  readonly holds: string;
  /** `file › title` below test/. None: nothing holds it yet, and `why` says so. */
  readonly tests: readonly string[];
  readonly why?: string;
}

/** Every call of a runbook, against one world. */
const matrix = (file: string): string =>
  `order/${file} › each call disturbed in each way, and each gate said no to: the invariants hold`;
const [SESSION, DATABASE, KEY, OTHERS] = [
  'session-secrets',
  'database-credentials',
  'encryption-keys',
  'other-runbooks',
].map(matrix) as [string, string, string, string];
const MATRIX = [SESSION, DATABASE, KEY, OTHERS];
const CRASHED = 'with each step crashed %s ends as if nothing had been';

export const FAILURES: Readonly<Record<string, readonly Failure[]>> = {
  'Workers, Temporal and time': [
    {
      what: 'A worker dies before a step has had its effect',
      holds: 'Another takes the step on, and the run ends as if nothing had been',
      tests: [
        ...MATRIX,
        `workflows/swap/crashed › ${CRASHED}`,
        `workflows/encryption/disturbed › ${CRASHED}`,
        'e2e/crash › a worker killed at five steps and a Temporal server killed at the gate change nothing in the world',
      ],
    },
    {
      what: 'A worker dies after the effect, or its answer is lost',
      holds: 'The step is found done: nothing is generated, dropped or recorded twice',
      tests: [
        ...MATRIX,
        `workflows/encryption/recovery-disturbed › ${CRASHED}`,
        'ledger/postgres-ledger › an answer that was lost after the commit: the retry finds the row',
        'reencryption/atomic › an answer to the commit that is lost: the effect is unknown, and a second call finds everything new',
      ],
    },
    {
      what: 'Two attempts at one step are alive, since the first only looked dead',
      holds: 'The stale one writes nothing',
      tests: [
        'stores/dotenv-store › a paused attempt that lost its lock writes nothing when it goes on',
        'deployers/one-at-a-time › a deploy that takes over from a killed worker waits for the deploy that the worker has left running',
      ],
    },
    {
      what: 'A secret is rotated by two people at once',
      holds: 'One run holds it; whoever comes second is told which',
      tests: [
        'e2e/ui › a second start of the same secret is refused by the form, with a link to the run that holds it',
        'cli/runs › holds the secret: a second start is told which run, and exits 1',
      ],
    },
    {
      what: 'Two secrets of one service are rotated at once',
      holds: 'Deploys of a service come one after the other, and a response to a leak first',
      tests: [
        'workflows/service-lock › waits before it changes anything, says for whom, and goes on when the first is through',
        'activities/service-locks › after a leak comes before all that wait for routine',
        ...MATRIX,
      ],
    },
    {
      what: 'A leak is reported while a routine rotation of the same secret goes on',
      holds: 'The response takes over, and nothing of both is interleaved',
      tests: [],
      why: 'a run for a leak is told who holds the secret, and people cancel that one; it does not take over by itself',
    },
    {
      what: 'A run is cancelled, at any step',
      holds: 'Before the point of no return all is undone; after it nothing is, and the run goes through',
      tests: [
        ...MATRIX,
        'workflows/swap/cancelled › cancelled in each step before the point of no return, %s: the world is as before',
        'workflows/swap/cancelled › cancelled in each step from the point of no return on: it goes through all the same',
      ],
    },
    {
      what: 'A run is terminated, so that nothing of it is undone',
      holds: 'The next run finds what it left, and completes it or takes it back',
      tests: [
        ...MATRIX,
        'workflows/swap/terminated › terminated after each step: the next run completes it, and asks before it drops a role that is shut out',
        'workflows/encryption/disturbed › terminated after each step: the next run goes on with its key, and completes',
        'workflows/swap/taken-over › %s, at promote: the services are back on the old role',
      ],
    },
    {
      what: 'A new build is deployed, and Temporal is restarted, within a delay of a day',
      holds: 'The run goes on, its deadline stays, and the old role is dropped once',
      tests: [
        'e2e/swap-crash › killed at four steps, with a new build and a Temporal restart within the delay: one drop, on time',
        'workflows/back-up-secrets › is replayed by the same code without a difference',
      ],
    },
    {
      what: 'A run is reset to an earlier place',
      holds: 'Decisions are asked for anew, nothing in use is removed, and what it does now is recorded as what it is',
      tests: [
        'workflows/rotate-session-secret › decided in one run count in no other, and after a reset only anew',
        'workflows/swap/taken-over › a completed run that is reset to its first gate does not lay hands on the role in use',
        'workflows/reset › a run that was recorded and is then reset is recorded again, as what it is',
      ],
    },
    {
      what: "A worker's clock is wrong",
      holds: 'Delays and windows are counted by Temporal',
      tests: ['activities/window › is looked for at the time the workflow says, whatever this clock shows'],
    },
  ],
  'People and decisions': [
    {
      what: 'Nobody decides in time',
      holds: 'They are reminded, and then it counts as a no',
      tests: ['workflows/rotate-session-secret › remind at 1, 2, 4, 8 h and deny at the deadline'],
    },
    {
      what: 'A decision comes early, late, twice, by who asked for it, for another run or for another plan',
      holds: 'It does not count, and whoever sent it is told why',
      tests: [
        'workflows/rotate-session-secret › refuse early, self-made, foreign, misnamed, repeated and late approvals, each with its reason',
        'workflows/rotate-session-secret › decided in one run count in no other, and after a reset only anew',
      ],
    },
    {
      what: 'A gate is said no to',
      holds: 'The world is as before; past the point of no return the run stops with a list for people',
      tests: [...MATRIX, 'workflows/swap/undone › leaves the world as before, whichever gate and strategy'],
    },
    {
      what: 'Somebody edits a file, a row or a role meanwhile',
      holds: 'Their edit is kept, and the run stops where it cannot be told apart',
      tests: [
        'stores/dotenv-store › an edit of the value itself between read and rename is not overwritten',
        'workflows/rotate-session-secret › leaves a person’s own edit alone, which the store refuses to overwrite forward and back',
        'databases/roles/meanwhile › does not count against it, and is not lost when the new role is undone',
      ],
    },
  ],
  Stores: [
    {
      what: 'A process is killed while it writes, or the disk is full',
      holds: 'A file is wholly old or wholly new, and no temporary file is left',
      tests: [
        'stores/crash › completes after a kill at every point that leaves a trace',
        'stores/docker-secrets-crash › $name: completes after a kill at every point that leaves a trace',
        'stores/file-system › a full disk leaves the file as it was, no temporary file, and the same call succeeds later',
      ],
    },
    {
      what: 'The file is a symlink, or mounted by itself',
      holds: 'The link stays one; what cannot be replaced is found out before anything is changed',
      tests: [
        'stores/dotenv-store › a symlink stays one, and its target is replaced',
        'stores/dotenv-store › a symlink out of the directory is refused, unless a wider root is given',
        'stores/file-system › a bind-mounted file (%s) is found out in preflight, and never half replaced',
        'e2e/compose › an .env that is itself a mount is refused in the first step, and nothing is changed',
      ],
    },
    {
      what: 'A file has an owner, a mode and an umask around it',
      holds: 'Owner and mode are kept; nobody else can read a temporary file at any moment',
      tests: [
        'stores/file-system › with umask %o every file that holds values is 0600 from birth',
        'stores/file-system › another owner and group are kept',
      ],
    },
    {
      what: 'A value, or the file around it, has quotes, dollars, comments, line ends or lines of its own',
      holds: 'It is read back the same by the programs that read it, and all else stays to the byte',
      tests: [
        'stores/readers › any file: what a model calls literal is what its program reads, and it fails where its program fails',
        'stores/parts › any value reads back the same, with everything else untouched, also to URL()',
        'stores/docker-secrets-store › any value that is not refused is read back identically, and every detour leaves every byte as it was',
      ],
    },
    {
      what: 'A key stands in a file twice',
      holds: 'Refused, with its lines',
      tests: ['stores/dotenv-store › a key that stands there twice, with its lines'],
    },
    {
      what: 'A staged value of another run stands in the store',
      holds: 'It is settled by rule or refused, never overwritten',
      tests: [
        'activities/earlier-run › a run under the same id in the same namespace is over, for this run has its lock',
        'cli/discard › the value of a run that is under way is its own, also with --yes',
        'e2e/crash › what a terminated run left behind is settled by the next one, which completes',
      ],
    },
    {
      what: 'A secret lives in several stores, and one of them cannot be written',
      holds: 'Every consumer keeps a working value, and the run goes on or goes back',
      tests: [],
      why: 'a secret lives in one store so far',
    },
  ],
  'Database credentials': [
    {
      what: 'The old role owns objects, in several databases',
      holds: 'Nothing is lost with it',
      tests: [
        'databases/roles/safety › keeps every row and every object of the role, in every database',
        'databases/roles/swap › gives the new role the same rights, and none is lost when the old one ends',
      ],
    },
    {
      what: 'Rights of every kind: grants, memberships, policies, settings, limits, defaults',
      holds: 'The new role may do what the old one could, and nobody else loses anything',
      tests: [
        'databases/roles/graphs › ${COUNT} random roles can do the same after a swap, and nobody lost anything (seed ${SEED})',
      ],
    },
    {
      what: 'Tables and grants are made during the delay',
      holds: 'They are carried over before the drop',
      tests: [
        'databases/roles/swap › carries over what was granted meanwhile',
        'workflows/swap/steered › is kept: tables of the application, also of the old role’s sessions, and grants',
      ],
    },
    {
      what: 'A session, a pool or a prepared transaction is still on the old role',
      holds: 'It is shown and decided about; the log-in is shut, watched, and only then ended',
      tests: [
        'workflows/swap/stragglers › approved: it is ended, and the role is dropped',
        'workflows/swap/stragglers › asks for a decision; approved: the role is dropped',
        'databases/roles/left-behind › a prepared transaction of the old role counts as somebody on it, and no drop orphans it',
      ],
    },
    {
      what: 'A replica is behind, or is none of this cluster',
      holds: 'The new role is let in on every node before it is used; rows wait for the replica',
      tests: [
        'databases/access/replica › a node of another cluster is found out',
        'reencryption/throttle › nothing is written while a replica is behind, and it goes on when the replica has caught up',
      ],
    },
    {
      what: 'Statements are logged',
      holds: 'No password is in a log, in statistics or in an error',
      tests: [
        'databases/access/plaintext › shows no password in its log, in pg_stat_statements or in an error: only verifiers',
      ],
    },
    {
      what: 'The server goes away in the middle of role DDL',
      holds: 'The same call finishes it',
      tests: [
        'databases/access/trouble › a password whose statement was cut off may or may not be set, says so, and the same call finishes it',
        'databases/roles/safety › goes on where an attempt stopped',
      ],
    },
    {
      what: 'One environment of several does not get there',
      holds: 'Those before it go back, and production is not begun',
      tests: [
        'workflows/swap/waves › its deploy fails: it goes back, and so does staging',
        'workflows/swap/waves › people say no to it: staging goes back too',
      ],
    },
    {
      what: 'A pooler in between knows the old user only',
      holds: 'It is found before the switch',
      tests: ['activities/swap/own-address › a pooler that knows the old user only is found before the switch'],
    },
  ],
  'Services and proofs': [
    {
      what: 'A service is well for a moment, and then not',
      holds: 'Passes count in a row only; else the value goes back',
      tests: ['checks/consecutive › flapping %j is a failure, however well it goes on', SESSION],
    },
    {
      what: 'The old value is still accepted by one instance of several',
      holds: 'The proof finds it out, and nothing is said to be dead',
      tests: [
        'checks/proof › still accepted by one of four instances (number %i) is found out',
        'checks/proof › refusals that are a lock-out of everybody prove nothing',
      ],
    },
    {
      what: 'Tokens live on after the switch, and clocks differ',
      holds: 'Both values are accepted for as long as a token may live, and the skew',
      tests: [
        'runbooks/session › an overlap lasts as long as a token may live, and clocks may differ',
        'workflows/rotate-session-secret › with overlap deploys three times, waits out the token lifetime, and stays under 150 events',
        SESSION,
      ],
    },
    {
      what: 'A value is known to others',
      holds: 'It comes back only where a service cannot run on the new one, and the report says so',
      tests: [
        SESSION,
        'workflows/exposed › a routine rotation goes back when something beside it fails, and when it is cancelled',
      ],
    },
    {
      what: 'An API key is slow to become active, or one more is not allowed',
      holds: 'The old one is disabled only after the new one has worked several times',
      tests: [],
      why: 'keys of providers have no runbook yet',
    },
  ],
  'Encryption keys': [
    {
      what: 'A worker is killed in any batch of a re-encryption',
      holds: 'Every row keeps its plaintext, and the next attempt goes on where it stopped',
      tests: [
        'e2e/reencrypt-crash › ${KILLS} runs hit by kill -9: no row is lost (seed ${SEED})',
        'reencryption/sweep › after any page goes on from there, and reads no row twice but those of the page in flight',
      ],
    },
    {
      what: 'Somebody writes with the old key, or changes a row in between',
      holds: 'No write is lost, and the old key goes only when no row needs it',
      tests: [
        'reencryption/sweep › never loses a write: eight writers race the sweep, one of them still on the old key',
        'e2e/reencrypt-online › ${ROWS} rows beside eight writers: no write is lost, no request fails',
        KEY,
      ],
    },
    {
      what: 'Rows are empty, new already, or read under neither key',
      holds: 'They are counted apart; what cannot be read is never touched, and keeps the old key',
      tests: [
        'reencryption/sweep › rows of every state are counted as such, and only those under the old key are touched',
        'reencryption/atomic › a failure at the last row leaves every byte as it was, in every table, and services read all the while:',
      ],
    },
    {
      what: 'A column that nobody declared is under the key',
      holds: 'It is named beforehand, and before the key is destroyed',
      tests: [
        'reencryption/survey › columns that look encrypted and are not declared are named, with how many values do',
        'workflows/encryption/elsewhere › %s: child tables and a copy in a document',
      ],
    },
    {
      what: 'The key is lost',
      holds: 'What reads is kept, what does not is moved and entered again, and nothing is destroyed unasked',
      tests: [
        'e2e/lost-key › what reads is kept, the rest is entered again, and what was switched off is switched on',
        'workflows/encryption/recovery-disturbed › with each step before the point of no return %s, all is as before',
        OTHERS,
      ],
    },
    {
      what: 'A backup cannot be read back, or is of another value',
      holds: 'It is not proven, set aside, and does not count',
      tests: [
        'backups/making-and-proving › is not proven when its file is not what was written: truncated, altered, gone',
        'backups/making-and-proving › of a value that changes before the proof is not proven, and is kept aside under a name that says so',
        KEY,
        OTHERS,
      ],
    },
    {
      what: "The application's own triggers, casts and functions are hostile",
      holds: 'They never run with the rights of the administrator',
      tests: ['reencryption/hostile › administrator: %s'],
    },
  ],
  'The record': [
    {
      what: 'The ledger cannot be written',
      holds: 'The run ends stopped, and what is to be entered is on its list',
      tests: [...MATRIX],
    },
    {
      what: 'Rows are added by many at once, or tampered with',
      holds: 'One unbroken chain; what was changed is named',
      tests: [
        'ledger/postgres-ledger › twenty appends at once through five connections make one unbroken chain',
        'ledger/postgres-ledger › a row taken out of the middle is named as missing',
      ],
    },
    {
      what: 'A value reaches a log, a history, an error or an argument',
      holds: 'None does, whatever the verb',
      tests: ['e2e/leaks › rotations of three systems, with every verb, leave no value anywhere'],
    },
    {
      what: 'A reminder of a rotation that falls due is missed or sent twice',
      holds: 'One reminder a period',
      tests: [],
      why: 'what is due is shown, and nobody is reminded yet',
    },
  ],
};
