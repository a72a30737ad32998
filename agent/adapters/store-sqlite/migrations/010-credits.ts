/** Schema 10: what each stay earned, as a record of its own. */

export const credits = `
-- One stay of one donor at a connector. made_wall_ms null: it goes on, or something of it is undecided; once set, record and head stay.
-- first_booking to last_booking: all its bookings lie within. head: the newest booking in the transaction that made it.
CREATE TABLE credit (
  credit_key INTEGER PRIMARY KEY,
  record TEXT NOT NULL,
  first_booking INTEGER NOT NULL,
  last_booking INTEGER NOT NULL,
  ended_wall_ms INTEGER,
  made_wall_ms INTEGER,
  head_bookings INTEGER,
  head_hash BLOB,
  sending_state TEXT CHECK (sending_state IN ('kept', 'waiting', 'accepted', 'refused', 'given_up')),
  sending TEXT
) STRICT;
CREATE INDEX credit_open ON credit (credit_key) WHERE made_wall_ms IS NULL OR sending_state = 'waiting';
`;
