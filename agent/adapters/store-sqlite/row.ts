/** A row as it goes to the store's thread: in the order of the parameters of the statement that writes it; what only the store knows follows. */
export type Row = readonly (string | number | null | Uint8Array)[];
