-- Events are only ever added, one after the other, and go only with their run. After the
-- end of a run that is not closed, only being continued follows.

CREATE TRIGGER event_follows BEFORE INSERT ON event
BEGIN
  SELECT raise(ABORT, 'an event must follow the last one')
    WHERE NEW.seq IS NOT (SELECT seq + 1 FROM run WHERE id = NEW.run);
  SELECT raise(ABORT, 'the run has ended')
    WHERE EXISTS (SELECT 1 FROM run WHERE id = NEW.run AND ended <> ''
                  AND (closed = 1 OR json_extract(NEW.data, '$.kind') IS NOT 'run_continued'));
END;

CREATE TRIGGER event_counts AFTER INSERT ON event
BEGIN
  UPDATE run SET seq = NEW.seq, ended = '', verdict = '', cause = '', code = 0 WHERE id = NEW.run;
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

-- Legal moves of a run: forward, and from its end back only with an event.

CREATE TRIGGER run_moves BEFORE UPDATE ON run
BEGIN
  SELECT raise(ABORT, 'a run does not change its name or its start')
    WHERE NEW.id <> OLD.id OR NEW.job <> OLD.job OR NEW.run <> OLD.run OR NEW.started <> OLD.started;
  SELECT raise(ABORT, 'a run does not go back')
    WHERE NEW.seq NOT IN (OLD.seq, OLD.seq + 1) OR NEW.epoch < OLD.epoch;
  SELECT raise(ABORT, 'the run has ended')
    WHERE OLD.ended <> '' AND (OLD.closed = 1 OR NEW.ended <> '' OR NEW.seq = OLD.seq);
END;

-- planned -> started -> ended, or planned -> ended; ended -> started or planned when the
-- step is reopened. What has begun keeps its verb and is not forgotten; what is done, or
-- started something that is not judged, keeps its object.

CREATE TRIGGER step_begins BEFORE INSERT ON step
WHEN NEW.state <> 'planned'
BEGIN
  SELECT raise(ABORT, 'a step begins as planned');
END;

CREATE TRIGGER step_moves BEFORE UPDATE ON step
BEGIN
  SELECT raise(ABORT, 'a step does not change its name')
    WHERE NEW.run <> OLD.run OR NEW.name <> OLD.name;
  SELECT raise(ABORT, 'the run has ended')
    WHERE EXISTS (SELECT 1 FROM run WHERE id = OLD.run AND ended <> '');
  SELECT raise(ABORT, 'a step that has begun does not change its verb')
    WHERE NEW.verb <> OLD.verb AND (OLD.tries > 0 OR OLD.state = 'ended' AND OLD.verdict NOT IN ('blocked', 'skipped'));
  SELECT raise(ABORT, 'the step does not change its object any more')
    WHERE (NEW.host <> OLD.host OR NEW.model <> OLD.model OR NEW.object <> OLD.object)
      AND (OLD.verdict IN ('ok', 'skipped')
           OR EXISTS (SELECT 1 FROM task WHERE run = OLD.run AND step = OLD.name AND spent = 0
                      AND (outcome IN ('pending', 'open') OR outcome = 'started' AND (ended = '' OR OLD.state <> 'ended'))));
  SELECT raise(ABORT, 'the step has ended')
    WHERE OLD.state = 'ended' AND NEW.state = 'ended'
      AND (NEW.tries <> OLD.tries OR NEW.ended <> OLD.ended OR NEW.verdict <> OLD.verdict OR NEW.cause <> OLD.cause);
  SELECT raise(ABORT, 'a step does not go back')
    WHERE OLD.state = 'started' AND NEW.state = 'planned' OR NEW.tries NOT IN (OLD.tries, OLD.tries + 1)
      OR OLD.started <> '' AND NEW.started <> OLD.started;
END;

CREATE TRIGGER step_is_kept BEFORE DELETE ON step
WHEN (OLD.tries > 0 OR OLD.state = 'ended' AND OLD.verdict NOT IN ('blocked', 'skipped'))
  AND EXISTS (SELECT 1 FROM run WHERE id = OLD.run)
BEGIN
  SELECT raise(ABORT, 'a step that has begun goes only with its run');
END;

-- pending -> refused | open | started | absent | overruled; open -> started | absent |
-- overruled. A second start is forbidden until the first is settled, and after a task that
-- has run until the step is begun anew.

CREATE TRIGGER task_begins BEFORE INSERT ON task
BEGIN
  SELECT raise(ABORT, 'a start begins as pending') WHERE NEW.outcome <> 'pending' OR NEW.spent <> 0;
  SELECT raise(ABORT, 'a second start is forbidden')
    WHERE EXISTS (SELECT 1 FROM task WHERE run = NEW.run AND step = NEW.step
                  AND (outcome IN ('pending', 'open') OR outcome = 'started' AND spent = 0));
  SELECT raise(ABORT, 'a task needs a step that is under way')
    WHERE NOT EXISTS (SELECT 1 FROM step WHERE run = NEW.run AND name = NEW.step AND state = 'started');
END;

CREATE TRIGGER task_moves BEFORE UPDATE ON task
BEGIN
  SELECT raise(ABORT, 'a start does not change its name')
    WHERE NEW.run <> OLD.run OR NEW.step <> OLD.step OR NEW.number <> OLD.number OR NEW.epoch <> OLD.epoch OR NEW.intended <> OLD.intended
      OR NEW.host <> OLD.host OR NEW.model <> OLD.model OR NEW.object <> OLD.object;
  SELECT raise(ABORT, 'a start does not go back')
    WHERE NEW.spent < OLD.spent OR NEW.outcome <> OLD.outcome
      AND NOT (OLD.outcome = 'pending' AND NEW.outcome IN ('open', 'refused', 'started', 'absent', 'overruled')
               OR OLD.outcome = 'open' AND NEW.outcome IN ('started', 'absent', 'overruled'))
      OR OLD.task <> '' AND NEW.task <> OLD.task;
  SELECT raise(ABORT, 'the task has ended')
    WHERE OLD.ended <> '' AND (NEW.ended <> OLD.ended OR NEW.state <> OLD.state OR NEW.began <> OLD.began);
  SELECT raise(ABORT, 'a start that is not settled is not spent')
    WHERE NEW.spent > OLD.spent AND OLD.outcome IN ('pending', 'open');
END;

-- The epoch of a lease only rises.

CREATE TRIGGER lease_moves BEFORE UPDATE ON lease
BEGIN
  SELECT raise(ABORT, 'a lease does not go back') WHERE NEW.key <> OLD.key OR NEW.epoch <> OLD.epoch + 1;
END;

CREATE TRIGGER lease_is_kept BEFORE DELETE ON lease
BEGIN
  SELECT raise(ABORT, 'the epoch of a lease is kept');
END;
