CREATE TABLE step (
  run      INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
  name     TEXT NOT NULL,
  position INTEGER NOT NULL CHECK (position >= 0), -- in file order; a repaired job has another
  verb     TEXT NOT NULL,
  host     TEXT NOT NULL, -- '' until the names are resolved
  model    TEXT NOT NULL,
  object   TEXT NOT NULL,
  state    TEXT NOT NULL CHECK (state IN ('planned', 'started', 'ended')),
  tries    INTEGER NOT NULL CHECK (tries >= 0),
  started  TEXT NOT NULL,
  ended    TEXT NOT NULL,
  verdict  TEXT NOT NULL CHECK (verdict IN ('', 'ok', 'partial', 'failed', 'cancelled', 'timed_out', 'unsure', 'skipped', 'blocked')),
  cause    TEXT NOT NULL CHECK (cause IN ('', 'action', 'rows', 'input', 'guard', 'config', 'login', 'permission', 'busy', 'network',
                                          'time', 'signal', 'start_unknown', 'internal')),
  PRIMARY KEY (run, name),
  CHECK ((state = 'ended') = (ended <> '')),
  CHECK ((state = 'ended') = (verdict <> '')),
  CHECK ((tries > 0) = (started <> '')),
  CHECK (state <> 'planned' OR tries = 0),
  CHECK (state <> 'started' OR tries > 0)
) STRICT;

-- host and spent have no default: a program of version 1 that has the file open when it becomes
-- version 2 cannot record a start from then on, so that it starts nothing.

CREATE TABLE task (
  run      INTEGER NOT NULL,
  step     TEXT NOT NULL,
  number   INTEGER NOT NULL CHECK (number >= 1), -- of the intent
  host     TEXT NOT NULL, -- those of the step then
  model    TEXT NOT NULL,
  object   TEXT NOT NULL,
  epoch    INTEGER NOT NULL, -- of the model's lease
  outcome  TEXT NOT NULL CHECK (outcome IN ('pending', 'open', 'refused', 'started', 'absent', 'overruled')),
  task     TEXT NOT NULL, -- Anaplan's id
  state    TEXT NOT NULL, -- Anaplan's
  intended TEXT NOT NULL CHECK (intended <> ''),
  began    TEXT NOT NULL,
  ended    TEXT NOT NULL,
  spent    INTEGER NOT NULL CHECK (spent IN (0, 1)), -- the step was begun anew since
  PRIMARY KEY (run, number),
  FOREIGN KEY (run, step) REFERENCES step (run, name) ON DELETE CASCADE,
  CHECK ((outcome = 'started') = (task <> '')),
  CHECK (outcome = 'started' OR state = '' AND began = '' AND ended = '')
) STRICT;

CREATE INDEX task_step ON task (run, step);
CREATE INDEX task_intended ON task (intended);
CREATE INDEX task_unsettled ON task (run) WHERE outcome IN ('pending', 'open') OR outcome = 'started' AND ended = '';

-- A lease is held by who has the lock on its file. The last taking stays.

CREATE TABLE lease (
  key    TEXT NOT NULL PRIMARY KEY,
  epoch  INTEGER NOT NULL CHECK (epoch >= 1),
  holder TEXT NOT NULL -- one JSON object
) STRICT;

CREATE TABLE wish (
  run  INTEGER NOT NULL PRIMARY KEY REFERENCES run (id) ON DELETE CASCADE,
  what TEXT NOT NULL CHECK (what IN ('cancel', 'detach')),
  by   TEXT NOT NULL,
  at   TEXT NOT NULL CHECK (at <> ''),
  seq  INTEGER NOT NULL CHECK (seq >= 0)
) STRICT;
