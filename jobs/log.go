package jobs

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// log writes one line for an event, after it was recorded.
func (r *run) log(e ledger.Event) {
	l := r.logger().WithField("run", r.req.ID.Run)
	if e.Step != "" {
		l = l.WithField("step", e.Step)
	}
	level, text := Words(e.Body)
	l.Log(level, text)
}

// logger is the runner's logger, or one that writes nowhere.
func (r *Runner) logger() *logrus.Logger {
	if r.Log != nil {
		return r.Log
	}
	l := logrus.New()
	l.SetOutput(io.Discard)
	return l
}

// Words puts an event into words for the log.
func Words(b ledger.Body) (logrus.Level, string) {
	switch b := b.(type) {
	case ledger.RunCreated:
		return logrus.InfoLevel, fmt.Sprintf("run %q of job %q created, date %s, time zone %s", b.ID.Run, b.ID.Job, b.Date, b.Timezone)
	case ledger.RunContinued:
		return logrus.InfoLevel, fmt.Sprintf("continued by process %d of %s on %s", b.Runner.PID, b.Runner.User, b.Runner.Host)
	case ledger.JobRepaired:
		return logrus.WarnLevel, fmt.Sprintf("what is left follows %s: %s", b.JobFile, strings.Join(b.Changes, "; "))
	case ledger.StepReopened:
		return logrus.InfoLevel, "opened again: " + b.Why
	case ledger.RunResolved:
		return logrus.InfoLevel, fmt.Sprintf("every name was found, as user %s", b.User.Email)
	case ledger.StepStarted:
		if b.Try > 1 {
			return logrus.InfoLevel, fmt.Sprintf("started again, try %d", b.Try)
		}
		return logrus.InfoLevel, "started"
	case ledger.Waiting:
		return logrus.WarnLevel, fmt.Sprintf("waits: %s: %s", b.Reason, b.Text)
	case ledger.SourceUploaded:
		return logrus.InfoLevel, fmt.Sprintf("uploaded %s to %q: %d bytes, %s", b.Path, b.File.Name, b.Bytes, plural(int64(b.Chunks), "chunk")) +
			pace(b.Bytes, b.Took)
	case ledger.Intent:
		return logrus.DebugLevel, fmt.Sprintf("intent %d: starts its task; %d tasks before", b.Number, b.Before.Count)
	case ledger.TaskStarted:
		return logrus.InfoLevel, "task " + b.Task + " started"
	case ledger.StartRefused:
		return logrus.WarnLevel, "start refused: " + b.Text
	case ledger.StartUnknown:
		return logrus.ErrorLevel, "the answer to the start was lost: " + b.Text
	case ledger.StartSettled:
		switch b.Outcome {
		case ledger.IntentStarted:
			return logrus.WarnLevel, fmt.Sprintf("task %s is that of the start whose answer was lost: %s", b.Task, b.Text)
		case ledger.IntentAbsent:
			return logrus.WarnLevel, "the start whose answer was lost started nothing: " + b.Text
		}
		return logrus.WarnLevel, "what became of the start is not known: " + b.Text
	case ledger.TaskSeen:
		return logrus.InfoLevel, strings.TrimSpace(fmt.Sprintf("task %s %s %s", b.Task, b.State, b.Step))
	case ledger.CancelAsked:
		if b.Error != "" {
			return logrus.ErrorLevel, fmt.Sprintf("cancel of task %s failed: %s", b.Task, b.Error)
		}
		return logrus.WarnLevel, fmt.Sprintf("asked to cancel task %s: %s", b.Task, b.Reason)
	case ledger.TaskEnded:
		return logrus.InfoLevel, strings.TrimSpace(fmt.Sprintf("task %s %s %s", b.Task, b.State, b.Step))
	case ledger.DumpSaved:
		if b.Error != "" {
			return logrus.ErrorLevel, fmt.Sprintf("the failure dump of %q cannot be had: %s", b.Of.Name, b.Error)
		}
		return logrus.WarnLevel, fmt.Sprintf("%q: %d rows rejected, %d with warnings, kept in %s", b.Of.Name, b.Dump.Rejected, b.Dump.Warned, b.Path)
	case ledger.TargetPlacing:
		return logrus.DebugLevel, "puts " + b.Path + " in place"
	case ledger.TargetWritten:
		return logrus.InfoLevel, fmt.Sprintf("wrote %s: %d bytes", b.Path, b.Bytes) + pace(b.Bytes, b.Took)
	case ledger.SourceMoved:
		if b.Error != "" {
			return logrus.WarnLevel, fmt.Sprintf("%s stays where it is, it could not be moved to %s: %s", b.From, b.To, b.Error)
		}
		return logrus.InfoLevel, fmt.Sprintf("moved %s to %s", b.From, b.To)
	case ledger.CommandStarted:
		return logrus.InfoLevel, b.Program + " started"
	case ledger.CommandEnded:
		switch {
		case b.Error != "":
			return logrus.ErrorLevel, b.Error
		case b.Why != "":
			return logrus.WarnLevel, "it was ended after " + b.Took.Round(time.Millisecond).String()
		}
		return logrus.InfoLevel, fmt.Sprintf("exit code %d after %s", b.Code, b.Took.Round(time.Millisecond))
	case ledger.Warned:
		return logrus.WarnLevel, b.Text
	case ledger.TryFailed:
		return logrus.WarnLevel, fmt.Sprintf("try %d failed (%s): %s", b.Try, b.Cause, b.Text)
	case ledger.StepEnded:
		return ended(b.Verdict, b.Cause, b.Message)
	case ledger.StopAsked:
		return logrus.WarnLevel, b.Text + ": nothing new starts"
	case ledger.RunEnded:
		level, text := ended(b.Verdict, b.Cause, b.Message)
		return level, fmt.Sprintf("run ended: %s (exit code %d)", text, b.Code)
	}
	return logrus.InfoLevel, b.Kind()
}

func ended(v ledger.Verdict, c ledger.Cause, message string) (logrus.Level, string) {
	level := logrus.ErrorLevel
	switch v {
	case ledger.OK, ledger.Skipped:
		level = logrus.InfoLevel
	case ledger.Blocked:
		level = logrus.WarnLevel
	}
	text := string(v)
	if c != "" {
		text += " (" + string(c) + ")"
	}
	if message != "" {
		text += ": " + message
	}
	return level, text
}

// label is an object or model as the job file names it.
func label(r configs.Ref) string {
	if r.Name != "" {
		return r.Name
	}
	return r.ID
}
