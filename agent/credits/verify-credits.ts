/** Whether records that were exported are what some pile signed: offline, by what is in them alone. */
import { createPublicKey, verify } from 'node:crypto';
import { z } from 'zod';
import { canonicalJson } from './canonical-json.ts';
import { creditBodySchema, type CreditBody } from './credit-body.ts';

/** One line of an export. */
export const signedCreditSchema = z.strictObject({
  id: z.string().min(1).max(128),
  body: z.string().max(64 * 1024),
  signature: z.base64().max(200),
});

export interface CreditFinding {
  readonly code: 'unreadable' | 'altered' | 'other_key' | 'contradicted';
  /** From 1 on. */
  readonly line: number;
  readonly detail: string;
}

export interface CreditVerdict {
  readonly records: number;
  /** The key that all are signed with; null: there is no record, or more than one key. */
  readonly publicKey: string | null;
  readonly findings: readonly CreditFinding[];
}

/** `wantedKey`: the key of the pile that is meant, where somebody knows it. */
export function verifyCredits(lines: readonly string[], wantedKey?: string): CreditVerdict {
  const findings: CreditFinding[] = [];
  const keys = new Set<string>();
  const bodies = new Map<string, string>();
  let records = 0;
  for (const [index, text] of lines.entries()) {
    if (text.trim() === '') continue;
    const line = index + 1;
    const found = readLine(text);
    if (typeof found === 'string') {
      findings.push({ code: 'unreadable', line, detail: found });
      continue;
    }
    records += 1;
    keys.add(found.body.publicKey);
    findings.push(...problemsOf(found, line, wantedKey));
    const before = bodies.get(found.id);
    if (before !== undefined && before !== found.text)
      findings.push({
        code: 'contradicted',
        line,
        detail: `${found.id} is there twice, with different contents`,
      });
    bodies.set(found.id, found.text);
  }
  return { records, publicKey: keys.size === 1 ? ([...keys][0] ?? null) : null, findings };
}

interface ReadLine {
  readonly id: string;
  readonly text: string;
  readonly body: CreditBody;
  readonly signature: string;
}

/** Or what is wrong with it. */
function readLine(text: string): ReadLine | string {
  const json = jsonIn(text);
  if (json === undefined) return 'it is no line of an export: it is no JSON';
  const line = signedCreditSchema.safeParse(json);
  if (!line.success) return `it is no line of an export: ${issueOf(line.error)}`;
  const body = creditBodySchema.safeParse(jsonIn(line.data.body));
  if (!body.success) return `its body is no credit record: ${issueOf(body.error)}`;
  return { id: line.data.id, text: line.data.body, body: body.data, signature: line.data.signature };
}

function problemsOf(
  { id, text, body, signature }: ReadLine,
  line: number,
  wantedKey?: string,
): CreditFinding[] {
  const findings: CreditFinding[] = [];
  if (id !== body.id || canonicalJson(body) !== text)
    findings.push({ code: 'altered', line, detail: `${id}: the record is not written as a pile writes it` });
  else if (!isSigned(text, signature, body.publicKey))
    findings.push({ code: 'altered', line, detail: `${id}: the signature does not fit the record` });
  if (wantedKey !== undefined && body.publicKey !== wantedKey)
    findings.push({ code: 'other_key', line, detail: `${id}: it is signed with another key` });
  return findings;
}

function isSigned(text: string, signature: string, publicKey: string): boolean {
  try {
    const key = createPublicKey({ key: Buffer.from(publicKey, 'base64'), format: 'der', type: 'spki' });
    if (key.asymmetricKeyType !== 'ed25519') return false;
    return verify(null, Buffer.from(text), key, Buffer.from(signature, 'base64'));
  } catch {
    return false;
  }
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function issueOf(error: z.ZodError): string {
  const [{ path, message } = { path: [], message: 'unreadable' }] = error.issues;
  return [...path.map(String), message].join(': ');
}
