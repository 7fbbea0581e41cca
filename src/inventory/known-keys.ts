/** Which keys an inventory knows at a place, read from the schema itself, so that no list has to be kept in step. */
import type { z } from 'zod';
import type { Path } from './problems.js';

type Schema = z.core.$ZodType;

/** @param data the file's root: it decides which member of a discriminated union stands at a place. */
export function knownKeys(schema: Schema, data: unknown, path: Path): string[] {
  let places: { schema: Schema; data: unknown }[] = [{ schema, data }];
  for (const step of path) {
    places = places.flatMap((place) =>
      unwrap(place.schema, place.data).flatMap((inner) => enter(inner, step, place.data)),
    );
  }
  const keys = places.flatMap((place) => unwrap(place.schema, place.data).flatMap(ownKeys));
  return [...new Set(keys)];
}

function enter(schema: Schema, step: string | number, data: unknown): { schema: Schema; data: unknown }[] {
  const { def } = (schema as z.core.$ZodTypes)._zod;
  const value = child(data, step);
  if (def.type === 'object') {
    const inner = Object.hasOwn(def.shape, step) ? def.shape[step] : undefined;
    return inner ? [{ schema: inner, data: value }] : [];
  }
  if (def.type === 'record') return [{ schema: def.valueType, data: value }];
  return def.type === 'array' ? [{ schema: def.element, data: value }] : [];
}

/** Without the wrappers (optional, default…) and with unions taken apart. */
function unwrap(schema: Schema, data: unknown): Schema[] {
  const { def } = (schema as z.core.$ZodTypes)._zod;
  switch (def.type) {
    case 'optional':
    case 'nullable':
    case 'default':
    case 'prefault':
    case 'readonly':
      return unwrap(def.innerType, data);
    case 'lazy':
      return unwrap(def.getter(), data);
    case 'union':
      return membersFor(def, data).flatMap((member) => unwrap(member, data));
    default:
      return [schema];
  }
}

function membersFor(def: z.core.$ZodUnionDef, data: unknown): readonly Schema[] {
  const key = (def as Partial<z.core.$ZodDiscriminatedUnionDef>).discriminator;
  if (key === undefined) return def.options;
  const chosen = child(data, key);
  return def.options.filter((option) => option._zod.propValues?.[key]?.has(chosen as string) ?? false);
}

function ownKeys(schema: Schema): string[] {
  const { def } = (schema as z.core.$ZodTypes)._zod;
  return def.type === 'object' ? Object.keys(def.shape) : [];
}

/** Own entries only: a file cannot reach `constructor` and the like. */
export function child(data: unknown, step: string | number): unknown {
  if (typeof data !== 'object' || data === null || !Object.hasOwn(data, step)) return undefined;
  return (data as Record<string | number, unknown>)[step];
}
