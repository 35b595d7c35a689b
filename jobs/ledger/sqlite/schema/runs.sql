-- The events are the truth. run, step and task follow them, in the same transaction, for
-- queries and as a second lock on the legal moves.

CREATE TABLE run (
  id      INTEGER PRIMARY KEY AUTOINCREMENT,
  job     TEXT NOT NULL,
  run     TEXT NOT NULL CHECK (length(run) BETWEEN 1 AND 250),
  seq     INTEGER NOT NULL DEFAULT 0 CHECK (seq >= 0), -- of the last event
  epoch   INTEGER NOT NULL DEFAULT 0 CHECK (epoch >= 0), -- the highest that wrote
  started TEXT NOT NULL, -- times: UTC, always nine digits of a second, so that they sort; '' for not yet
  updated TEXT NOT NULL,
  ended   TEXT NOT NULL,
  verdict TEXT NOT NULL CHECK (verdict IN ('', 'ok', 'partial', 'failed', 'cancelled', 'timed_out', 'unsure', 'skipped', 'blocked')),
  cause   TEXT NOT NULL CHECK (cause IN ('', 'action', 'rows', 'input', 'guard', 'config', 'login', 'permission', 'busy', 'network',
                                         'time', 'signal', 'start_unknown', 'internal')),
  code    INTEGER NOT NULL CHECK (code BETWEEN 0 AND 255),
  steps   INTEGER NOT NULL CHECK (steps >= 0),
  done    INTEGER NOT NULL CHECK (done BETWEEN 0 AND steps), -- steps that have ended
  closed  INTEGER NOT NULL CHECK (closed IN (0, 1)), -- nothing is left to do
  UNIQUE (job, run),
  CHECK ((ended = '') = (verdict = ''))
) STRICT;

CREATE INDEX run_started ON run (started, id);

CREATE TABLE event (
  run  INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
  seq  INTEGER NOT NULL,
  data TEXT NOT NULL, -- one JSON object: v, seq, at, step, kind, body
  PRIMARY KEY (run, seq)
) STRICT;
