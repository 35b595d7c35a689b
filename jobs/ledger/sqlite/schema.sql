-- Version 1. The events are the truth. run, step and task follow them, in the same
-- transaction, for queries and as a second lock on the legal moves.

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

CREATE TABLE step (
  run      INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
  position INTEGER NOT NULL CHECK (position >= 0), -- in file order
  name     TEXT NOT NULL,
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
  PRIMARY KEY (run, position),
  UNIQUE (run, name),
  CHECK ((state = 'ended') = (ended <> '')),
  CHECK ((state = 'ended') = (verdict <> '')),
  CHECK ((tries > 0) = (started <> '')),
  CHECK (state <> 'planned' OR tries = 0),
  CHECK (state <> 'started' OR tries > 0)
) STRICT;

CREATE TABLE task (
  run      INTEGER NOT NULL,
  step     INTEGER NOT NULL, -- its position
  number   INTEGER NOT NULL CHECK (number >= 1), -- of the intent
  epoch    INTEGER NOT NULL, -- of the model's lease
  outcome  TEXT NOT NULL CHECK (outcome IN ('pending', 'open', 'refused', 'started')),
  task     TEXT NOT NULL, -- Anaplan's id
  state    TEXT NOT NULL, -- Anaplan's
  intended TEXT NOT NULL CHECK (intended <> ''),
  began    TEXT NOT NULL,
  ended    TEXT NOT NULL,
  PRIMARY KEY (run, number),
  FOREIGN KEY (run, step) REFERENCES step (run, position) ON DELETE CASCADE,
  CHECK ((outcome = 'started') = (task <> '')),
  CHECK (outcome = 'started' OR state = '' AND began = '' AND ended = '')
) STRICT;

CREATE INDEX task_step ON task (run, step);
CREATE INDEX task_unsettled ON task (run) WHERE outcome IN ('pending', 'open') OR outcome = 'started' AND ended = '';

-- Events are only ever added, one after the other, and go only with their run.

CREATE TRIGGER event_follows BEFORE INSERT ON event
BEGIN
  SELECT raise(ABORT, 'an event must follow the last one')
    WHERE NEW.seq IS NOT (SELECT seq + 1 FROM run WHERE id = NEW.run);
  SELECT raise(ABORT, 'the run has ended')
    WHERE EXISTS (SELECT 1 FROM run WHERE id = NEW.run AND ended <> '');
END;

CREATE TRIGGER event_counts AFTER INSERT ON event
BEGIN
  UPDATE run SET seq = NEW.seq WHERE id = NEW.run;
END;

CREATE TRIGGER event_stays BEFORE UPDATE ON event
BEGIN
  SELECT raise(ABORT, 'an event does not change');
END;

CREATE TRIGGER event_is_kept BEFORE DELETE ON event
WHEN EXISTS (SELECT 1 FROM run WHERE id = OLD.run)
BEGIN
  SELECT raise(ABORT, 'an event goes only with its run');
END;

-- Legal moves of a run: forward.

CREATE TRIGGER run_moves BEFORE UPDATE ON run
BEGIN
  SELECT raise(ABORT, 'a run does not change its name or its start')
    WHERE NEW.id <> OLD.id OR NEW.job <> OLD.job OR NEW.run <> OLD.run OR NEW.started <> OLD.started OR NEW.steps <> OLD.steps;
  SELECT raise(ABORT, 'a run does not go back')
    WHERE NEW.seq NOT IN (OLD.seq, OLD.seq + 1) OR NEW.epoch < OLD.epoch OR NEW.done < OLD.done;
  SELECT raise(ABORT, 'the run has ended') WHERE OLD.ended <> '';
END;

-- planned -> started -> ended, or planned -> ended. Names are resolved before it starts.

CREATE TRIGGER step_begins BEFORE INSERT ON step
WHEN NEW.state <> 'planned'
BEGIN
  SELECT raise(ABORT, 'a step begins as planned');
END;

CREATE TRIGGER step_moves BEFORE UPDATE ON step
BEGIN
  SELECT raise(ABORT, 'a step does not change its name')
    WHERE NEW.run <> OLD.run OR NEW.position <> OLD.position OR NEW.name <> OLD.name OR NEW.verb <> OLD.verb;
  SELECT raise(ABORT, 'a step that has begun does not change its object')
    WHERE OLD.state <> 'planned' AND (NEW.host <> OLD.host OR NEW.model <> OLD.model OR NEW.object <> OLD.object);
  SELECT raise(ABORT, 'the step has ended') WHERE OLD.state = 'ended';
  SELECT raise(ABORT, 'a step does not go back')
    WHERE OLD.state = 'started' AND NEW.state = 'planned' OR NEW.tries NOT IN (OLD.tries, OLD.tries + 1);
END;

-- pending -> refused | open | started; open -> started. A second start is forbidden.

CREATE TRIGGER task_begins BEFORE INSERT ON task
BEGIN
  SELECT raise(ABORT, 'a start begins as pending') WHERE NEW.outcome <> 'pending';
  SELECT raise(ABORT, 'a second start is forbidden')
    WHERE EXISTS (SELECT 1 FROM task WHERE run = NEW.run AND step = NEW.step
                  AND (outcome IN ('pending', 'open') OR outcome = 'started' AND ended = ''));
  SELECT raise(ABORT, 'a task needs a step that is under way')
    WHERE NOT EXISTS (SELECT 1 FROM step WHERE run = NEW.run AND position = NEW.step AND state = 'started');
END;

CREATE TRIGGER task_moves BEFORE UPDATE ON task
BEGIN
  SELECT raise(ABORT, 'a start does not change its name')
    WHERE NEW.run <> OLD.run OR NEW.step <> OLD.step OR NEW.number <> OLD.number OR NEW.epoch <> OLD.epoch OR NEW.intended <> OLD.intended;
  SELECT raise(ABORT, 'a start does not go back')
    WHERE NOT (OLD.outcome = 'pending' AND NEW.outcome IN ('open', 'refused', 'started')
               OR OLD.outcome = 'open' AND NEW.outcome = 'started'
               OR OLD.outcome = 'started' AND NEW.outcome = 'started' AND NEW.task = OLD.task);
  SELECT raise(ABORT, 'the task has ended') WHERE OLD.ended <> '';
END;
