/** Under which a version of an algorithm is known. */
export function algorithmKey(id: string, version: string): string {
  return `${id}@${version}`;
}
