/** Types of install-state.js, which is plain JavaScript so that any Node runs it. */
export function isInstalled(root: string): boolean;
