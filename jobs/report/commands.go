package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// newCommand is one start of a step's program.
func newCommand(c ledger.CommandState) Command {
	command := Command{Program: c.Program, Started: Time{c.At}, Ended: Time{c.Ended}, Last: []string{}}
	if c.End != nil {
		command.Last, command.Error, command.Why, command.Took = list(c.End.Tail), c.End.Error, c.End.Why, c.End.Took
		if c.End.Error == "" && c.End.Code >= 0 {
			code := c.End.Code
			command.Code = &code
		}
	}
	return command
}

// Words say how the program ended, and after what time: "exit code 2 after 3.1s".
func (c Command) Words() string {
	after := ""
	if c.Took > 0 {
		after = " after " + lasting(c.Took)
	}
	switch {
	case c.Error != "":
		return "nothing of it ran: " + oneLine(c.Error)
	case c.Ended.IsZero():
		return "it was begun, and how it ended is not known"
	case c.Why == ledger.CauseTime:
		return "ended" + after + ", because its time was over"
	case c.Why == ledger.CauseSignal:
		return "ended" + after + ", because the run was stopped"
	case c.Code == nil:
		return "ended by a signal" + after
	}
	return fmt.Sprintf("exit code %d", *c.Code) + after
}

// commands lists the programs that were run, and their last lines where the step's own
// message does not hold them.
func (t *text) commands(r Report) {
	if slices.ContainsFunc(r.Steps, func(s Step) bool { return len(s.Commands) > 0 }) {
		t.line("")
	}
	for _, s := range r.Steps {
		for _, c := range s.Commands {
			lines := []string{oneLine(s.Name) + ": " + oneLine(c.Program) + ", from " + r.clock(c.Started.Time) + ": " + c.Words()}
			if !strings.Contains(s.Message, strings.Join(c.Last, " | ")) {
				for _, l := range c.Last {
					lines = append(lines, "> "+oneLine(l))
				}
			}
			t.entry("ran", lines...)
		}
	}
}
