/** Schema 9: what the operator bound to vehicles. */

export const bindings = `
-- The pseudonym of a card, a contract or a car's own name; the value itself is nowhere.
CREATE TABLE binding (
  kind TEXT NOT NULL CHECK (kind IN ('idToken', 'evccid', 'vin', 'emaid')),
  pseudonym TEXT NOT NULL,
  vehicle_id TEXT NOT NULL,
  bound_wall_ms INTEGER NOT NULL,
  PRIMARY KEY (kind, pseudonym)
) STRICT, WITHOUT ROWID;
`;
