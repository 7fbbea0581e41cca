/** docs/reference.md: what an inventory can say, field by field, read off its JSON Schema. */
import { isDuration, type JsonSchema } from '../../src/inventory/json-schema.js';

/**
 * Heading, and the way there: a field · `*` what stands under any name · `[]` an entry · `field=value` or `field` one of several forms.
 * Then what it is, where the field that leads there says something narrower.
 */
const SECTIONS: readonly (readonly [heading: string, way: string, lead?: string])[] = [
  ['The file', ''],
  ['Environment', 'environments []'],
  ['Store: dotenv', 'stores * type=dotenv'],
  ['Store: docker-secrets', 'stores * type=docker-secrets'],
  ['Database', 'databases *'],
  [
    'Credential of the worker',
    'databases * url',
    'What Keyturn itself signs in with: one of the two, never the value.',
  ],
  ['Service', 'services *'],
  ['Deploy: compose', 'services * deploy type=compose'],
  ['Deploy: command', 'services * deploy type=command'],
  ['Check: http', 'checks * type=http'],
  ['Check: http-flow', 'checks * type=http-flow'],
  ['Check: sql', 'checks * type=sql'],
  ['Check: command', 'checks * type=command'],
  ['Answer', 'checks * type=http expect'],
  [
    'Expectation',
    'checks * type=http expect json * equals',
    'What one value must be. Text, a number, `true`, `false` or `null` stands for itself; of a mapping all must hold.',
  ],
  ['Monitor: check', 'monitors * type=check'],
  ['Monitor: counter', 'monitors * type=counter'],
  ['Secret', 'secrets *'],
  ['Overlap: list', 'secrets * overlap style=list'],
  ['Overlap: previous', 'secrets * overlap style=previous'],
  ['Session revocation', 'secrets * revokeSessions'],
  ['Proof: signed-cookie', 'secrets * proof type=signed-cookie'],
  ['Proof: jwt', 'secrets * proof type=jwt'],
  ['Proof: value', 'secrets * proof type=value'],
  ['Request', 'secrets * proof type=value request'],
  ['Database credential', 'secrets * swap'],
  ['Credential: url', 'secrets * swap credential in=url'],
  ['Credential: json', 'secrets * swap credential in=json'],
  ['Credential: variables', 'secrets * swap credential in=variables'],
  ['Credential: password', 'secrets * swap credential in=password'],
  ['Encryption key', 'secrets * encryption'],
  ['Key: sha256', 'secrets * encryption key derive=sha256'],
  ['Key: scrypt', 'secrets * encryption key derive=scrypt'],
  ['Key: hkdf', 'secrets * encryption key derive=hkdf'],
  ['Format: fernet', 'secrets * encryption format cipher=fernet'],
  ['Format: aes-256-gcm', 'secrets * encryption format cipher=aes-256-gcm'],
  ['Both keys: list', 'secrets * encryption bothKeys style=list'],
  ['Both keys: previous', 'secrets * encryption bothKeys style=previous'],
  ['Exception of an environment', 'environments [] secrets * store'],
  ['Approval', 'approval'],
  ['Maintenance window', 'maintenanceWindow opens'],
  ['Backup: age', 'backups * format=age'],
  ['Backup: gpg', 'backups * format=gpg'],
];

/** Every field of every mapping, with the way there: for a test that none lacks its sentence. */
export function fieldsOf(node: unknown, path = ''): { path: string; description: string | undefined }[] {
  if (typeof node !== 'object' || node === null) return [];
  const { properties = {} } = node as { properties?: Record<string, JsonSchema> };
  const own = Object.entries(properties).map(([name, field]) => ({
    path: `${path}.${name}`,
    description: field['description'] as string | undefined,
  }));
  const inner = Object.entries(node).flatMap(([key, value]) =>
    key === 'properties'
      ? Object.entries(properties).flatMap(([name, field]) => fieldsOf(field, `${path}.${name}`))
      : fieldsOf(value, path),
  );
  return [...own, ...inner];
}

export function referencePage(schema: JsonSchema): string {
  const sections = SECTIONS.map(([heading, way, lead]) => {
    const node = follow(schema, way);
    return { heading, node, lead: lead ?? (way === '' ? undefined : node['description']) };
  });
  const linkOf = new Map(sections.map(({ heading, node }) => [identity(node), `[${heading}](#${anchor(heading)})`]));
  const lines = sections.flatMap(({ heading, node, lead }) => [
    `## ${heading}`,
    '',
    ...(typeof lead === 'string' ? [sentence(lead), ''] : []),
    ...fieldLines(node, '', linkOf),
    '',
  ]);
  return lines.join('\n');
}

/** Without what is added to every duration. */
export function ownSentence({ description = '' }: { readonly description?: unknown }): string {
  return String(description).replace(/\.? ?A whole number and a unit:[^]*$/, '');
}

function follow(schema: JsonSchema, way: string): JsonSchema {
  let node = schema;
  for (const step of way.split(' ').filter((part) => part !== '')) {
    const next =
      step === '*'
        ? node['additionalProperties']
        : step === '[]'
          ? node['items']
          : ((node['properties'] as Record<string, unknown> | undefined)?.[step] ?? member(node, step));
    if (typeof next !== 'object' || next === null) throw new Error(`the schema has no ${way} (at ${step})`);
    node = next as JsonSchema;
  }
  return node;
}

