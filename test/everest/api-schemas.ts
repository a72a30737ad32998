/** EVerest's AsyncAPI files as JSON schemas: what a message must be, and messages made up from them. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import fc from 'fast-check';
import { parse } from 'yaml';

interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly format?: string;
  readonly pattern?: string;
  readonly maxLength?: number;
  readonly minLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
}

interface ApiFile {
  readonly channels: Readonly<Record<string, { readonly address: string | null }>>;
  readonly components: {
    readonly messages: Readonly<
      Record<
        string,
        { readonly payload?: Schema; readonly examples?: readonly { readonly payload: unknown }[] }
      >
    >;
    readonly schemas: Readonly<Record<string, Schema>>;
  };
}

export class EverestApiSchemas {
  readonly #files = new Map<string, ApiFile>();
  readonly #ajv = new Ajv2020({ strict: false, allErrors: true });

  constructor(folder: string) {
    addFormats.default(this.#ajv);
    for (const name of readdirSync(folder).filter((each) => each.endsWith('.yaml'))) {
      const { id: _, ...file } = parse(readFileSync(join(folder, name), 'utf8')) as ApiFile & { id: string };
      this.#files.set(name, file);
      this.#ajv.addSchema({ $id: name, ...file });
    }
  }

  /** What is wrong with a message at a topic; undefined where nothing is. */
  problem(topic: string, payload: unknown): string | undefined {
    const { file, message } = this.#messageAt(topic);
    const ref = `${file}#/components/messages/${message}/payload`;
    const isValid = this.#ajv.validate(ref, payload);
    return isValid ? undefined : `${topic}: ${this.#ajv.errorsText()}`;
  }

  /** Made up by the schema of what is said at the topic. */
  arbitrary(topic: string): fc.Arbitrary<unknown> {
    const { file, message } = this.#messageAt(topic);
    const payload = this.#files.get(file)?.components.messages[message]?.payload;
    if (payload === undefined) throw new Error(`no payload at ${topic}`);
    return this.#arbitraryOf(payload, file);
  }

  examples(topic: string): readonly unknown[] {
    const { file, message } = this.#messageAt(topic);
    return (this.#files.get(file)?.components.messages[message]?.examples ?? []).map(
      ({ payload }) => payload,
    );
  }

  /** An answer has its request's topic and an id behind it; its channel has no address. */
  #messageAt(topic: string): { readonly file: string; readonly message: string } {
    const [, , api = '', , direction = '', name = '', request] = topic.split('/');
    const file = `${api}_API.yaml`;
    const channels: ApiFile['channels'] = this.#files.get(file)?.channels ?? {};
    const answers = Object.keys(channels).find((each) => each.endsWith(`_reply_${name}`));
    const says = Object.entries(channels).find(([, { address }]) => address === `${direction}/${name}`)?.[0];
    const channel = request === undefined ? says : answers;
    if (channel === undefined) throw new Error(`the API has nothing at ${topic}`);
    return { file, message: channel };
  }

  #arbitraryOf(schema: Schema, file: string): fc.Arbitrary<unknown> {
    if (schema.$ref !== undefined) return this.#referred(schema.$ref, file);
    if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
    switch (schema.type) {
      case 'object':
        return this.#objectOf(schema, file);
      case 'array':
        return fc.array(this.#arbitraryOf(schema.items ?? {}, file), {
          minLength: schema.minItems ?? 0,
          maxLength: Math.min(schema.maxItems ?? 3, 3),
        });
      case 'string':
        return stringOf(schema);
      case 'integer':
        return fc.integer({ min: schema.minimum ?? -1_000_000, max: schema.maximum ?? 1_000_000_000 });
      case 'number':
        return fc.double({ min: schema.minimum ?? -1e9, max: schema.maximum ?? 1e9, noNaN: true });
      case 'boolean':
        return fc.boolean();
      default:
        return fc.constant({});
    }
  }

  #referred(ref: string, from: string): fc.Arbitrary<unknown> {
    const [file = '', path = ''] = ref.split('#');
    const target = file === '' ? from : file;
    const found = path
      .split('/')
      .slice(1)
      .reduce<unknown>((at, part) => (at as Record<string, unknown>)[part], this.#files.get(target));
    return this.#arbitraryOf(found as Schema, target);
  }

  #objectOf({ properties = {}, required = [] }: Schema, file: string): fc.Arbitrary<unknown> {
    const fields = Object.fromEntries(
      Object.entries(properties).map(([name, schema]) => [name, this.#arbitraryOf(schema, file)]),
    );
    return fc.record(fields, { requiredKeys: [...required] });
  }
}

function stringOf({ format, pattern, minLength = 0, maxLength = 36 }: Schema): fc.Arbitrary<string> {
  if (format === 'date-time')
    return fc
      .date({ min: new Date(0), max: new Date('2099-12-31'), noInvalidDate: true })
      .map((date) => date.toISOString());
  if (pattern !== undefined) return fc.stringMatching(new RegExp(pattern));
  return fc.string({ minLength: Math.max(1, minLength), maxLength: Math.min(maxLength, 36) });
}