function member(node: JsonSchema, step: string): JsonSchema | undefined {
  const [field = '', value] = step.split('=');
  return formsOf(node).find((form) => {
    const property = (form['properties'] as Record<string, JsonSchema> | undefined)?.[field];
    return property !== undefined && (value === undefined || property['const'] === value);
  });
}

/** Alternatives, also of alternatives; a thing that has none is its own. */
function formsOf(node: JsonSchema): JsonSchema[] {
  const forms = (node['oneOf'] ?? node['anyOf']) as JsonSchema[] | undefined;
  return forms ? forms.flatMap(formsOf) : [node];
}

/** The same schema is told of once, whatever the fields that have it say of themselves. */
function identity(node: JsonSchema): string {
  return JSON.stringify({ ...node, description: undefined, default: undefined });
}

function fieldLines(node: JsonSchema, prefix: string, linkOf: ReadonlyMap<string, string>): string[] {
  return formsOf(node).flatMap((form) => {
    const properties = Object.entries((form['properties'] ?? {}) as Record<string, JsonSchema>);
    const required = (form['required'] ?? []) as string[];
    return properties.flatMap(([name, field]) => {
      const place = prefix + name;
      const facts = [kindOf(field, linkOf), ...factsOf(field, required.includes(name))].join('; ');
      const said = sentence(ownSentence(field));
      return [`- \`${place}\` (${facts}): ${said}`, ...innerLines(field, place, linkOf)];
    });
  });
}

/** Of what has no section of its own. */
function innerLines(field: JsonSchema, place: string, linkOf: ReadonlyMap<string, string>): string[] {
  if (linkOf.has(identity(field))) return [];
  return formsOf(field).flatMap((form) => {
    if (linkOf.has(identity(form))) return [];
    if (form['items']) return innerLines(form['items'] as JsonSchema, `${place}[]`, linkOf);
    const under = form['additionalProperties'];
    if (typeof under === 'object' && under !== null) return innerLines(under as JsonSchema, `${place}.NAME`, linkOf);
    return form['properties'] ? fieldLines(form, `${place}.`, linkOf) : [];
  });
}

function factsOf(field: JsonSchema, required: boolean): string[] {
  const { minimum, maximum, default: fallback } = field as { minimum?: number; maximum?: number; default?: unknown };
  const bounded = typeof minimum === 'number' && minimum > Number.MIN_SAFE_INTEGER;
  const least = bounded ? `at least ${minimum}` : null;
  const most = typeof maximum === 'number' && maximum < Number.MAX_SAFE_INTEGER ? `at most ${maximum}` : null;
  return [
    least && most ? `${minimum} to ${maximum}` : (least ?? most),
    required ? 'required' : null,
    fallback === undefined || (typeof fallback === 'object' && !Array.isArray(fallback))
      ? null
      : `default ${code(plain(fallback))}`,
  ].filter((fact) => fact !== null);
}

function kindOf(node: JsonSchema, linkOf: ReadonlyMap<string, string>): string {
  const link = linkOf.get(identity(node));
  if (link !== undefined) return link;
  if (isDuration(node)) return 'duration';
  if ('const' in node) return code(plain(node['const']));
  if (Array.isArray(node['enum'])) return either(node['enum'].map((value) => code(plain(value))));
  const forms = formsOf(node);
  if (forms.length > 1 || forms[0] !== node) return either([...new Set(forms.map((form) => kindOf(form, linkOf)))]);
  const type = node['type'];
  if (Array.isArray(type)) return either(type.map((one) => KINDS[String(one)] ?? String(one)));
  if (type === 'array') return `list of ${kindOf((node['items'] ?? {}) as JsonSchema, linkOf)}`;
  const under = node['additionalProperties'];
  if (type === 'object' && typeof under === 'object') return `NAME: ${kindOf(under as JsonSchema, linkOf)}`;
  return KINDS[String(type)] ?? 'any';
}

const KINDS: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'number',
  integer: 'whole number',
  boolean: 'boolean',
  null: 'null',
  object: 'mapping',
};

function either(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
}

function plain(value: unknown): string {
  return typeof value === 'string' && value !== '' ? value : JSON.stringify(value);
}

function code(text: string): string {
  return `\`${text}\``;
}

/** Samples as code; a full stop at the end. */
function sentence(text: string): string {
  const samples =
    /`[^`]*`|\{ (?:[^{}]|\$?\{[^{}]*\})* \}|\[[^\][]*\]|\$\{[^}]*\}|'[^' ]+'|\b[A-Z]+(?:_[A-Z]+)+\b|--[a-z]+(?:-[a-z]+)*|<[^>]*>/g;
  const shown = text.replace(samples, (sample) => (sample.startsWith('`') ? sample : code(sample)));
  return /[.!?]$/.test(shown) ? shown : `${shown}.`;
}

function anchor(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^a-z0-9 -]/g, '')
    .replaceAll(' ', '-');
}
